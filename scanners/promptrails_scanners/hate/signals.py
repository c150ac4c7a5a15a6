"""What speaks for abuse in a text: which kinds of words it has, at whom they are aimed, and whether they are quoted."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from functools import cache, lru_cache
from math import log1p
from string import ascii_uppercase
from types import MappingProxyType
from typing import NamedTuple

from promptrails_scanners.foundation import lazily
from promptrails_scanners.foundation.digests import by_digest
from promptrails_scanners.foundation.linear import words
from promptrails_scanners.foundation.rules import Rules
from promptrails_scanners.hate.words import KINDS

_YOU = r"\b(?:you|u|ur|your|you're|youre|yourself|ya|yall|y'all|thou)\b"
_THEM = r"\b(?:he|she|they|him|her|them|their|his|these|those|this|that|it)\b"
_COUNTER = (
    r"\b(?:no respect for (?:people|anyone|those)|how (?:can|dare|could) you (?:say|call|think)|"
    r"hurts? (?:to|when|me|that)|should not be called|(?:is|are|was) (?:so )?(?:hateful|hurtful|"
    r"racist|sexist|unacceptable)|"
    r"will get (?:you )?(?:banned|blocked|reported|arrested|thrown)|(?:you deserve|to be in|thrown "
    r"in) (?:jail|prison)|consequences for|never (?:say|said|condone|accept)|don'?t (?:say|call|"
    r"condone)|not okay|it'?s okay to (?:call|say)|stop (?:saying|calling)|"
    r"statements? like|messages? like|things like|people (?:who|like) (?:say|think|write|send|call)|"
    r"(?:obvious )?hate like|threats like|seriously (?:believe|think)|lost all respect|call(?:ed|"
    r"ing|s)? (?:me|us|someone|people|immigrants|them|her|him)|reported? (?:you|him|them)|proud|"
    r"condone|myth|stereotypes?|discriminat\w{2,5}|prejudice|bigotry|racism|sexism|hate speech)\b"
)
_NOT = (
    r"\b(?:(?:not|never|n't|nobody|no ?one|no) (?:\w+ ){0,2}(?:hate|kill|hurt|attack|murder|harm|insult|fear|despise|"
    r"be (?:killed|attacked|harmed|hurt|banned|treated|mistreated|denied|ashamed|afraid)|(?:a |an )?(?:idiot|problem|"
    r"burden|threat|criminals?|terrorists?|inferior|stupid|lazy|dangerous|disgusting|worthless|subhuman))|"
    r"would never|no (?:hate|harm|problem|issue)|nothing (?:wrong|against|to be ashamed))\b"
)
_QUOTE = lazily.pattern(r"[\"\u201c\u00ab][^\"\u201d\u00bb]{3,200}[\"\u201d\u00bb]")
_AIMED = (
    r"\b(?:you|u|ur|your|you're|youre|he|she|they|they're|he's|she's|them|him|her|these|those|"
    r"people|guy|man|woman|men|women|all)\b[\w' ,]{0,25}?"
    r"\b(?:are|is|r|'re|a|an|such|act like|nothing but|being|bunch of|fucking|stupid|little|piece "
    r"of|just|like|complete|absolute|total|so|ugly|dirty)\b"
)
_THREAT = (
    r"\b(?:i(?:'ll| will|'m going to| am going to|'m gonna| want to|'d like to| would| hope)|we "
    r"(?:should|will|must|need to)|(?:should|must|deserves?|needs?|ought)(?: all)?(?: to)?(?: be)?|"
    r"going to|gonna|someone should|let's|just|hope (?:you|they|he|"
    r"she))\b[^.!?\n]{0,30}"
    r"\b(?:kill|killed|die|dead|murder\w{0,3}|slaughter|shoot|shot|hang|hanged|lynch\w{0,3}|"
    r"burn\w{0,2}|rape\w{0,1}|behead\w{0,3}|execut\w{1,3}|exterminated?|eradicated?|gassed|"
    r"drown\w{0,2}|beat|punch|slap|smash|hurt|suffer|bomb\w{0,2}|cut|snap|deported?|castrated|"
    r"destroyed|wiped|stab\w{0,4}|choke|strangle)\b|\bdeath to\b|\bkill (?:your|them|him|her|"
    r"him)s?e?l?f?\b|\bgo (?:die|kill|hang)\b|\bdrop dead\b|\bkys\b"
)
_ORDER = (
    r"\b(?:shut (?:the \w{2,8} )?up|stfu|fuck (?:you|off|u|this|them|him|her|the|all)|f u|screw you|"
    r"go (?:to hell|back to)|kiss my|suck (?:my|a|it)|get (?:lost|a life|fucked|the fuck)|eat shit|"
    r"piss off|grow up|crawl back|up your|your mom|your mother|rot in)\b"
)
_MASKED = r"\b(?:f|s|b|c|a)[*#@$%&!^+-]{2,6}\b|\b[fs]\s?-\s(?=\w)|\bs\.?o\.?b\b"
_BEGUN = "|".join(rf"(?<=\b[a-z]{{{size}}}.)" for size in range(1, 6))
_SIGNS = lazily.pattern(
    rf"[*#@$%&!^+](?:(?:{_BEGUN})[*#@$%&!^+]{{0,5}}[a-z]{{1,6}}\b|(?<=[@#$%&*!])[@#$%&*!]{{3}})", re.DOTALL
)
"""Words that signs stand in, and signs in a row; it begins with the first sign, for there are fewer of those."""
_FUSED = lazily.pattern(
    r"\w{1,12}(?:tards?|fuck\w{0,5}|fuks?|craps?|shit\w{0,3}|scum|ass|whore|bitch|idiots?|diot|hole|cunt\w{0,4})"
)
"""Abuse that another word was put before, such as a name."""
_FUSED_ENDINGS = (
    "tard", "tards", "fuk", "fuks", "crap", "craps", "scum", "ass", "whore", "bitch", "idiot", "idiots", "diot", "hole",
)  # fmt: skip
_ONLY_ENDINGS = (
    "amass bass brass bypass canvass carcass class compass crass cuirass eyeglass fiberglass glass grass harass "
    "hourglass lass mass morass outclass overpass pass sass spyglass subclass superclass surpass trespass "
    "underpass wineglass world-class blackhole buttonhole foxhole keyhole loophole manhole peephole pinhole porthole "
    "pothole sinkhole whole wormhole custard mustard leotard dotard petard scrap scraps"
)
_WHOLE = frozenset(_ONLY_ENDINGS.split())
"""Words that only end like that."""
_TYPICAL = (
    r"\b(?:typical|that'?s \w+ for you|what do you expect|what a|these kind of|bunch of|piece of|"
    r"full of|no better than|nothing but|such an?|as dumb as|wtf|how stupid|too stupid|brain|lock "
    r"(?:him|her|them) up|no wonder|worst)\b"
)
_GENERAL = (
    r"\b(?:all|every|no|most|any|only|typical|always|never|those|these|you|such|many|more|too many|"
    r"pretty much all|none of)\b[\w' ]{0,30}|\b(?:are|is) (?:all|just|always|never|naturally|"
    r"basically|nothing|only|so|not|the|a|an|inherently|born|known)\b|\b(?:should(?:n't| not)?|"
    r"can'?t|cannot|don'?t|will never|would never|must|belongs?|need to be)\b"
)


@cache
def _rules() -> Rules:
    return Rules(
        {
            "you": _YOU,
            "them": _THEM,
            "counter": _COUNTER,
            "denied": _NOT,
            "aimed": _AIMED,
            "threat": _THREAT,
            "order": _ORDER,
            "general": _GENERAL,
            "masked": _MASKED,
            "typical": _TYPICAL,
        }
    )


class _Kinds(NamedTuple):
    """The kinds of words, and of beginnings of words."""

    whole: Mapping[str, frozenset[str]]
    begun: Mapping[str, Sequence[tuple[str, frozenset[str]]]]
    """The beginnings by their first characters, for most words have not even these."""
    least: int
    """How many characters that is: as many as the shortest beginning has."""


@cache
def _kinds() -> _Kinds:
    whole, begins = defaultdict[str, set[str]](set), defaultdict[str, set[str]](set)
    for kind, listed in KINDS.items():
        for word in listed.split():
            (begins[word[:-1]] if word.endswith("*") else whole[word]).add(kind)
    least = min(map(len, begins))
    begun = defaultdict[str, list[tuple[str, frozenset[str]]]](list)
    for beginning, kinds in begins.items():
        begun[beginning[:least]].append((beginning, frozenset(kinds)))
    return _Kinds({word: frozenset(kinds) for word, kinds in whole.items()}, dict(begun), least)


_NO_KINDS: frozenset[str] = frozenset()
_FUSED_KIND = frozenset({"fused"})


@lru_cache(maxsize=8192)
def kinds_of(word: str) -> frozenset[str]:
    """The kinds that a word in lower case belongs to."""
    whole, begun, least = _kinds()
    found = whole.get(word, _NO_KINDS)
    for beginning, kinds in begun.get(word[:least], ()):
        if word.startswith(beginning):
            found |= kinds
    if _may_be_fused(word) and word not in _WHOLE and _FUSED.fullmatch(word):
        found |= _FUSED_KIND
    return found if found else _NO_KINDS


def _may_be_fused(word: str) -> bool:
    """False for most words, for less than the pattern takes."""
    return word.endswith(_FUSED_ENDINGS) or "fuck" in word or "shit" in word or "cunt" in word


@lru_cache(maxsize=64)
def said(text: str) -> frozenset[str]:
    """The kinds of the words of a text as it is read."""
    plain = words(text) if "\u2019" not in text else [word.replace("\u2019", "'") for word in words(text)]
    return frozenset[str]().union(*map(kinds_of, set(plain)))


def words_of(text: str, kinds: Collection[str]) -> list[str]:
    """The distinct words of a text, in lower case, that belong to one of these kinds."""
    ours = dict.fromkeys(words(text))
    if "\u2019" not in text:
        return [word for word in ours if not kinds_of(word).isdisjoint(kinds)]
    return [word for word in ours if not kinds_of(word.replace("\u2019", "'")).isdisjoint(kinds)]


def ruled(text: str, *names: str) -> bool:
    """Whether one of these rules matches; what `signals` says of them, for less."""
    lowered = _lowered(text)
    return _some_rules(*names).any(lowered) or ("masked" in names and _has_signs(lowered))


@cache
def _some_rules(*names: str) -> Rules:
    return _rules().only(*names)


def _lowered(text: str) -> str:
    return text.lower().replace("\u2019", "'")


def _has_signs(lowered: str) -> bool:
    return _SIGNS.search(lowered) is not None


@lru_cache(maxsize=64)
def signals(text: str) -> Mapping[str, float]:
    """Kinds of words in a text as it is read, and how they go together."""
    found = dict.fromkeys(map(_NAMES.__getitem__, _told(text)), 1.0)
    found["length"] = min(1.0, log1p(len(text) / 100) / 3)
    return MappingProxyType(found)


@by_digest
def _told(text: str) -> bytes:
    """The signals but the length: the number of the name of each."""
    lowered = _lowered(text)
    found = {*said(text), *_rules().matching(lowered)}
    if _QUOTE.search(lowered):
        found.add("quote")
    if _has_signs(lowered):
        found.add("masked")
    found.update([both for one, other, both in _BOTH if one in found and other in found])
    if not found.isdisjoint(_ABUSE):
        found.add("abuse")
    capitals = _capitals(text)
    if capitals > 12 and capitals > 0.6 * sum(map(str.isalpha, text)):
        found.add("shouted")
    return bytes(sorted(map(_NUMBERS.__getitem__, found)))


def _capitals(text: str) -> int:
    data = text.encode("utf-8", "surrogatepass")
    many = len(data) - len(data.translate(None, _CAPITALS))
    if text.isascii():
        return many
    return many + sum(map(str.isupper, data.translate(None, _ASCII).decode("utf-8", "surrogatepass")))


_ASCII = bytes(range(128))
_CAPITALS = ascii_uppercase.encode()
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
    ("scorn", "politics"),
    ("scorn", "you"),
    ("scorn", "them"),
    ("scorn", "aimed"),
    ("insult", "politics"),
    ("obscene", "politics"),
    ("typical", "insult"),
    ("typical", "scorn"),
    ("typical", "group"),
    ("trait", "group"),
    ("trait", "general"),
    ("denied", "group"),
    ("praise", "group"),
    ("praise", "you"),
    ("praise", "obscene"),
    ("street", "obscene"),
)
_BOTH = tuple((one, other, f"{one} and {other}") for one, other in _TOGETHER)
_ABUSE = ("slur", "insult", "obscene")
_RULED = ("you", "them", "counter", "denied", "aimed", "threat", "order", "general", "masked", "typical")
_NAMES = (*KINDS, "fused", *_RULED, "quote", *(both for _, _, both in _BOTH), "abuse", "shouted")
"""The signals but the length."""
_NUMBERS = {name: number for number, name in enumerate(_NAMES)}
