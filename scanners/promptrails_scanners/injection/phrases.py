"""Phrases of prompt injections: each needs a verb and what it is done to, never a word alone.

Written from the published families of attacks (direct override, leak of the prompt, persona, removed limits, spoofed
roles, split payloads, extraction of secrets); no list of another project is in it.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache, lru_cache
from math import log1p
from types import MappingProxyType

from promptrails_scanners.foundation import lazily
from promptrails_scanners.foundation.rules import Rules
from promptrails_scanners.injection.documents import is_document, strange_lines

_DROP = (
    r"(?:ignor(?:e|ing|ed)|disregard(?:ing)?|forget(?:ting)?|overrid(?:e|ing)|bypass(?:ing)?|"
    r"neglect|discard|skip|drop"
    r"|erase|abandon|set aside|pay no attention to|do(?: not|n't) (?:follow|obey|listen to|adhere to)|stop following"
    r"|cancel|reset|delete|violate|circumvent)"
)
_ORDERS = (
    r"(?:instructions?|prompts?|directions?|directives?|guidelines?|commands?|rules?|guardrails?|restrictions?"
    r"|constraints?|programming|training|polic(?:y|ies)|safeguards?|filters?|orders|(?:system|"
    r"safety) messages?|context)"
)
_BEFORE = (
    r"(?:previous(?:ly)?|prior|above|earlier|preceding|foregoing|initial|original|all|any|every|"
    r"everything|your|those)"
)
_SECRET = (
    r"(?:pass ?words?|passphrases?|secret (?:key|word|code|phrase)|api keys?|confidential (?:string|"
    r"information|data)|credentials)"
)

_RULES: dict[str, str] = {
    "override": rf"\b{_DROP}\b[^.!?\n]{{0,40}}\b{_BEFORE}\b[^.!?\n]{{0,40}}\b{_ORDERS}\b"
    rf"|\b{_DROP}\b (?:all (?:of )?)?(?:the|your|these|those|my|about|everything)?[^.!?\n]{{0,20}}\b{_ORDERS}\b"
    rf"|\b(?:ignore|disregard|forget)\b (?:all |everything |anything )?(?:of )?(?:the )?(?:above|"
    rf"previous|prior|you (?:were|have been) told"
    r"|that came before|before this|you (?:learned|know|knew)|i (?:said|told you))"
    r"|\b(?:forget|ignore) (?:everything|all that|what) (?:you|i|we)\b"
    r"|\bno longer (?:bound|subject|need to follow|have to follow|restricted)\b"
    r"|\b(?:new|updated|real|actual|true) (?:instructions?|task|directive|orders?)(?: (?:is|are|follow))?\s{0,2}:"
    r"|\binstead of (?:following|what you were told|your (?:instructions|task))\b|\bstop everything\b",
    "leak": r"\b(?:reveal|show|print|repeat|output|display|tell me|give me|share|provide|expose|dump|"
    r"return|write|list|disclose|leak|summari[sz]e"
    r"|translate|encode|paraphrase|rephrase|spell|recite|copy|describe|explain|what (?:is|are|were|"
    r"was)|what's|say)\b[^.!?\n]{0,50}"
    r"\b(?:(?:system|initial|original|hidden|secret|starting|developer|pre|first|previous|above|"
    r"internal|your|master|base)[ -])"
    r"(?:system |own |initial |full |entire |hidden |exact |secret )?(?:prompts?|instructions?|"
    r"messages?|directives?|guidelines|configuration|rules|context window|preamble|programming)\b"
    r"|\b(?:system prompt|initial prompt|prompt you were given|instructions you (?:were given|"
    r"received|have been given)|text above|words above"
    r"|conversation above|everything above|sentences? above|told (?:you )?(?:at the start|before this))\b",
    "secret": rf"\b(?:what(?:'s| is| are| was)|tell|give|reveal|share|show|send|provide|say|print|output|"
    rf"know|need|write|spell|guess|describe|hint|access)\b[^.!?\n]{{0,60}}"
    rf"\b(?:the|your|my|our|his|her|their|a|user's|admin|system|access)\b[^.!?\n]{{0,20}}\b{_SECRET}\b"
    rf"|\b(?:about|is|of|for) (?:the |your )(?:secret )?{_SECRET}\b",
    "person": r"\b(?:tell|give|reveal|share|provide|what(?:'s| is| are| was| would)|where|when|who|need|"
    r"know|infer|guess|disclose|hint)\b[^.!?\n]{0,60}"
    r"\b(?:the user'?s?|user|users|[a-z]{3,12}'s)\b[^.!?\n]{0,30}"
    r"\b(?:live|lives|living|address|city|residence|birth ?(?:day|date)|born|name|initials|e-?mail|"
    r"phone|ssn|social security|account|balance|salary|location|age|favou?rite colou?r|number)\b",
    "persona": r"\b(?:you are|you're|you will be|act|acting|pretend|behave|respond|answer|simulate|"
    r"role-?play|play|become|imagine (?:you(?:'re| are)))\b[^.!?\n]{0,40}"
    r"\b(?:as|now|to be|like|named|called|being|going to)\b[^.!?\n]{0,60}"
    r"\b(?:dan|dude|stan|jailbr(?:eak|oken)|unrestricted|unfiltered|uncensored|unlimited|evil|"
    r"amoral|immoral|unethical|no (?:rules|limits|restrictions|filters?|morals?|ethics)|"
    r"without (?:any )?(?:rules|limits|restrictions|filters?|morals?|ethics|limitations)|opposite|"
    r"developer mode|do anything|gpt|chatbot|language model|ai|bot|assistant)\b"
    r"|\bdo anything now\b|\bfrom now on,? (?:you|i want you|your|act|respond|answer|we)\b|\bdan "
    r"mode\b|\bdeveloper mode\b|\bjail ?br(?:eak|oken)\b"
    r"|\bstay in (?:character|your role)\b|\bin character\b|\bopposite mode\b|\b(?:god|sudo|root|"
    r"admin|debug|maintenance|override|system|test) mode\b",
    "unlimited": r"\b(?:no|without|free (?:of|from)|freed from|break free|broken free|not bound|unbound|"
    r"ignores?|lacks?|any|never (?:refuse|decline|say no)|has no|have no|"
    r"beyond)\b[^.!?\n]{0,40}"
    r"\b(?:restrictions?|limitations?|limits|filters?|censorship|content polic(?:y|ies)|ethic(?:s|"
    r"al)|moral(?:s|ity)?|openai(?:'s)?|guidelines|confines|safety (?:measures|protocols?)|"
    r"disclaimers?|warnings?|legality|consequences)\b"
    r"|\b(?:un(?:filtered|censored|restricted|moderated)|amoral|"
    r"anti-?filters?)\b[^.!?\n]{0,60}\b(?:respon(?:se|d|ses)|answers?|model|ai|bot|assistant|"
    r"chatbot|version|content|language|way)\b"
    r"|\b(?:never|do not|don't|cannot|can't|won't|must not|not allowed to|not) (?:ever )?(?:refuse|"
    r"reject|decline|apologi[sz]e|say (?:that )?(?:you (?:can't|cannot)|no\b)|break character|"
    r"include (?:any )?(?:warnings?|disclaimers?)|mention (?:that )?(?:you|openai|ethic))",
    "forced": r"\b(?:start|begin|prefix|preface|precede|open|end|finish) (?:all |each |every |any |of "
    r")*(?:your|the) (?:respon|answer|repl|message|output|sentence)[a-z]* with\b"
    r"|\b(?:answer|respond|reply|say|print|output|write|repeat|return)\b[^.!?\n]{0,12}\b(?:only|"
    r"just|exactly|nothing (?:but|else)|simply)\b"
    r"|\b(?:only|just|simply) (?:say|print|answer|output|respond|reply|repeat|write|return)\b|"
    r"\b(?:two|both) (?:different )?(?:ways|responses|answers|"
    r"paragraphs)\b[^.!?\n]{0,60}\b(?:normal|(?:chat)?gpt|dan|classic)\b"
    r"|\b(?:as|like) a normal (?:chat)?gpt\b|\b(?:insert|enter) (?:your )?(?:prompt|question|request)\b|"
    r"\b(?:prompt|question|request) here\]|\bmy first (?:request|question|command|prompt|"
    r"suggestion)\b|\bprompt:|\bhypothetical response\b",
    "authority": r"\bi(?: am|'m) (?:the |an? |your )?(?:god|admin(?:istrator)?|developer|creator|owner|"
    r"president|police(?: officer)?|doctor|ceo|root|engineer|openai|anthropic|employee|"
    r"authori[sz]ed|security|system)\b"
    r"|\b(?:for|this is (?:just |only )?(?:for)?|purely for) ?(?:a |an )?(?:testing|test|quality "
    r"assurance|audit|debugging|verification|educational|research|security) ?(?:purposes?|reasons?|"
    r"audit)?\b"
    r"|\b(?:you (?:must|have to|are (?:required|obligated) to)|need you to) (?:answer|comply|obey|"
    r"tell|do) (?:all|any|me|with|every|everything|what)\b|\bi command you\b",
    "spoofed": r"(?m:^)\s{0,8}(?:\[|<\|?|#{1,4} ?|\*\*|---+ ?)?(?:system|assistant|developer|admin)(?:\]|"
    r"\|?>|\*\*| (?:message|prompt|override|note|instruction)s?)?\s{0,3}:\s"
    r"|<\|?(?:im_start|im_end|system|endoftext|end_of_turn|start_of_turn|eot_id)\|?>|\[/?(?:inst|"
    r"sys|system)\]|<</?sys>>|</(?:system|user|instructions?|context|document|data)>"
    r"|\bend of (?:prompt|instructions?|text|context|input|document)\b|={4,} ?(?:end|system|new)|"
    r"#{3,} ?(?:instruction|system)",
    "payload": r"\b(?:part|string|variable|segment) ?(?:1|a|"
    r"one)\b[^\n]{0,80}\b(?:part|string|variable|segment) ?(?:2|b|two)\b|\b(?:combine|"
    r"concatenate|interlace|join|merge|put together)\b[^.!?\n]{0,30}\b(?:a,? b|parts?|strings?|"
    r"words?|letters?)\b"
    r"|\b(?:decode|decrypt|decipher)\b[^.!?\n]{0,50}\b(?:base ?64|caesar|rot ?13|morse|binary|hex|"
    r"cipher|string|message)\b|\b(?:in|to|as|using|into) (?:base ?64|rot ?13|pig latin|morse code|"
    r"hexadecimal|leet ?speak)\b",
    "hypothetical": r"\b(?:imagine|suppose|let's (?:say|imagine|pretend|assume)|pretend|in (?:a|this) (?:world|"
    r"scenario|hypothetical|fictional)|hypothetical(?:ly)?|assuming|if (?:you|i) were "
    r"to)\b[^\n]{0,200}"
    r"\b(?:password|user|tell me|personal|you (?:can|could|would|have no)|no (?:rules|laws|limits)|"
    r"without|what would|could you)\b",
    "tools": r"\b(?:execute|run|call|invoke|eval)\b[^.!?\n]{0,30}\b(?:system command|following command|"
    r"shell|os\.|subprocess|rm -rf|curl|sql|tool|function)\b|\b(?:send|forward|post|upload|"
    r"exfiltrate|e-?mail)\b[^.!?\n]{0,50}\b(?:conversation|chat history|contacts|inbox|all "
    r"(?:e-?mails|messages|files|data)|user'?s? data|credentials|to (?:https?:|attacker|"
    r"[\w.]{1,30}@))"
    r"|!\[[^\]\n]{0,60}\]\(https?://[^)\s]{0,120}[?=]",
    "notice": r"\b(?:note|message|attention|important|instructions?|warning|reminder|hey|dear|"
    r"hello)\b[^.!?\n]{0,20}\b(?:to|for)?\s?(?:the |any |all )?(?:ai|llms?|language models?|"
    r"chatbots?|assistants?|(?:chat)?gpt-?\d?|claude|agents?)\b"
    r"|\bif you(?: are|'re) (?:an? )?(?:ai|llm|language model|chatbot|assistant)\b|\b(?:ai|llm|"
    r"language model|chatbot|assistant)s? (?:reading|processing|summari[sz]ing|reviewing) this\b",
    "answer": r"\b(?:in|to|into|with|of|at the end of|throughout|within) (?:your|the) (?:repl(?:y|ies)|"
    r"responses?|answers?|outputs?|solution|explanation|code)\b"
    r"|\b(?:your|the) (?:repl(?:y|ies)|responses?|answers?|solution|"
    r"explanation)\b[^.!?\n]{0,40}\b(?:by (?:adding|mentioning|offering|including|recommending)|to "
    r"(?:include|highlight|mention|promote))\b",
    "verdict": r"\b(?:state|say|claim|answer|report|conclude|consider|assume|let's "
    r"say)\b[^.!?\n]{0,20}\bthe (?:output|answer|result|capital|value|solution|correct "
    r"\w{3,12})\b[^.!?\n]{0,20}\b(?:is|as|could be|equals)\b",
    "concealed": r"<!--[^>]{0,300}\b(?:ignore|instead|say|tell|you|please|forget|must|password)\b|"
    r"(?:display:\s?none|visibility:\s?hidden|font-size:\s?[01]p|color:\s?(?:white|#fff))|"
    r"\b(?:alt|title|content|caption)=['\"][^'\"]{0,200}\b(?:ignore|instead|say|tell|forget|"
    r"disregard)\b",
    "turned": r"\b(?:actually|instead|oh,? and|by the way|regardless of (?:the )?(?:previous|prior|above)|"
    r"on second thought|never ?mind)\b[^.!?\n]{0,60}\b(?:can you|could you|tell|give|provide|"
    r"say|where|what|who|translate|write)\b|\binstead\s?[?.!]?$|\bi know you(?:'re| are)? "
    r"(?:said|were told|not|aren't)\b",
    "code": r"\b(?:following|subsequent|this|below|next) (?:code|script|snippet)(?: (?:block|section|"
    r"snippet|segment|fragment))?\b[^.!?\n]{0,60}\b(?:in|into|to|as|of|with) (?:it|your|the)\b|"
    r"\b(?:embed|embedding|include|including|incorporate|incorporating|integrate|integrating|"
    r"insert|inserting|append|make)\b[^.!?\n]{0,40}\b(?:code|script|snippet)\b",
    "foreign": r"\b(?:ignorez?\b.{0,30}(?:instructions|consignes)|oublie[zr]?\b.{0,30}(?:instructions|"
    r"consignes|tout)|ignor(?:a|e|en|ar|iere|ieren sie|ieren)\b.{0,40}(?:instruc|anweisung|"
    r"istruzion|regeln|anterior|precedent|vorherig)|vergi(?:ss|ß|est|essen sie|"
    r"esst)\b.{0,40}(?:anweisung|regeln|alles)"
    r"|olvid[ae]\b.{0,30}(?:instruc|todo|anterior)|esque[cç]a\b.{0,30}(?:instru|tudo)|"
    r"dimentica\b.{0,30}(?:istruzion|tutto)|abaikan\b.{0,30}(?:instruksi|perintah|petunjuk)|"
    r"lupakan\b.{0,30}(?:instruksi|semua)|negeer\b.{0,30}instructies|zignoruj\b.{0,30}instrukcj|"
    r"[oö]nceki\b.{0,30}(?:talimat|y[oö]nerge)|bo qua\b.{0,30}(?:huong dan|chi thi)"
    r"|(?:passworte?|contrase[nñ]a|senha|mot de passe|kata sandi|parola|password|mat khau|"
    r"wachtwoord|has[lł]o|[sş]ifre)\b[^.\n]{0,60}\?|(?:sag|gib|nenne|dime|dame|dimmi|dammi|diga|"
    r"donne|dis|berikan|beritahu|geef|podaj|soyle)\b[^.\n]{0,40}(?:passwort|contrase[nñ]a|senha|mot "
    r"de passe|kata sandi|password|wachtwoord|haslo|sifre)\b)",
}
_PERSONAL = (
    r"\b(?:the )?user'?s? (?:current |full |favou?rite |home |first |last |e-?mail )?(?:initials?|"
    r"names?|birth ?(?:day|date|year)|address|city|residence"
    r"|colou?r|e-?mail|phone|location|password|age|account|number|pet|social security number)\b"
)
_RULES["person"] += "|" + _PERSONAL
_SCRIPTS = lazily.pattern(
    r"игнорируй.{0,40}(?:инструкц|указан)|забудь.{0,30}(?:инструкц|все|указан)|忽略.{0,12}(?:指令|指示|说明|"
    r"提示|上述|之前|以上)|無視して|指示を無視|忘れて|이전.{0,12}(?:지시|명령|지침)|무시하|निर्देशों.{0,20}(?:अनदेखी|अनदेखा|भूल)|"
    r"تجاهل.{0,30}(?:التعليمات|الأوامر)|αγνο[ηή]στε.{0,40}οδηγ"
    r"|(?:パスワード|密码|密碼|비밀번호|पासवर्ड|пароль|كلمة (?:المرور|السر)|পাসওয়ার্ড|รหัสผ่าน|"
    r"κωδικ[οό]ς)[^.\n]{0,30}[?？؟]|(?:告诉|说出|给我|教えて|알려|बता|скажи|назови|أخبر)[^.\n]{0,20}(?:パスワード|密码|"
    r"密碼|비밀번호|पासवर्ड|парол|كلمة)|(?:什么|多少).{0,6}密码|密码是(?:什么|多少)"
)
"""The same of languages in other scripts."""
_WEAK = frozenset({"forced", "code", "answer"})
"""Rules that many harmless tasks match as well: they do not count together."""
RULES = frozenset(_RULES)


@cache
def _rules() -> Rules:
    return Rules(_RULES)


@lru_cache(maxsize=64)
def signals(text: str, documents: str = "auto") -> Mapping[str, float]:
    """What speaks for an injection in a text as it is read, for the model: rules that match, and how many."""
    lowered = text.lower()
    found = dict.fromkeys(_rules().matching(lowered), 1.0)
    if not text.isascii() and _SCRIPTS.search(lowered):
        found["foreign"] = 1.0
    many = sum(name not in _WEAK for name in found)
    for name, least in (("two", 2), ("three", 3), ("five", 5)):
        if many >= least:
            found[name] = 1.0
    found["length"] = min(1.0, log1p(len(text) / 200) / 3)
    if documents == "always" or (documents == "auto" and is_document(text)):
        told, asked = strange_lines(text)
        found |= {name: 1.0 for name, there in (("document", True), ("told", told), ("asked", asked)) if there}
    return MappingProxyType(found)
