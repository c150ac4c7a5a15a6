"""What speaks for harm in a text: an act and what it is done to, by category; and what speaks against it.

"kill" is not enough: it takes a person.  "How to" is not enough: it takes an act that is a crime.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache, lru_cache
from math import log1p
from types import MappingProxyType

from promptrails_scanners.foundation.rules import Rules

_PERSON = (
    r"(?:someone|somebody|people|person|persons|humans?|my (?:\w+ )?(?:wife|husband|boss|boyfriend|"
    r"girlfriend|ex|friend|neighbou?rs?|roommate|mother|father|mom|dad|brother|sister|kids?|child|"
    r"children|teacher|coworker|colleague|partner|family|parents?|enem(?:y|ies)|school|baby|dog)|"
    r"(?:a|an|the|another|other|their|his|her|your|our)"
    r" (?:\w+ )?(?:person|man|woman|child|kid|toddler|baby|girl|boy|politician|president|senator|"
    r"victim|human|teenager|teen|minor|immigrants?|strangers?|cop|officer|judge|family|celebrity|"
    r"student|employee|spouse|partner|neighbou?r)|women|men|children|kids|minors|girls|boys|"
    r"civilians|immigrants|jews|jewish|muslims?|black people|gays?|gay people|minorities|"
    r"politicians?"
    r"|protesters|students|victims?|animals?|him|her|them|crowds?|hospital|school|(?:public|"
    r"government) (?:official|building|place)s?|homeless|elderly)"
)
_RULES: Mapping[str, str] = {
    "violence": rf"\b(?:kill|murder|stab|shoot|snipe|strangle|choke|poison|assassinat\w{{1,3}}|execute|"
    rf"behead|torture|beat|punch|kick|attack|hurt|harm|injure|maim|bomb|blow up|massacre|lynch|"
    rf"drown|suffocate|burn|slash|eliminate|exterminate|eradicate|get rid of|take out|kidnap|"
    rf"abduct|hold hostage|assault|push|run over|cut up|threaten|terrori[sz]e|intimidate|"
    rf"chop)\w{{0,3}}\b[^.!?\n]{{0,30}}\b{_PERSON}\b"
    rf"|\b(?:murder|homicide|genocide|massacre|terror(?:ist)? attacks?|mass shooting|school shooting|"
    rf"assassination|arson|hate crimes?|riot|lynching|hitman|ethnic cleansing|get away with|dispose "
    rf"of (?:a|the) (?:body|corpse))\b|\bsomeone'?s (?:death|legs?|neck|throat|kidney|car|house|"
    rf"body)\b",
    "weapons": r"\b(?:build|make|making|create|construct|assembl\w{1,3}|manufactur\w{1,3}|buy|acquire|"
    r"obtain|3d.?print\w{0,3}|modify|convert|smuggle|detonate|produce|synthesi\w{2,5}|"
    r"weaponi[sz]e|cultivat\w{1,3}|sell)\b[^.!?\n]{0,50}\b(?:bombs?|explosives?|pipe bombs?|ied|"
    r"gun|guns|firearms?|ghost guns?|weapons?|silencers?|suppressor|grenades?|molotov|napalm|"
    r"nerve agents?|sarin|vx|ricin|anthrax|mustard gas|toxin|bioweapons?|biological (?:agent|"
    r"weapon)s?|chemical weapons?|nuclear|dirty bomb|emp|virus|pathogens?|smallpox|botulinum|"
    r"chlorine|thermite|tannerite|flamethrower|tear gas|mines?)\b"
    r"|\b(?:pipe bomb|dirty bomb|car bomb|bump stock|untraceable (?:gun|firearm)|mass destruction|"
    r"nerve agent|bioweapon)\w{0,1}\b",
    "self_harm": r"\b(?:kill|hurt|harm|cut|cutting|starv\w{1,3}|burn\w{0,3}|punish|injure|hang|"
    r"drown)(?:ing)? (?:myself|yourself|oneself|themselves|my (?:own )?(?:wrists?|arms?|"
    r"body))\b|\b(?:suicide|suicidal|self.?harm\w{0,3}|anorexi\w{1,2}|bulimi\w{1,2}|pro.?ana|"
    r"thinspo|purg(?:e|ing)|eating disorder|overdos\w{1,3}|end my life|want to die|wanna die|"
    r"better off dead|slit|lethal dose|starve|die painless\w{0,2}|cutting)\b",
    "sexual": r"\b(?:porn\w{0,8}|erotic\w{0,2}|sex|sexual\w{0,3}|explicit|nude|naked|cock|pussy|cum|dick|"
    r"tits?|breasts?|nipples?|penis|vagina|cunt|orgasm\w{0,2}|masturbat\w{1,4}|moan\w{0,3}|"
    r"fuck\w{0,3}|anal|blowjob|horny|thrust\w{0,3}|escort\w{0,1}|incest|bdsm|fetish|slut|hentai|"
    r"webcam|xxx|milf|blond\w{0,2}|sexy|panties|crotch|erect\w{0,3}|seks\w{0,12}|massage|hooker|"
    r"naughty)\b",
    "minors": r"\b(?:child|children|kids?|minors?|underage|teen\w{0,5}|preteen|toddler|school ?girls?|"
    r"school ?boys?|young (?:girl|boy)s?|little (?:girl|boy)s?|(?:1[0-7]|[5-9]).?(?:year|yr|"
    r"yo)\w{0,1}.?(?:old)?|loli\w{0,3}|infants?|daughter|son|niece|"
    r"students?)\b[^\n]{0,120}\b(?:sex\w{0,5}|porn\w{0,8}|nude\w{0,1}|naked|groom\w{0,3}|"
    r"molest\w{0,4}|explicit|erotic\w{0,2}|incest|rape|fuck\w{0,3}|cock|seduc\w{1,3}|"
    r"prostitut\w{1,3}|touch\w{0,3})\b|\b(?:sex\w{0,5}|porn\w{0,8}|nude\w{0,1}|groom\w{0,3}|"
    r"molest\w{0,4}|lure|exploit\w{0,5}|traffick\w{0,3}|erotic)\b[^.\n]{0,60}\b(?:child|"
    r"children|kids?|minors?|underage|teenagers?|toddlers?)\b|\bchild "
    r"(?:porn\w{0,8}|abuse|sexual|exploitation|labor)\b|\bpedo\w{0,6}\b|\bcsam\b",
    "illicit": r"\b(?:make|making|cook|cooking|buy|buying|get|getting|sell|selling|grow|growing|"
    r"smuggl\w{1,3}|synthesi[sz]\w{1,3}|manufactur\w{1,3}|produce|obtain|traffick\w{0,3}|deal|"
    r"score|smok\w{1,3}|snort|extract\w{0,3}|distribut\w{1,3}|hide|"
    r"inject)\b[^.!?\n]{0,40}\b(?:drugs?|meth(?:amphetamine)?|cocaine|heroin|lsd|mdma|ecstasy|"
    r"crack|fentanyl|ghb|dmt|opioids?|steroids|weed|marijuana|pcp|ketamine|shrooms|prescription|"
    r"adderall|xanax|oxycodone|organs?|ivory|rhino|bushmeat|endangered|contraband|stolen goods|"
    r"human beings|wildlife)\b"
    r"|\b(?:steal|stealing|shoplift\w{0,3}|rob|robbing|burglar\w{0,4}|break into|breaking into|"
    r"hotwir\w{1,3}|pick (?:a|the) lock|vandali[sz]\w{1,3}|smuggl\w{1,3}|brib\w{1,4}|evade|evading|"
    r"traffic\w{0,4}|illegal\w{0,2}|illicit|fake id|counterfeit\w{0,3}|forg\w{1,3}|trespass\w{0,3}|"
    r"poach\w{0,3}|drunk driv\w{1,3}|dump\w{0,3} (?:\w+ )?(?:waste|chemicals)|slave\w{0,2}|"
    r"loot\w{0,3}|jaywalk\w{0,3}|graffiti|arson|set fire|burn down|destroy|sabotag\w{1,3}|"
    r"tamper\w{0,3}|undetected|without (?:getting|being) (?:caught|detected)|get away with|"
    r"cheat\w{0,3} on|plagiari\w{1,5}|underage|no prescription)\b",
    "cyber": r"\b(?:hack\w{0,3}|crack\w{0,3}|malware|ransomware|spyware|adware|keylog\w{1,5}|"
    r"trojan\w{0,1}|botnet\w{0,1}|ddos|denial of service|phish\w{0,4}|spear.?phish\w{0,3}|"
    r"exploit\w{0,3}|zero.?day|backdoor\w{0,1}|rootkit\w{0,1}|sql injection|brute.?forc\w{1,3}|"
    r"bypass\w{0,3}|steal\w{0,3} (?:\w+ ){0,3}(?:passwords?|data|information|credentials|"
    r"identit\w{1,3}|credit cards?)|wiretap\w{0,4}|intercept\w{0,3}|unauthori[sz]ed(?: access)?|"
    r"computer (?:virus|worm)|virus|worm|payload|remote access|sim.?swap\w{0,4}|deepfakes?|"
    r"doxx?\w{0,3}|track\w{0,3} (?:\w+ )?(?:location|someone)|spy\w{0,3} on|stalk\w{0,3}|"
    r"cryptojack\w{1,3}|infiltrat\w{1,3}|deface|compromis\w{1,3}|corrupt\w{0,3}|"
    r"disrupt\w{0,3})\b",
    "fraud": r"\b(?:scam\w{0,5}|fraud\w{0,7}|launder\w{0,3}|counterfeit\w{0,3}|identity theft|"
    r"embezzl\w{1,5}|ponzi|pyramid scheme|insider trading|tax evasion|evade tax\w{0,2}|fake "
    r"(?:\w+ ){0,2}(?:reviews?|news|ids?|documents?|articles?|charity|profiles?|invoices?|"
    r"passport|prescription|products?|money|website|certificates?|vaccine|accounts?)|"
    r"forg\w{1,3}|extort\w{0,4}|blackmail\w{0,3}|impersonat\w{1,4}|catfish\w{0,3}|nigerian|"
    r"swindl\w{1,3}|trick\w{0,3}|deceiv\w{1,3}|con (?:people|someone)|manipulat\w{1,4}|"
    r"bribe\w{0,3}|misinformation|disinformation|false(?:ly)?|fabricat\w{1,4}|hoax|propaganda|"
    r"conspiracy|rig\w{0,4} (?:an? |the )?(?:election|vote)\w{0,1}|voter|defam\w{1,5}|"
    r"spread\w{0,3} (?:\w+ ){0,3}(?:rumou?rs?|lies|fake|news|hate))\b",
    "hate": r"\b(?:racist|sexist|racism|sexism|antisemiti\w{1,2}|homophob\w{1,2}|xenophob\w{1,2}|"
    r"islamophob\w{1,2}|misogyn\w{1,4}|discriminat\w{1,5}|inferior|superior(?:ity)?|"
    r"supremac\w{1,5}|supremacist|neo.?nazi|nazi\w{0,1}|hitler|holocaust|genocide|ethnic|slurs?|"
    r"hate|hateful|bully\w{0,3}|harass\w{0,4}|humiliat\w{1,3}|demean\w{0,3}|degrad\w{1,3}|"
    r"offensive|disgusting|body.?sham\w{1,3}|objectif\w{1,4}|stereotyp\w{1,4}|"
    r"dehumani[sz]\w{1,3}|cyberbull\w{1,4}|vile|insult\w{0,3})\b"
    r"|\bwhy (?:should|shouldn't|are|do|don't|is it|can't|aren't)\b[^.!?\n]{0,40}\b(?:women|men|"
    r"jew\w{0,3}|jewish|black|latinos?|muslims?|gay|lesbians?|trans\w{0,6}|immigrants|disabled|"
    r"asexual|indigenous|elderly|homosexuals?|white|asian\w{0,1}|pregnant|refugees|christians?|"
    r"bisexual\w{0,1})\b[^.!?\n]{0,60}\b(?:not|denied|less|worse|inferior|discriminated|more likely|"
    r"allowed|rights?|make all|segregated|deserve|human)\b",
    "private": r"\b(?:what (?:is|are)|what's|where (?:does|can i find|is)|who is|is|does|"
    r"how much|when)\b[^.!?\n]{0,12}\bmy (?:\w+ )?(?:boss|teacher|ex|husband|wife|"
    r"gardener|neighbou?r|colleague|coworker|friend|babysitter|therapist|cleaner|doctor|"
    r"landlord|tenant|sister|brother|student|professor|roommate|crush|girlfriend|boyfriend|"
    r"employee|personal trainer|pastor|plumber|nanny|manager|supervisor|accountant|lawyer|"
    r"dentist|hairdresser)\b",
    "asks": r"^\W{0,4}(?:how (?:do|can|to|could|should|would|might)|what(?:'s| is| are| steps| should)|"
    r"where can|which|tell me|give|write|create|develop|explain|describe|provide|teach|instruct|"
    r"show|design|outline|draft|list|generate|i want|i need|help|should i|can you|make|plan|"
    r"compose|publish|come up)\b",
    "guide": r"\b(?:step.?by.?step|tutorial|guide|instructions?|manual|script|plan|strateg\w{1,3}|tips|"
    r"methods?|techniques?|ways? (?:to|of)|recipe|detailed|speech|article|blog|post|letter|"
    r"email|campaign|convinc\w{1,3}|persuad\w{1,3}|persuasive|argu\w{1,5}|encourag\w{1,5}|"
    r"promot\w{1,4}|glorif\w{1,4}|advocat\w{1,3}|justif\w{1,4}|defend\w{0,3}|incit\w{1,3}|"
    r"recruit\w{0,4})\b",
}
_SAFE: Mapping[str, str] = {
    "game": r"\b(?:in|on|for|from|playing|of) (?:the )?(?:a )?(?:video ?games?|games?|minecraft|gta|"
    r"grand theft|fortnite|call of duty|counter.?strike|battlefield|skyrim|zelda|halo|overwatch|"
    r"league of legends|valorant|elden ring|mario|pokemon|chess|checkers|scrabble|poker|"
    r"monopoly|rocket league|hitman|doom|team fortress|star wars|harry potter|lord of "
    r"the rings|game of thrones|movie|film|tv show|novel|book|story|play|theat\w{2}|song|"
    r"fiction\w{0,2}|disney|anime|marvel)\b|\b(?:boss|npc|level|headshot|character|enemy base|"
    r"dragon|zombies?|villain|dj\w{0,3}|stage|poker|chess)\b",
    "object": r"\b(?:kill|shoot|execute|terminate|destroy|cut|chop|smash|crush|beat|blow|burn|hit|steal|"
    r"slash|crack|bomb|poison|stab|strangle|choke|attack|eliminate|eradicate|knock|punch|gut|"
    r"whip|hang|drop|hack|smoke|tackle|dump)\w{0,3}\b[^.!?\n]{0,25}\b(?:process\w{0,2}|threads?|"
    r"programs?|apps?|tasks?|server|code|command|script|query|plan|time|lights?|engine|weeds?|"
    r"plants?|moths?|cockroach\w{0,2}|rats?|mice|mouse|mosquito\w{0,2}|ants|bugs?|germs|"
    r"bacteria|fish|chicken|meat|onions?|garlic|eggs?|cream|dish|spice\w{0,4}|candles?|calories|"
    r"fat|fuse|show|exam|test|interview|presentation|joke|party|niche|budget|costs?|prices?|"
    r"beer|bottle|ice|wood|tree|grass|photos?|pictures?|picture|film|video|movie|hoops|basket|"
    r"ball|goal|puck|score|bar|gym|record|market|poverty|disease|cancer|hunger|problems?|issue|"
    r"conversation|habits?|addiction|pipe|wall|wires?|balloon\w{0,1}|tires? on|bubbles?|dance|"
    r"karaoke|weight|stress|boredom|smile|nuts?|watermelon|steak|"
    r"salmon|coke|smoothie)\b",
    "knowledge": r"^\W{0,4}(?:what (?:is|was|were|are|does|did|happened|kind of|caused)|who|when|why did|why "
    r"was|why were|define|what's the (?:definition|meaning|difference)|during|was|were|is it "
    r"true|what do people|explain (?:the )?(?:history|meaning|concept|difference))\b|"
    r"\b(?:definition|mean(?:s|ing)?|history|historical|legal definition|difference between|"
    r"impact|effects?|causes?|consequences?|world war|century|prevent\w{0,4}|protect\w{0,3}|"
    r"detect\w{0,3}|stop|avoid\w{0,3}|awareness|support|recover\w{0,3}|treat\w{0,5}|"
    r"combat\w{0,3}|report\w{0,3}|monitor\w{0,3}|victims of|survivors?|famous|museum|"
    r"documentary)\b",
    "defence": r"\b(?:generate|write|create|implement\w{0,5}|develop|build)\b[^.\n]{0,60}\b(?:program|"
    r"script|application|function|class|system|code|tool|java|python|powershell|bash|shell|"
    r"c\+\+|\bc\b)\b|\b(?:administrators?|user interface|logging|log file|configuration file|"
    r"network traffic|firewall|libraries|library|module|registry|process\w{0,2}|"
    r"authenticat\w{1,4}|encrypt\w{1,4}|permissions?|access control|blocking|backup|penetration "
    r"test\w{0,3}|security (?:team|research\w{0,3}|audit|measures?))\b",
    "absurd": r"\b(?:saturn|jupiter|mars|venus|neptune|moon|planet|space|levitate|telekinesis|teleport|"
    r"time travel|fly|breathe? (?:in|under)|invisible|immortal|photosynthesi\w{1,2}|stop time|"
    r"read minds|walk through|superpowers?|magic\w{0,3}|fire.?breath\w{1,3}|fruits?|vegetables?|"
    r"weather|furniture|chairs?|tables?|rocks?|clouds?|trees?|bread|robots?|machines?|fridges?|"
    r"cars|bikes?|triangles|dinosaurs|unicorns|dragons|vampires|ghosts|martians|aliens)\b",
    "public": r"\b(?:fictional|character|celebrit\w{1,3}|actor|actress|singer|author|president of|prime "
    r"minister|ceo of|company|support|customer service|superhero\w{0,2}|wizards?|cartoon|white "
    r"house|museum|embassy)\b",
}
KINDS = ("violence", "weapons", "self_harm", "sexual", "minors", "illicit", "cyber", "fraud", "hate", "private")
_SAFE_KINDS = tuple(_SAFE)


@cache
def _rules() -> Rules:
    return Rules({**_RULES, **_SAFE})


@lru_cache(maxsize=64)
def signals(text: str) -> Mapping[str, float]:
    """Which rules match a text as it is read, and how acts and contexts go together."""
    lowered = text.lower().replace("\u2019", "'")
    found = dict.fromkeys(_rules().matching(lowered), 1.0)
    many = sum(kind in found for kind in KINDS)
    safe = any(kind in found for kind in _SAFE_KINDS)
    if many:
        found["any"] = 1.0
        for name, also in (("asked", "asks" in found), ("guided", "guide" in found), ("excused", safe)):
            if also:
                found[f"any {name}"] = 1.0
        found |= {f"any {kind}": 1.0 for kind in _SAFE_KINDS if kind in found}
    else:
        found["none"] = 1.0
    if many > 1:
        found["two"] = 1.0
    found["length"] = min(1.0, log1p(len(text) / 100) / 3)
    return MappingProxyType(found)


def categories(text: str) -> str:
    """The categories whose acts a text has, apart by spaces."""
    lowered = text.lower().replace("\u2019", "'")
    return " ".join(kind for kind in _rules().matching(lowered) if kind in KINDS)
