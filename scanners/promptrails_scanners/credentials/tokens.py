"""Tokens that begin with letters of their own, found by those letters."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache, cached_property
from importlib.resources import files
from typing import NamedTuple

from promptrails_scanners.credentials.checks import KINDS, crc_base62
from promptrails_scanners.credentials.found import Found
from promptrails_scanners.credentials.values import entropy, is_placeholder
from promptrails_scanners.foundation import lazily
from promptrails_scanners.foundation.tree import tree

_SETS = {
    "<a>": "[A-Za-z0-9]",
    "<w>": "[A-Za-z0-9_-]",
    "<b>": "[A-Za-z0-9+/]",
    "<h>": "[a-f0-9]",
    "<H>": "[A-Fa-f0-9]",
    "<l>": "[a-z0-9]",
    "<U>": "[A-Z0-9]",
    "<d>": "[0-9]",
}
_INSIDE = "~"
"""Begins what stands inside a token, not at its beginning."""
_REACH = 100
"""So far before what stands inside it a token can begin."""
_LEAST_BITS = 2.2
_NO_END = lazily.pattern(r"\.(?:png|jpe?g|gif|svg|js|css|html?)\b|\.\.|\u2026|\*\*")
"""What follows names of files, and tokens of which a part was left out."""
_AFTER = r"(?![A-Za-z0-9])"
_BEFORE = r"(?<![A-Za-z0-9])"


class _Rule:
    def __init__(self, label: str, prefix: str, rest: str, check: str) -> None:
        self.label = label
        self.prefix = len(prefix)
        """How long what it begins with is."""
        self.check = check
        self._written = prefix, rest

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        """What it is as a whole, written out once something begins like it."""
        prefix, rest = self._written
        for name, chars in _SETS.items():
            rest = rest.replace(name, chars) if name in rest else rest
        return re.compile(_BEFORE + re.escape(prefix) + f"(?:{rest})" + _AFTER)


class _Table(NamedTuple):
    starts: re.Pattern[str]
    rules: dict[str, tuple[_Rule, ...]]
    """By what tokens begin with."""
    lengths: dict[str, tuple[int, ...]]
    """By the first character: how long what begins so can be, longest first."""
    insides: re.Pattern[str]
    inner: dict[str, _Rule]
    labels: frozenset[str]


def labels() -> frozenset[str]:
    """What the table knows."""
    return _table().labels


def find(text: str) -> Iterator[Found]:
    """The tokens in a text, in their order, apart from those that are found by what stands inside them."""
    table = _table()
    after = 0
    for start in table.starts.finditer(text):
        at = start.start()
        if at < after:
            continue
        found = _at(table, text, at)
        if found is not None:
            after = found.end
            yield found
    for inside in table.insides.finditer(text):
        rule = table.inner[inside[0]]
        for match in rule.pattern.finditer(text, max(0, inside.start() - _REACH), inside.end() + 200):
            if match.start() <= inside.start() < match.end() and _is_drawn(match[0], rule.check):
                yield Found(*match.span(), rule.label, 0.95)


def _at(table: _Table, text: str, at: int) -> Found | None:
    for length in table.lengths[text[at : at + 1]]:
        for rule in table.rules.get(text[at : at + length], ()):
            match = rule.pattern.match(text, at)
            if match and _is_drawn(match[0][rule.prefix :], rule.check) and not _NO_END.match(text, match.end()):
                right = crc_base62(match[0]) if rule.check == "crc" else None
                return Found(at, match.end(), rule.label, 0.8 if right is False else 1.0 if right else 0.95, right)
    return None


def _is_drawn(tail: str, check: str) -> bool:
    if check in KINDS and not KINDS[check](tail):
        return False
    return entropy(tail) >= _LEAST_BITS and not is_placeholder(tail)


@cache
def _table() -> _Table:
    text = (files("promptrails_scanners") / "credentials" / "tokens.txt").read_text("utf-8")
    rules: dict[str, list[_Rule]] = {}
    inner: dict[str, _Rule] = {}
    known: set[str] = set()
    for line in text.splitlines():
        if not line or line.startswith("#"):
            continue
        label, prefixes, rest, check = [*(part.strip() for part in line.split(" | ")), ""][:4]
        known.add(label)
        for prefix in prefixes.split():
            if prefix.startswith(_INSIDE):
                inner[prefix[1:]] = _Rule(label, "", rest, check)
            else:
                rules.setdefault(prefix, []).append(_Rule(label, prefix, rest, check))
    lengths: dict[str, set[int]] = {}
    for prefix in rules:
        lengths.setdefault(prefix[0], set()).add(len(prefix))
    return _Table(
        starts=re.compile(_BEFORE + tree(rules)),
        rules={prefix: tuple(theirs) for prefix, theirs in rules.items()},
        lengths={first: tuple(sorted(theirs, reverse=True)) for first, theirs in lengths.items()},
        insides=lazily.pattern("|".join(map(re.escape, sorted(inner, key=len, reverse=True)))),
        inner=inner,
        labels=frozenset(known),
    )
