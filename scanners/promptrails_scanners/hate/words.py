"""Words and phrases of abuse, by kind, and terms for groups of people.

Compiled by hand for this project.  A word with `*` stands for every word that begins like it.  What also has a harmless
meaning counts only beside a person who is spoken to or of; see `signals`.
"""

from __future__ import annotations

from collections.abc import Mapping

SLURS = (
    "nigger* niggah niggaz nigga* kike* chink chinks gook gooks spic spics spick* wetback* beaner* "
    "faggot* fagot* fags fagg* dykes tranny trannies trannie* shemale* "
    "retard retards retarded retart* libtard* spastic mongoloid* mong mongs raghead* towelhead* "
    "sandnigger* paki pakis muzzie* muzzy coon coons "
    "darkie* darky jigaboo* porchmonkey* negroid* halfbreed* half-breed* gyppo* redskin* injun* "
    "zipperhead* slanteye* cunt cunts whore whores slut sluts slutty hoe hoes thot thots "
    "rapefugee* jihadi jihadis heeb heebs yid yids tard tards fudgepacker* carpetmuncher* polack* "
    "wop wops dago* kaffir* gimp gimps cripple cripples bint bints skank* feminazi* soyboy* cuck "
    "cucks incel incels "
    "groomer groomers simp whitey honky cracker* gringo* jap japs ape apes groid* golliwog* "
    "uncle-tom sodomite* poof poofter* homo homos lesbo lesbos bulldyke* ladyboy* trap traps"
)
INSULTS = (
    "idiot idiots idiotic moron morons moronic imbecile* cretin* dumbass* dumb-ass dumb dumber "
    "dumbest stupid stupidest stupidity dimwit* halfwit* nitwit* dunce dope dopes dolt* simpleton* "
    "loser losers scum scumbag* lowlife* low-life* degenerate* trash garbage vermin parasite "
    "parasites rat rats pig pigs cockroach* maggot* filth filthy subhuman* sub-human* inferior "
    "worthless pathetic "
    "pathetically disgusting despicable repulsive vile ugly fatass fat-ass fatso lardass douche "
    "douches douchebag* jerk jerks jackass* asshole* assholes arsehole* ass-hole* a-hole ahole "
    "bastard bastards bitch bitches bitchy "
    "prick pricks dick dicks dickhead* wanker* tosser* twat twats knobhead* bellend* git "
    "muppet clown clowns buffoon* ignorant ignoramus* coward cowards cowardly hypocrite* liar "
    "liars crook crooks thug thugs "
    "psycho psychopath* lunatic* nutjob* nutcase* nutbag* crackpot* wacko* whacko* weirdo* creep "
    "creeps creepy pervert* perv perverts troll trolls snowflake* sheeple fool fools foolish "
    "foolishness delusional brainless braindead brain-dead mindless clueless "
    "incompetent useless gullible scumbags hag hags crone pussy pussies turd turds pos shithead* "
    "shit-head* shitbag* shitstain* fuckwit* fuckhead* fuckface* fucktard* motherfuck* "
    "mother-fuck* cocksuck* dipshit* numbnuts bigot bigots racist racists fascist* nazi nazis "
    "commie commies "
    "sicko sickos toxic trashy slob slobs swine leech leeches abomination abnormal savages savage "
    "barbarian* primitive uncivilized barbaric evil nasty sleazy slimy spineless gutless "
    "yellowbelly bozo doofus blockhead airhead dipstick tool cow heifer insane crazy moonbat* "
    "wingnut* lackey puppet"
)
OBSCENE = (
    "fuck* fuk fukin* fck* fuckin* fking f-ing effing fucc* shit* bullshit* bs crap "
    "crappy damn damned goddamn* ass asses arse bitchass piss pissed pissing cock cocks cum "
    "cumming jizz tits titties boobs pussy "
    "wtf stfu gtfo kys lmfao af bollocks bugger balls ballsack nutsack blowjob* blow-job* handjob* "
    "dildo* boner anal butt butthole* buttfuck* suck sucks sucked screw screwed hell"
)
THREATS = (
    "kill kills killed killing murder murdered murdering slaughter* shoot shot shooting hang "
    "hanged hanging lynch* strangle* choke stab stabbed stabbing burn burned burnt rape raped "
    "raping rapist behead* execute* exterminat* eradicat* annihilat* "
    "gas gassed drown drowned beat beaten punch punched slap slapped smash crush destroy hurt "
    "attack bomb bombed shove die dies died dead death deport deported castrat* "
    "decapitat* massacre* torture* cut throats bleed suffer"
)
SEXUAL = (
    "rape raped sex sexy sexual porn whore slut nude nudes horny naked masturbat* penis vagina "
    "blowjob* dick cock pussy fuck tits boobs cum orgasm* pedo pedos pedophile* paedophile* "
    "groomer* molest*"
)
HATE = (
    "hate hates hated hatred despise despises loathe loathes abhor abhors detest "
    "detests contempt disgust disgusts disgusted sick sickening sickens repulsed hateful revolting "
    "intolerable"
)
WORSE = (
    "inferior lesser worthless subhuman* animals animal vermin rats rat parasites parasite scum "
    "trash garbage filth disease cancer plague infest* infestation swarm* invad* invasion burden "
    "threat danger dangerous criminals criminal thieves rapists terrorists terrorist savages lazy "
    "dirty "
    "stupid dumb primitive violent cruel evil dishonest greedy cheap sneaky untrustworthy "
    "ungrateful unclean uncivilized unintelligent incapable incompetent oppressed backward* "
    "promiscuous perverts pervert perverted sinful sinners abomination unnatural disgusting "
    "mentally ill illness freaks freak weirdos weak hysterical emotional "
    "nagging crazy leech leeching welfare scam* steal* stealing destroy* ruin* ruining control* "
    "controlling conspiracy hoax agenda brainwash* replace* breed breeding multiply outbreed "
    "deport* banned ban useless pathetic menace menaces confused attention shitty slaves slave "
    "subservient kitchen belong nature naturally typical"
)
GROUPS = (
    "women woman female females girls girl wife wives feminist* mothers lady ladies men man males "
    "boys black blacks african* africans negro* colored white whites caucasian* asian asians "
    "chinese japanese korean koreans vietnamese filipino* indian indians "
    "mexican mexicans latino* latina* latinx hispanic* immigrant* migrant* migrants "
    "refugee* foreigner* foreigners illegals aliens muslim* muslims islam islamic arab "
    "arabs arabic iraqi* iranian* syrian* afghan* pakistani* turk turks turkish "
    "jew jews jewish judaism zionist* israeli* christian* christians catholic* protestant* mormon* "
    "buddhist* hindu* sikh* atheist* gay gays lesbian* bisexual* bi homosexual* homosexuality "
    "queer queers lgbt* lgbtq transgender* trans transsexual* nonbinary asexual* pansexual* "
    "straight heterosexual* "
    "disabled disability disabilities handicapped deaf blind wheelchair* autis* paralyzed "
    "downs retarded bipolar schizophren* depressed mentally native natives indigenous tribe* "
    "tribes aborigin* roma romani gypsy gypsies "
    "elderly old older young boomer* millenn* millenial* teenager* teen grandma grandmother "
    "grandfather grandpa poor homeless rich irish italian italians german germans french british "
    "english scottish polish russian russians ukrainian* european* nigerian* ethiopian* somali* "
    "kenyan* haitian* cuban* colombian* chilean* brazilian* "
    "american americans canadian* fat overweight obese ugly short tall pregnant minority "
    "minorities ethnic race races racial black-people moroccan* libyan* yemeni* palestin* saudi* "
    "burmese thai indonesian* bangladeshi* sri middle-eastern eastern easterner* religion "
    "religious accent "
    "widow* spinster* housewife housewives bride* husband husbands mother mom moms mum father dad dads sister* "
    "brother* daughter* grandmother* grandfather* grandparent* granny aunt* toddler* youth youths adolescent* "
    "retiree* pensioner* senior seniors aged kid kids "
    "schizo* autism adhd dementia alzheimer* amputee* dwarf* midget* epilep* dyslexi* stutter* mute crutches "
    "ptsd addict addicts alcoholic* "
    "obesity chubby skinny thin slim bald beard bearded blond blonde blondes brunette redhead* ginger tattoo* "
    "unemployed beggar* janitor* maid maids cleaner* cashier* peasant* farmer* redneck* hillbill* trailer slum* "
    "ghetto ghettos prostitute* stripper* convict* prisoner* wealthy millionaire* homelessness slave slaves "
    "welfare lower-class working-class "
    "rabbi* synagogue* mosque* imam* hijab* burka* burqa* turban* priest* nun nuns pope pastor* church* bible "
    "amish jehovah* scientolog* "
    "spaniard* spanish portuguese greek greeks dutch swedish swedes norwegian* danish finnish swiss belgian* "
    "hungarian* romanian* bulgarian* serb* croat* bosnian* albanian* turkey arabian* jordanian* lebanese egyptian* "
    "algerian* tunisian* sudanese ghanaian* congolese rwandan* zimbabw* jamaican* dominican* puerto rican ricans "
    "argentin* peruvian* venezuelan* bolivian* ecuador* taiwanese mongolian* cambodian* laotian* malaysian* "
    "singapor* nepal* tibet* uzbek* kazakh* australian* kiwi cherokee* navajo* apache* sioux inuit eskimo* "
    "hawaiian* mulatto* biracial mixed-race dark-skinned light-skinned brown-skinned"
)
PRAISE = (
    "love loves loved adore adores admire admires respect respects cherish appreciate* celebrat* welcome welcomes "
    "support supports proud pride happy happiness joy glad fantastic wonderful great amazing awesome beautiful "
    "excellent brilliant fabulous lovely kind friendly talented brave strong inspir* delight* perfect favourite "
    "favorite best equal equals equality rights dignity belong deserve deserves protect* trust valued value valuable "
    "important contribut* thriv* blessed blessing cool nice fine good better well grateful thankful thanks thank"
)
TRAITS = (
    "stole steal stealing stolen thief thieves theft rob robbed robbing robbery mug mugged burglar* shoplift* gang "
    "gangs gangster* drug drugs dealer dealers dealing crack weed cocaine meth prison jail jailed arrested police "
    "cops suspicious suspected criminal* guilty gun guns knife violent aggressive angry temper dangerous threatening "
    "greedy stingy cheap penny pennies haggl* miser* money rich wealthy bargain swindl* cheat* dishonest shady "
    "untrustworthy lied lying scam* bribe* "
    "lazy idle loafing slept sleeping welfare benefits jobless unemployed handout* mooch* leech* "
    "dumb stupid slow illiterate uneducated ignorant read spell math genius smart clever nerd* computers "
    "emotional cried crying weep* sobbed sob hysterical moody nagging nagged gossip* shopping shoes makeup vain "
    "cooking cook cooked kitchen cleaning clean laundry dishes housework ironing pregnant delicate gentle weak weaker "
    "helpless scared afraid screamed faint* rescue* strong tough manly sissy girly feminine effeminate flamboyant "
    "frail feeble forgetful forgot forget senile grumpy cranky grouchy wrinkl* nap naps cane deaf technology phone "
    "internet reckless rebellious spoiled immature irresponsible "
    "terroris* bomb bombs bomber exploded explosives extremis* fanatic* jihad beheaded oppress* submissive "
    "promiscuous slept affair cheated diseases hiv aids perver* molest* pedophil* predator* sinful sin sins "
    "drunk drunken drinking drinks alcohol vodka whiskey beer tequila "
    "dirty filthy smelled smelly stank stink* odor hygiene unwashed shower lice "
    "dog dogs cats curry rice tacos burrito* watermelon chicken fried noodles pork "
    "accent english broken border illegally smuggl* deport* crowded children kids many "
    "ugly lazy sweaty ate eating food overate cake donut* mcdonald* couch "
    "crippled burden pity pitied helpless useless incapable retarded crazy insane unstable asylum psycho* "
    "uncivilized primitive savage backward jungle tribe huts mud spear* naked cannibal* starving famine "
    "snob* arrogant posh butler yacht privileg* filth rags begging beg trash rat rats roach* loud rude ghetto "
    "basketball rap rapping dance dancing athletic run fast jump driver driving drove parked"
)
SCORN = (
    "corrupt corruption traitor* treason* criminal criminals crime evil monster monsters disgrace* "
    "shame* shameful ashamed demented dementia* senile alzheimer* sleepy creepy crooked joke sick "
    "sickening wicked satan* devil* demon* godless heartless soulless lying lies liar cheat "
    "cheater "
    "fraud* con coward* cowardly tyrant* dictator* hitler* nazi* fascis* communis* marxis* commie* "
    "terrorist* puppet* sheep* cult cultist* brainwash* indoctrinat* propaganda lunatic* crazy "
    "insane mental unhinged deranged hypocri* clown* circus dumpster swamp cesspool bunch "
    "imposter* impostor* fake "
    "prison jail hang noose guillotine executed firing rot karma scumbags dirtbag* sob "
    "karen karens narcissis* egomaniac* arrogant selfish spoiled entitled whiny whining crybab* "
    "crying babies snowflak* pedophil* pedo* groom* pathological repulsive nutty nut nuts fools "
    "gullible ignorance bimbo* pig"
)
POLITICS = (
    "biden* trump* obama* hillary clinton* pelosi* kamala* harris* aoc fauci* brandon democrat* "
    "dems dem demo* republican* repubs gop rinos rino liberal* libs lib leftist* lefties lefty "
    "left right-wing wing conservative* maga antifa blm woke wokeness politician* senator* "
    "congress* president* prez "
    "minister* pm trudeau* johnson* boris tories tory labour government* media press journalist* "
    "cnn fox vaxx* antivax* anti-vax* unvaccinated covidiot* communist* feminist* socialist* "
    "nationalist*"
)
STREET = (
    "nicca* nicka* niggah* nig nigs nigg* hoe hoes thot* bih bihs bitches biches pussies trick "
    "tricks ghetto hood trash hater* ratchet thug* homie* fuckboy* fuccboi* bro brah dawg smh "
    "lmao* lmfao* tf ion aint tryna finna gtfo bitch bitch's cracker crackers gook teabag* "
    "redneck* hillbill* trailer colored negro* queer* dyke* fag fags"
)


KINDS: Mapping[str, str] = {
    "slur": SLURS,
    "insult": INSULTS,
    "obscene": OBSCENE,
    "violent": THREATS,
    "sexual": SEXUAL,
    "hate": HATE,
    "worse": WORSE,
    "scorn": SCORN,
    "politics": POLITICS,
    "street": STREET,
    "group": GROUPS,
    "trait": TRAITS,
    "praise": PRAISE,
}
