"""The runs of letters that a word is made of."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator

from promptrails_scanners.foundation import lazily

LONGEST = 5
_MOST_LETTERS = 24
_AT_ONCE = 1 << 16
_EAST_ASIAN = r"\u3005-\u3007\u3040-\u30ff\u31f0-\u31ff\u3400-\u9fff\uf900-\ufaff\uff66-\uff9f\U00020000-\U0003347f"
_WORD = lazily.pattern(rf"[{_EAST_ASIAN}]+|[^\W\d_{_EAST_ASIAN}]+")


def words_of(text: str) -> list[str]:
    """The words, in lower case; a mark that is no letter ends one.  Chinese and Japanese come in runs."""
    return _WORD.findall(unicodedata.normalize("NFC", text).lower())


def parts_of(text: str) -> Iterator[str]:
    """A long text in parts, cut at spaces where it has some: words are counted part by part, to save room."""
    start = 0
    while len(text) - start > _AT_ONCE:
        end = text.rfind(" ", start, start + _AT_ONCE)
        end = end if end > start else start + _AT_ONCE
        yield text[start:end]
        start = end
    yield text[start:]


def grams_of(word: str) -> list[str]:
    """Every run of up to five characters of the word, and the word itself; a space is where it begins and ends."""
    padded = f" {word[:_MOST_LETTERS]} "
    count = len(padded)
    found = list(padded)
    for size in range(2, LONGEST + 1):
        found += [padded[at : at + size] for at in range(count - size + 1)]
    if count > LONGEST:
        found.append(padded)
    return found
