"""What never counts: literals and patterns of the user's own, read alike by every scanner."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from promptrails_engine.ports.scanner import Finding
from promptrails_scanners.foundation import lazily
from promptrails_scanners.foundation.patterns import compiled

_LATIN = "0-9A-Za-z_\u00c0-\u024f"
"""Where such characters go on, a word goes on; other scripts may be written without spaces."""
_IS_LATIN = lazily.pattern(f"[{_LATIN}]")


class Allowed:
    """What an `allow` lists, and what `allow_patterns` do.

    A scanner that finds places drops those whose whole value is allowed.  One that judges texts does not read the
    passages that are.
    """

    def __init__(self, literals: Sequence[str], patterns: Iterable[str], scanner: str) -> None:
        self._literals = frozenset(map(_plain, literals))
        self._patterns = tuple(compiled(one, scanner, "allow_patterns") for one in patterns)
        longest_first = sorted(literals, key=len, reverse=True)
        self._passages = [re.compile("|".join(map(_passage, longest_first)), re.IGNORECASE)] if literals else []
        self._passages += self._patterns

    def __bool__(self) -> bool:
        return bool(self._passages)

    def covers(self, value: str) -> bool:
        """Whether the value as a whole is allowed."""
        return bool(self._passages) and (
            _plain(value) in self._literals or any(pattern.fullmatch(value) for pattern in self._patterns)
        )

    def left(self, text: str, found: Iterable[Finding]) -> tuple[Finding, ...]:
        """The places whose value is not allowed."""
        if not self._passages:
            return tuple(found)
        return tuple(one for one in found if not self.covers(text[one.start : one.end]))

    def unread(self, text: str) -> str:
        """The text with spaces in place of what is allowed; it stays as long as it is."""
        for pattern in self._passages:
            text = pattern.sub(_blank, text)
        return text


def _plain(value: str) -> str:
    return " ".join(value.split()).casefold()


def _blank(match: re.Match[str]) -> str:
    return " " * len(match[0])


def _passage(literal: str) -> str:
    """The literal where no word goes on before or after it, whatever space is between its words."""
    words = literal.split()
    if not words:
        return re.escape(literal)
    before = rf"(?<![{_LATIN}])" if _IS_LATIN.match(words[0]) else ""
    after = rf"(?![{_LATIN}])" if _IS_LATIN.match(words[-1][-1]) else ""
    return before + r"\s{1,9}".join(map(re.escape, words)) + after
