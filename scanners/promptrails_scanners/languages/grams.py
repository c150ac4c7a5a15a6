"""The runs of letters that a word is made of."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterator
from functools import cache
from operator import itemgetter

from promptrails_scanners.foundation import lazily

LONGEST = 5
MOST_LETTERS = 24
_AT_ONCE = 1 << 16
_EAST_ASIAN = r"\u3005-\u3007\u3040-\u30ff\u31f0-\u31ff\u3400-\u9fff\uf900-\ufaff\uff66-\uff9f\U00020000-\U0003347f"
_ASCII_WORD = lazily.pattern(r"[a-z]+")
_WORD = lazily.pattern(r"[^\W\d_]+")
_CUT = lazily.pattern(rf"[{_EAST_ASIAN}]+|[^{_EAST_ASIAN}]+")
_IS_EAST_ASIAN = lazily.pattern(rf"[{_EAST_ASIAN}]")


def words_of(text: str) -> list[str]:
    """The words, in lower case; a mark that is no letter ends one.  Chinese and Japanese come in runs."""
    if text.isascii():
        return _ASCII_WORD.findall(text.lower())
    text = unicodedata.normalize("NFC", text).lower()
    words = _WORD.findall(text)
    if not _IS_EAST_ASIAN.search(text):
        return words
    return [part for word in words for part in _CUT.findall(word)]


def parts_of(text: str) -> Iterator[str]:
    """A long text in parts, cut at spaces where it has some: words are counted part by part, to save room."""
    start = 0
    while len(text) - start > _AT_ONCE:
        end = text.rfind(" ", start, start + _AT_ONCE)
        end = end if end > start else start + _AT_ONCE
        yield text[start:end]
        start = end
    yield text[start:]


def grams_of(word: str) -> tuple[str, ...]:
    """Every run of up to five characters of the word, by length, and the word itself; a space is where it begins and
    ends.
    """
    padded = f" {word[:MOST_LETTERS]} "
    return _cuts(len(padded))(padded)


@cache
def _cuts(size: int) -> Callable[[str], tuple[str, ...]]:
    """What cuts a word of so many characters; there are few lengths."""
    cuts = [slice(at, at + most) for most in range(1, LONGEST + 1) for at in range(size - most + 1)]
    return itemgetter(*cuts, *([slice(None)] if size > LONGEST else []))
