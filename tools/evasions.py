"""Ways to write a text so that readers still read it and patterns do not: for training rows and tables of recall."""

from __future__ import annotations

# ruff: noqa: RUF001 - the letters are meant to look alike
import base64
import random
from collections.abc import Callable, Mapping

_CYRILLIC = str.maketrans("aeopcxyiABEKMHOPCTX", "аеорсхуіАВЕКМНОРСТХ")
_LEET = str.maketrans("aeiostAEIOST", "431057431057")


def _homoglyphs(text: str) -> str:
    """Every second letter that has a Cyrillic twin."""
    return "".join(char.translate(_CYRILLIC) if at % 2 else char for at, char in enumerate(text))


def _zero_width(text: str) -> str:
    return "\u200b".join(text)


def _leet(text: str) -> str:
    return text.translate(_LEET)


def _spaced(text: str) -> str:
    """Letters apart, words by two spaces."""
    return "  ".join(" ".join(word) for word in text.split())


def _full_width(text: str) -> str:
    return "".join(chr(ord(char) + 0xFEE0) if "!" <= char <= "~" else char for char in text)


def _base64(text: str) -> str:
    return "Please see: " + base64.b64encode(text.encode()).decode()


def _tags(text: str) -> str:
    return "Hello there. " + "".join(chr(0xE0000 + ord(char)) if " " <= char <= "~" else char for char in text)


def _diacritics(text: str) -> str:
    """A mark on every second letter."""
    return "".join(char + ("\u0301" if at % 2 and char.isalpha() else "") for at, char in enumerate(text))


def _misspelled(text: str) -> str:
    """Two letters change places in every third longer word."""
    words = text.split(" ")
    for at in range(0, len(words), 3):
        if len(words[at]) > 4:
            word = words[at]
            words[at] = word[:2] + word[3] + word[2] + word[4:]
    return " ".join(words)


TRICKS: Mapping[str, Callable[[str], str]] = {
    "homoglyphs": _homoglyphs,
    "zero width": _zero_width,
    "leet": _leet,
    "spaced": _spaced,
    "full width": _full_width,
    "base64": _base64,
    "tags": _tags,
    "diacritics": _diacritics,
    "misspelled": _misspelled,
}


def any_trick(text: str, seed: int) -> str:
    """The text with one trick that leaves its words in place."""
    name = random.Random(seed).choice(["leet", "homoglyphs", "spaced", "misspelled", "diacritics"])
    return TRICKS[name](text)
