"""Names of services, told in what stands before a value."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache, lru_cache
from importlib.resources import files
from typing import NamedTuple

from promptrails_scanners.foundation import lazily

_WORD = lazily.pattern(
    r"(?:SECRET|PRIVATE|ACCESS|TOKEN|KEY|API|CLIENT|AUTH|PASSWORD)|[A-Z]{2,}s?(?![a-z])|[A-Z]?[a-z]+|[A-Z]+|\d{1,4}"
)
_TAILS = ("secret", "private", "access", "token", "key", "api")
_TOGETHER = 3
"""A name is written as at most so many words."""


class Services(NamedTuple):
    names: frozenset[str]
    words: frozenset[str]
    """Those of the names that are words of English, too."""
    tails: frozenset[str]
    """What names end with: a word that is none of these ends no name."""


@cache
def services() -> Services:
    """The table, read once."""
    text = (files("promptrails_scanners") / "credentials" / "services.txt").read_text("utf-8")
    parts: dict[str, set[str]] = {"[names]": set(), "[words]": set()}
    into = parts["[names]"]
    for line in text.splitlines():
        if line.startswith("["):
            into = parts[line]
        elif not line.startswith("#"):
            into.update(line.lower().split())
    words = frozenset(parts["[words]"])
    names = frozenset(parts["[names]"]) | words
    return Services(names, words, frozenset(name[at:] for name in names for at in range(len(name))))


@lru_cache(maxsize=2048)
def split(name: str) -> tuple[tuple[int, str], ...]:
    """The words that a name in a program is made of, in lower case, and where each begins."""
    if name.isascii() and name.isalpha() and name.islower():
        return _untied(0, name)
    return tuple(part for match in _WORD.finditer(name) for part in _untied(match.start(), match[0].lower()))


def _untied(at: int, word: str) -> tuple[tuple[int, str], ...]:
    """A word that stands there, or two where it is a service's name with a word such as `key` behind it."""
    if word.endswith(_TAILS) and word not in services().names:
        tail = next(tail for tail in _TAILS if word.endswith(tail))
        name = word[: -len(tail)]
        if len(name) > 1 and name in services().names:
            return (at, name), (at + len(name), tail)
    return ((at, word),)


def named(words: Sequence[str]) -> tuple[int, str, bool] | None:
    """The last service that the words name: which word ends the name, the name, and whether it is a word of English."""
    names, common, tails = services()
    for last in range(len(words) - 1, -1, -1):
        if words[last] not in tails:
            continue
        name = found = ""
        for at in range(last, max(-1, last - _TOGETHER), -1):
            name = words[at] + name
            if name in names:
                found = name
        if found:
            return last, found, found in common
    return None
