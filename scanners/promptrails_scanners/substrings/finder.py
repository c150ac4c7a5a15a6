"""Terms in a view of a text: where they stand in the original, and from where on a growing text is still open."""

from __future__ import annotations

import unicodedata
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from functools import lru_cache

from promptrails_scanners.foundation.views import View, grown
from promptrails_scanners.substrings.matchers import Fits, matcher

_AT_ONCE = 1 << 16
_UNSPACED = (
    (0x0E00, 0x1000),  # Thai, Lao, Tibetan
    (0x1000, 0x10A0),  # Myanmar
    (0x1780, 0x1800),  # Khmer
    (0x3040, 0x3100),  # Hiragana, Katakana
    (0x31F0, 0x3200),
    (0x3400, 0xA000),  # Han
    (0xF900, 0xFB00),
    (0xFF66, 0xFFA0),
    (0x20000, 0x33480),
)
"""Scripts that put no space between words: a word may begin and end anywhere."""


def folded(view: View) -> View:
    """The view without case, in which a character may have become several ("ß" is "ss")."""
    growing = {char: _fold(char) for char in set(view.text) if len(char.casefold()) > 1}
    if not growing:  # folding makes no text shorter, so each character becomes one
        return View(_lower(view.text), view.origins)
    return View(
        _lower(view.text.translate({ord(char): read for char, read in growing.items()})),
        grown(view, sorted(growing), growing),
    )


def folded_term(term: str) -> str:
    """A term without case, as it stands in a view that is `folded`."""
    return term.replace("İ", "i").casefold()


def _lower(text: str) -> str:
    """Without case; a part at a time, for the folding of a text takes several times its room."""
    if len(text) <= _AT_ONCE:
        return text.casefold()
    return "".join(text[at : at + _AT_ONCE].casefold() for at in range(0, len(text), _AT_ONCE))


def _fold(char: str) -> str:
    return "i" if char == "İ" else char.casefold()  # the dot belongs to this letter, it is no mark on an i


class Finder:
    """A list of terms, as they are written in the views in which they are looked for."""

    def __init__(self, terms: Iterable[str], *, words: bool) -> None:
        self._terms = sorted(set(terms))
        self._words = words
        self._longest = max(map(len, self._terms))
        self._matcher = matcher(self._terms)

    def places(self, view: View) -> Iterator[tuple[int, int]]:
        """The places in the original that hold the terms; some may overlap, none is missing from their union."""
        for start, end in self._matcher.places(view.text, self._fits(view)):
            yield view.origin(start, end)

    def places_of(self, term: str, view: View) -> Iterator[tuple[int, int]]:
        """All the places in the original that hold one of the terms."""
        fits = self._fits(view)
        start = view.text.find(term)
        while start >= 0:
            end = start + len(term)
            if fits is None or fits(start, end):
                yield view.origin(start, end)
            start = view.text.find(term, start + 1)

    def open_from(self, view: View) -> int:
        """Where in the original a term may begin that ends after the text; the end of the view where none may."""
        text = view.text
        whole = 0 if self._words else 1  # a word is none until it is seen where it ends
        for start in range(max(0, len(text) - self._longest + whole), len(text)):
            if self._may_begin(text, start):
                return view.origin(start, start + 1)[0]
        return view.origin(len(text) - 1, len(text))[1] if text else 0

    def _may_begin(self, text: str, start: int) -> bool:
        if self._words and not _apart(text, start):
            return False
        rest = text[start:]
        at = bisect_left(self._terms, rest)
        if not self._words and at < len(self._terms) and self._terms[at] == rest:
            at += 1
        return at < len(self._terms) and self._terms[at].startswith(rest)

    def _fits(self, view: View) -> Fits | None:
        text, starts = view.text, view.origins

        def whole(start: int, end: int) -> bool:
            """Whether no character of the original is cut."""
            if starts is None:
                return True
            return (not start or starts[start - 1] < starts[start]) and (starts[end - 1] < starts[end])

        if not self._words:
            return None if starts is None else whole
        return lambda start, end: _apart(text, start) and _apart(text, end) and whole(start, end)


def _apart(text: str, at: int) -> bool:
    """Whether a word may begin or end between these two characters."""
    if at <= 0 or at >= len(text):
        return True
    before, after = text[at - 1], text[at]
    return not (_in_word(before) and _in_word(after)) or _unspaced(before) or _unspaced(after)


@lru_cache(maxsize=4096)
def _in_word(char: str) -> bool:
    if char.isalnum() or char == "_":
        return True
    return unicodedata.category(char)[0] == "M" and not "\ufe00" <= char <= "\ufe0f"


def _unspaced(char: str) -> bool:
    code = ord(char)
    return code >= 0xE00 and any(low <= code < high for low, high in _UNSPACED)
