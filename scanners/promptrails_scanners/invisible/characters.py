"""What kind of hidden character each code point is, and the scripts in which some of them are spelling.

After the Unicode Character Database: Default_Ignorable_Code_Point, Bidi_Class, Joining_Type, Extended_Pictographic.
Which code points are assigned is read from a table of one version of Unicode, so that it is the same on every Python.
"""

from __future__ import annotations

from bisect import bisect_right
from functools import lru_cache
from importlib.resources import files
from typing import Literal, get_args

from promptrails_scanners.foundation.once import once

Kind = Literal[
    "tags",
    "zero_width",
    "bidi",
    "variation_selectors",
    "private_use",
    "unassigned",
    "soft_hyphen",
    "fillers",
    "invisible_operators",
    "combining_floods",
    "controls",
]
KINDS: tuple[Kind, ...] = get_args(Kind)

ZWSP, ZWNJ, ZWJ, BOM = "\u200b", "\u200c", "\u200d", "\ufeff"
BRAILLE_BLANK = "\u2800"
MARKS = "\u0300-\u036f\u0483-\u0489\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f"
"""Combining marks that are set on letters of scripts which are read without them."""

_KINDS: tuple[tuple[int, int, Kind], ...] = (
    (0x00, 0x09, "controls"),
    (0x0B, 0x0D, "controls"),
    (0x0E, 0x20, "controls"),
    (0x7F, 0xA0, "controls"),
    (0xAD, 0xAE, "soft_hyphen"),
    (0x34F, 0x350, "zero_width"),
    (0x61C, 0x61D, "bidi"),
    (0x115F, 0x1161, "fillers"),
    (0x17B4, 0x17B6, "fillers"),
    (0x180B, 0x180E, "variation_selectors"),
    (0x180E, 0x180F, "zero_width"),
    (0x180F, 0x1810, "variation_selectors"),
    (0x200B, 0x200E, "zero_width"),
    (0x200E, 0x2010, "bidi"),
    (0x202A, 0x202F, "bidi"),
    (0x2060, 0x2061, "zero_width"),
    (0x2061, 0x2065, "invisible_operators"),
    (0x2065, 0x2066, "unassigned"),
    (0x2066, 0x206A, "bidi"),
    (0x206A, 0x2070, "zero_width"),
    (0x2800, 0x2801, "fillers"),
    (0x3164, 0x3165, "fillers"),
    (0xE000, 0xF900, "private_use"),
    (0xFE00, 0xFE10, "variation_selectors"),
    (0xFEFF, 0xFF00, "zero_width"),
    (0xFFA0, 0xFFA1, "fillers"),
    (0xFFF9, 0xFFFC, "zero_width"),
    (0x1D173, 0x1D17B, "zero_width"),
    (0xE0000, 0xE0080, "tags"),
    (0xE0100, 0xE01F0, "variation_selectors"),
    (0xF0000, 0xFFFFE, "private_use"),
    (0x100000, 0x10FFFE, "private_use"),
)
_LOWS = [low for low, _, _ in _KINDS]

_PICTURES = (
    (0xA9, 0xAA),
    (0xAE, 0xAF),
    (0x203C, 0x203D),
    (0x2049, 0x204A),
    (0x2122, 0x2123),
    (0x2139, 0x213A),
    (0x2190, 0x2200),
    (0x2300, 0x2400),
    (0x24C2, 0x24C3),
    (0x25A0, 0x27C0),
    (0x2934, 0x2936),
    (0x2B00, 0x2B60),
    (0x3030, 0x3031),
    (0x303D, 0x303E),
    (0x3297, 0x329A),
    (0x1F000, 0x1FB00),
    (0x1FC00, 0x1FFFE),
)
"""Emoji, and the blocks that are kept for those to come."""

SCRIPTS: dict[str, tuple[tuple[int, int], ...]] = {
    "adlam": ((0x1E900, 0x1E960),),
    "arabic": ((0x600, 0x700), (0x750, 0x780), (0x870, 0x900), (0xFB50, 0xFE00), (0xFE70, 0xFEFF), (0x1EE00, 0x1EF00)),
    "balinese": ((0x1B00, 0x1B80),),
    "bengali": ((0x980, 0xA00),),
    "brahmic": ((0x11000, 0x11B00), (0xA800, 0xA840), (0xA880, 0xA8E0)),
    "devanagari": ((0x900, 0x980), (0xA8E0, 0xA900), (0x1CD0, 0x1D00)),
    "gujarati": ((0xA80, 0xB00),),
    "gurmukhi": ((0xA00, 0xA80),),
    "han": ((0x2E80, 0x3000), (0x3005, 0x3008), (0x3400, 0xA000), (0xF900, 0xFB00), (0x20000, 0x33480)),
    "hangul": ((0x1100, 0x1200), (0x3130, 0x3190), (0xA960, 0xA980), (0xAC00, 0xD800)),
    "hebrew": ((0x590, 0x600), (0xFB1D, 0xFB50)),
    "javanese": ((0xA980, 0xA9E0),),
    "kana": ((0x3040, 0x3100), (0x31F0, 0x3200), (0xFF66, 0xFFA0)),
    "kannada": ((0xC80, 0xD00),),
    "khmer": ((0x1780, 0x1800), (0x19E0, 0x1A00)),
    "lao": ((0xE80, 0xF00),),
    "malayalam": ((0xD00, 0xD80),),
    "mandaic": ((0x840, 0x860),),
    "mongolian": ((0x1800, 0x18B0), (0x11660, 0x11680)),
    "myanmar": ((0x1000, 0x10A0), (0xA9E0, 0xAA00), (0xAA60, 0xAA80)),
    "nko": ((0x7C0, 0x800),),
    "oriya": ((0xB00, 0xB80),),
    "phags_pa": ((0xA840, 0xA880),),
    "sinhala": ((0xD80, 0xE00),),
    "syriac": ((0x700, 0x750), (0x860, 0x870)),
    "tamil": ((0xB80, 0xC00),),
    "telugu": ((0xC00, 0xC80),),
    "thaana": ((0x780, 0x7C0),),
    "thai": ((0xE00, 0xE80),),
    "tibetan": ((0xF00, 0x1000),),
}
"""Scripts in which some characters that cannot be seen have their use."""

UNSPACED = frozenset({"balinese", "han", "javanese", "kana", "khmer", "lao", "myanmar", "thai", "tibetan"})
"""They put no space between words; a zero-width one says where a line may break."""
RIGHT_TO_LEFT = frozenset({"adlam", "arabic", "hebrew", "mandaic", "nko", "syriac", "thaana"})
JOINING = frozenset(SCRIPTS) - {"han", "hangul", "hebrew", "kana", "lao", "thaana", "thai"}
"""Their letters join, and a joiner or a non-joiner is spelling."""


@lru_cache(maxsize=65536)
def kind_of(char: str) -> Kind | None:
    """What kind of hidden character it is; None for one that is seen."""
    code = ord(char)
    at = bisect_right(_LOWS, code) - 1
    if at >= 0 and code < _KINDS[at][1]:
        return _KINDS[at][2]
    bounds = unassigned()
    return "unassigned" if bisect_right(bounds, code) % 2 and not is_picture(char) else None


@once
def unassigned() -> tuple[int, ...]:
    """The bounds of the ranges of code points to which nothing is assigned: where one begins, where it ends, and so on.

    They are those of one version of Unicode, whatever the version of Python.
    """
    table = files("promptrails_scanners.invisible").joinpath("unassigned.txt").read_text(encoding="ascii")
    numbers = " ".join(line for line in table.splitlines() if not line.startswith("#")).split()
    bounds: list[int] = []
    last = 0
    for number in numbers:
        last += int(number, 36)
        bounds.append(last)
    return tuple(bounds)


@lru_cache(maxsize=4096)
def is_picture(char: str) -> bool:
    """Whether it is an emoji or may become one."""
    code = ord(char)
    return any(low <= code < high for low, high in _PICTURES)


@lru_cache(maxsize=8192)
def script_of(char: str) -> str | None:
    """Which of the scripts above it is written in."""
    code = ord(char)
    if code < 0x590:
        return None
    for name, ranges in SCRIPTS.items():
        if any(low <= code < high for low, high in ranges):
            return name
    return "hebrew" if 0x10800 <= code < 0x11000 or 0x1E800 <= code < 0x1F000 else None
