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
_TAIL = lazily.pattern(r"(?:secret|private|access|token|key|api)$")
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
    found: list[tuple[int, str]] = []
    for match in _WORD.finditer(name):
        word = match[0].lower()
        tail = _TAIL.search(word)
        if tail and tail.start() > 1 and word not in services().names and word[: tail.start()] in services().names:
            found += (match.start(), word[: tail.start()]), (match.start() + tail.start(), tail[0])
        else:
            found.append((match.start(), word))
    return tuple(found)


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
