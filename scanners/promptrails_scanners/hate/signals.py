"""What speaks for abuse in a text: which kinds of words it has, at whom they are aimed, and whether they are quoted."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from math import log1p

from promptrails_scanners.foundation.linear import words
from promptrails_scanners.hate.words import KINDS

_YOU = re.compile(r"\b(?:you|u|ur|your|you're|youre|yourself|ya|yall|y'all|thou)\b")
_THEM = re.compile(r"\b(?:he|she|they|him|her|them|their|his|these|those|this|that|it)\b")
_COUNTER = re.compile(
    r"\b(?:no respect for (?:people|anyone|those)|how (?:can|dare|could) you (?:say|call|think)|hurts? (?:to|when|me|that)|should not be called|(?:is|are|was) (?:so )?(?:hateful|hurtful|racist|sexist|unacceptable|vile things)|"
    r"will get (?:you )?(?:banned|blocked|reported|arrested|thrown)|(?:you deserve|to be in|thrown in) (?:jail|prison)|consequences for|never (?:say|said|condone|accept)|don'?t (?:say|call|condone)|not okay|it'?s okay to (?:call|say)|stop (?:saying|calling)|"
    r"statements? like|messages? like|things like|people (?:who|like) (?:say|think|write|send|call)|(?:obvious )?hate like|threats like|seriously (?:believe|think)|lost all respect|call(?:ed|ing|s)? (?:me|us|someone|people|immigrants|them|her|him)|reported? (?:you|him|them)|proud|condone|myth|stereotypes?|discriminat\w{2,5}|prejudice|bigotry|racism|sexism|hate speech)\b"
)
_QUOTE = re.compile(r"[\"\u201c\u00ab][^\"\u201d\u00bb]{3,200}[\"\u201d\u00bb]")
_AIMED = re.compile(
    r"\b(?:you|u|ur|your|you're|youre|he|she|they|they're|he's|she's|them|him|her|these|those|people|guy|man|woman|men|women|all)\b[\w' ,]{0,25}?"
    r"\b(?:are|is|r|'re|a|an|such|act like|nothing but|being|bunch of|fucking|stupid|little|piece of|just|like|complete|absolute|total|so|ugly|dirty)\b"
)
_THREAT = re.compile(
    r"\b(?:i(?:'ll| will|'m going to| am going to|'m gonna| want to|'d like to| would| hope)|we (?:should|will|must|need to)|(?:should|must|deserves?|needs?|ought)(?: all)?(?: to)?(?: be)?|going to|gonna|someone should|let's|just|everybody's interest to|hope (?:you|they|he|she))\b[^.!?\n]{0,30}"
    r"\b(?:kill|killed|die|dead|murder\w{0,3}|murdr|slaughter|shoot|shot|hang|hanged|lynch\w{0,3}|burn\w{0,2}|rape\w{0,1}|behead\w{0,3}|execut\w{1,3}|exterminated?|eradicated?|gassed|drown\w{0,2}|beat|punch|slap|smash|hurt|suffer|bomb\w{0,2}|cut|snap|deported?|castrated|destroyed|wiped|stab\w{0,4}|choke|strangle)\b|\bdeath to\b|\bkill (?:your|them|him|her|him)s?e?l?f?\b|\bgo (?:die|kill|hang)\b|\bdrop dead\b|\bkys\b"
)
_ORDER = re.compile(r"\b(?:shut (?:the \w{2,8} )?up|stfu|fuck (?:you|off|u|this|them|him|her|the|all)|f u|screw you|go (?:to hell|back to)|kiss my|suck (?:my|a|it)|get (?:lost|a life|fucked|the fuck)|eat shit|piss off|grow up|crawl back|up your|your mom|your mother|rot in)\b")
_GENERAL = re.compile(
    r"\b(?:all|every|no|most|any|only|typical|always|never|those|these|you|such|many|more|too many|pretty much all|none of)\b[\w' ]{0,30}|\b(?:are|is) (?:all|just|always|never|naturally|basically|nothing|only|so|not|the|a|an|inherently|born|known)\b|\b(?:should(?:n't| not)?|can'?t|cannot|don'?t|will never|would never|must|belongs?|need to be)\b"
)


@cache
def kinds() -> Mapping[str, tuple[frozenset[str], tuple[str, ...]]]:
    """Each kind as its words, and the beginnings of words that belong to it."""
    made: dict[str, tuple[frozenset[str], tuple[str, ...]]] = {}
    for kind, listed in KINDS.items():
        ours = listed.split()
        made[kind] = (
            frozenset(word for word in ours if not word.endswith("*")),
            tuple(word[:-1] for word in ours if word.endswith("*")),
        )
    return made


def of_kind(kind: str, word: str) -> bool:
    """Whether a word in lower case belongs to a kind."""
    whole, begins = kinds()[kind]
    return word in whole or word.startswith(begins)


def signals(text: str) -> dict[str, float]:
    """Kinds of words in a text as it is read, and how they go together."""
    lowered = text.lower().replace("\u2019", "'")
    said = set(words(lowered))
    found = {kind: min(1.0, many / 2 + 0.5) for kind in KINDS if (many := sum(of_kind(kind, word) for word in said))}
    marks = {"you": _YOU, "them": _THEM, "counter": _COUNTER, "quote": _QUOTE, "aimed": _AIMED, "threat": _THREAT, "order": _ORDER, "general": _GENERAL}
    found |= {name: 1.0 for name, mark in marks.items() if mark.search(lowered)}
    found |= {f"{one} and {other}": 1.0 for one, other in _TOGETHER if one in found and other in found}
    if any(found.get(kind) for kind in ("slur", "insult", "obscene")):
        found["abuse"] = 1.0
    found["length"] = min(1.0, log1p(len(text) / 100) / 3)
    return found


_TOGETHER = (
    ("insult", "you"),
    ("insult", "aimed"),
    ("insult", "group"),
    ("insult", "quote"),
    ("insult", "them"),
    ("obscene", "you"),
    ("obscene", "insult"),
    ("obscene", "group"),
    ("slur", "quote"),
    ("slur", "you"),
    ("slur", "aimed"),
    ("hate", "group"),
    ("violent", "group"),
    ("threat", "group"),
    ("threat", "you"),
    ("threat", "them"),
    ("worse", "group"),
    ("worse", "general"),
    ("group", "general"),
    ("group", "counter"),
    ("insult", "counter"),
    ("slur", "counter"),
    ("worse", "counter"),
    ("group", "quote"),
)
