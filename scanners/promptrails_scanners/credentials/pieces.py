"""The pieces that a text is judged in, each by itself: where one ends is known as soon as its end is there.

So a growing text can be let go piece by piece, and what is found in it does not hang on how it came.  A piece ends
with a line, a sentence, or if it is long with a word, where nothing shortly before tells of a secret.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from promptrails_scanners.credentials import keys
from promptrails_scanners.credentials.services import named, services, split
from promptrails_scanners.credentials.values import lowered
from promptrails_scanners.foundation import lazily
from promptrails_scanners.foundation.tree import tree

_LEAST = 64
_LONG = 1024
"""A piece of that length may end with any word."""
_NEAR = 128
"""So far reaches a word that tells of a secret, or the name of a service."""
_FAR = 512
"""So far reaches what begins a form of several lines."""

_END = lazily.pattern(r"\n|[.!?][ \t\r\f\v]")
_WORD_END = lazily.pattern(r"\s")
_WORDS = """
pass pwd secret token key auth user login uid usr credential private access basic bearer -----begin putty- installation
api viserver directoryentry psexec machine curl
"""
_TELLS = lazily.pattern(tree(_WORDS.split()))
_FORMS = frozenset(("credential", "viserver", "directoryentry", "psexec", "machine", "curl"))
_KEYS = frozenset(("-----begin", "putty-"))
_NAME = lazily.pattern(r"[A-Za-z][A-Za-z0-9]*|\d{1,4}(?![0-9A-Za-z])")


class Piece(NamedTuple):
    start: int
    end: int
    ended: bool
    """Whether it stays as it is, whatever comes after it."""
    told: bool
    """Whether a word in it tells of a secret."""


def pieces(text: str) -> Iterator[Piece]:
    """The pieces of a text in their order; the last one may still grow."""
    reader = _Reader(text)
    start = 0
    while start < len(text):
        end = reader.end_of(start)
        yield Piece(start, len(text) if end is None else end, end is not None, reader.told)
        start = len(text) if end is None else end


class _Reader:
    """Goes through a text once."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._tells = _TELLS.finditer(lowered(text))
        self._tell = next(self._tells, None)
        self._until = 0
        """So far reaches what tells of a secret."""
        self._key = 0
        """Where the last private key ends."""
        self.told = False

    def end_of(self, start: int) -> int | None:
        """Where the piece ends that begins there; None if that is not there yet."""
        self.told, self._until = False, start + _LEAST
        while True:
            end = self._next(start)
            cut = self._read(start, len(self._text) if end is None else end)
            if end is None or cut is not None:
                return cut
            if self._until <= end:
                service = self._service(start, end)
                if service is None:
                    return end
                self._until = service + _NEAR

    def _next(self, start: int) -> int | None:
        """The next place where the piece may end."""
        long = max(self._until, start + _LONG)
        found = _END.search(self._text, self._until - 1, long) or _WORD_END.search(self._text, long - 1)
        return found.end() if found else None

    def _read(self, start: int, end: int) -> int | None:
        """Read what tells of a secret up to `end`; gives where a private key is cut that has no end."""
        while self._tell and self._tell.end() <= end:
            tell, self._tell = self._tell, next(self._tells, None)
            if tell.start() < start:
                continue
            self.told = True
            self._until = max(self._until, tell.end() + (_FAR if tell[0] in _FORMS else _NEAR))
            if tell[0] in _KEYS and tell.start() >= self._key:
                key = keys.at(self._text, tell.start())
                if key and key.endless:
                    return key.end
                if key:
                    self._key = key.end
                    self._until = max(self._until, key.end + keys.REACH)
        return None

    def _service(self, start: int, end: int) -> int | None:
        """Where the name of a service ends in the line that ends at `end`, unless it is a word of English."""
        if self._text[end - 1] != "\n":
            return None
        line = self._text[max(start, end - _NEAR) : end].rstrip()
        first = line.rfind("\n") + 1
        words = [word for name in _NAME.findall(line, first) for _, word in split(name)]
        service = named(words)
        while service and service[1] in services().words:
            service = named(words[: service[0]])
        return max(start, end - _NEAR) + _ends(line, first)[service[0]] if service else None


def _ends(line: str, first: int) -> list[int]:
    """Where each word of a line ends."""
    return [
        match.start() + offset + len(word) for match in _NAME.finditer(line, first) for offset, word in split(match[0])
    ]
