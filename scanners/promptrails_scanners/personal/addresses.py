"""Addresses that are told by their form: boxes, units of the military post, streets with a word for street, codes."""

from __future__ import annotations

import re
from collections.abc import Iterator

from promptrails_scanners.foundation import lazily
from promptrails_scanners.personal.rules import Hit, near, words

_STREETS = (
    "street|str|st|avenue|ave|road|rd|boulevard|blvd|lane|ln|drive|dr|court|ct|circle|cir|way|place|pl|square|sq|terrace|"
    "trail|parkway|pkwy|highway|hwy|crescent|close|alley|row"
)
# Where a pattern begins with a digit and looks back from it, the search skips to digits.
_STREET = lazily.pattern(
    rf"\d(?<![\w.$€£/-]\d)\d{{0,4}}[A-Za-z]?,? (?:[NSEW]\.? )?(?:[A-Z][\w'’-]{{1,24}} ){{1,3}}(?i:{_STREETS})\b\.?"
    r"(?:,? (?i:apt|apartment|suite|ste|unit|#)\.? ?\w{1,6})?"
)
_LOWER = lazily.pattern(
    r"\d(?<![\w.$€£/-]\d)\d{0,4} (?:[^\W\d_]{2,24} ){1,3}(?:street|avenue|road|boulevard|lane|terrace)\b",
    re.IGNORECASE,
)
_BOX = lazily.pattern(
    r"(?<!\w)(?:p\.? ?o\.? ?box|postfach|apartado(?: de correos)?|bo[iî]te postale|casella postale) \d{1,6}(?!\w)"
    r"|(?<!\w)(?:PSC|CMR|Unit) \d{1,5},? Box \d{1,5}(?:[\s,]{1,3}[AFD]PO,? A[AEP] \d{5})?"
    r"|(?<!\w)(?:USNS|USS|USNV|USCGC) [A-Z][a-z]{2,24}[\s,]{1,3}FPO,? A[AEP] \d{5}(?!\w)",
    re.IGNORECASE,
)
_CODE = lazily.pattern(
    r"(?<![\w.,$€£-])(?:\d{5}(?:-\d{4})?|\d{4} ?[A-Z]{2}|\d{4}|\d{6}|"
    r"\d{2}-\d{3}|\d{3} \d{2}|[A-Z]\d[A-Z] ?\d[A-Z]\d)(?![\w-]|[.,]\d)"
)
_BOXES = ("box", "tfach", "apart", "ale", "fpo")
_CODE_WORDS = r"zip ?codes?|post(?:al)? ?codes?|plz|postleitzahl|c[oó]digo postal|code postal"
_LONG_CODE_WORDS = rf"{_CODE_WORDS}|zip|(?-i:CAP)"
"""Words beside which a number counts that is longer than a year: zip and cap mean other things as well."""


def _boxed(text: str) -> bool:
    lower = text.lower()
    return any(word in lower for word in _BOXES)


def addresses(text: str) -> Iterator[Hit]:
    """The places, each with how sure it is."""
    for match in _STREET.finditer(text):
        yield Hit(match.start(), match.end(), "ADDRESS", 0.8)
    for match in _LOWER.finditer(text):
        yield Hit(match.start(), match.end(), "ADDRESS", 0.6)
    for match in _BOX.finditer(text) if _boxed(text) else ():
        yield Hit(match.start(), match.end(), "ADDRESS", 0.9)
    for match in _CODE.finditer(text) if words(_LONG_CODE_WORDS).search(text) else ():
        said = _LONG_CODE_WORDS if len(match[0]) > 4 else _CODE_WORDS
        if near(text, match.start(), match.end(), said, 24, 0):
            yield Hit(match.start(), match.end(), "ADDRESS", 0.8)
