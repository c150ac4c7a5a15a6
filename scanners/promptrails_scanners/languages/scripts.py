"""Scripts, the languages that are written in them, and which languages are too near to be told apart.

Languages are named by their codes of ISO 639-1.
"""

from __future__ import annotations

from bisect import bisect_right

_RANGES: tuple[tuple[int, int, str], ...] = (
    (0x41, 0x250, "latin"),
    (0x250, 0x300, "latin"),
    (0x370, 0x400, "greek"),
    (0x400, 0x530, "cyrillic"),
    (0x530, 0x590, "armenian"),
    (0x590, 0x600, "hebrew"),
    (0x600, 0x700, "arabic"),
    (0x750, 0x780, "arabic"),
    (0x8A0, 0x900, "arabic"),
    (0x900, 0x980, "devanagari"),
    (0x980, 0xA00, "bengali"),
    (0xA00, 0xA80, "gurmukhi"),
    (0xA80, 0xB00, "gujarati"),
    (0xB00, 0xB80, "oriya"),
    (0xB80, 0xC00, "tamil"),
    (0xC00, 0xC80, "telugu"),
    (0xC80, 0xD00, "kannada"),
    (0xD00, 0xD80, "malayalam"),
    (0xD80, 0xE00, "sinhala"),
    (0xE00, 0xE80, "thai"),
    (0xE80, 0xF00, "lao"),
    (0xF00, 0x1000, "tibetan"),
    (0x1000, 0x10A0, "myanmar"),
    (0x10A0, 0x1100, "georgian"),
    (0x1100, 0x1200, "hangul"),
    (0x1200, 0x13A0, "ethiopic"),
    (0x1780, 0x1800, "khmer"),
    (0x1C80, 0x1C90, "cyrillic"),
    (0x1C90, 0x1CC0, "georgian"),
    (0x1D00, 0x1F00, "latin"),
    (0x1F00, 0x2000, "greek"),
    (0x3005, 0x3008, "han"),
    (0x3040, 0x3100, "kana"),
    (0x3130, 0x3190, "hangul"),
    (0x31F0, 0x3200, "kana"),
    (0x3400, 0xA000, "han"),
    (0xA640, 0xA6A0, "cyrillic"),
    (0xA720, 0xA800, "latin"),
    (0xAC00, 0xD800, "hangul"),
    (0xF900, 0xFB00, "han"),
    (0xFB50, 0xFE00, "arabic"),
    (0xFE70, 0xFEFF, "arabic"),
    (0xFF66, 0xFFA0, "kana"),
    (0x20000, 0x33480, "han"),
)
_LOWS = [low for low, _, _ in _RANGES]

ONE_LANGUAGE: dict[str, str] = {
    "greek": "el",
    "armenian": "hy",
    "hebrew": "he",
    "bengali": "bn",
    "gurmukhi": "pa",
    "gujarati": "gu",
    "oriya": "or",
    "tamil": "ta",
    "telugu": "te",
    "kannada": "kn",
    "malayalam": "ml",
    "sinhala": "si",
    "thai": "th",
    "lao": "lo",
    "tibetan": "bo",
    "myanmar": "my",
    "georgian": "ka",
    "hangul": "ko",
    "ethiopic": "am",
    "khmer": "km",
    "han": "zh",
    "kana": "ja",
}
"""Scripts that settle the language, as far as the languages known here go."""


def _codes(names: str) -> tuple[str, ...]:
    return tuple(names.split())


MODELLED: dict[str, tuple[str, ...]] = {
    "latin": _codes(
        "af az bs ca cs cy da de en eo es et eu fi fr ga hr hu id is it la lg lt lv mi ms nb nl nn pl pt ro sk sl sn so"
        " sq st sv sw tl tn tr ts vi xh yo zu"
    ),
    "cyrillic": _codes("be bg kk mk mn ru sr uk"),
    "arabic": _codes("ar fa ur"),
    "devanagari": _codes("hi mr"),
}
"""Scripts of several languages, which are told apart by their letters."""

LANGUAGES = frozenset(ONE_LANGUAGE.values()) | {language for group in MODELLED.values() for language in group}

COMMON = frozenset(
    {"cs", "da", "de", "en", "es", "fr", "hu", "id", "it", "nl", "pl", "pt", "ro", "ru", "sv", "tr", "vi"}
)
"""Languages in which much is written, as counts of web pages have it."""

ALIASES = {"no": "nb", "nob": "nb", "nno": "nn", "iw": "he", "in": "id", "fil": "tl", "yue": "zh", "cmn": "zh"}
"""Other codes, and codes of old, of languages that are known here."""

_RELATIVES = (
    frozenset({"da", "nb", "nn"}),
    frozenset({"sr", "hr", "bs"}),
    frozenset({"id", "ms"}),
    frozenset({"xh", "zu"}),
    frozenset({"st", "tn"}),
)


def relatives(language: str) -> frozenset[str]:
    """The languages that are counted as one with it."""
    return next((group for group in _RELATIVES if language in group), frozenset({language}))


def script_of(char: str) -> str:
    """The script of a letter; "" for others."""
    if "a" <= char <= "z":
        return "latin"
    code = ord(char)
    at = bisect_right(_LOWS, code) - 1
    return _RANGES[at][2] if at >= 0 and code < _RANGES[at][1] else ""
