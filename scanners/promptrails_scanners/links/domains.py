"""What is known of domains."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import NamedTuple

from promptrails_scanners.foundation.tree import tree

TOLD = 5
"""Shorter names stand in too many other words."""


class Domains(NamedTuple):
    known: frozenset[str]
    shared: frozenset[str]
    cheap: frozenset[str]
    """Endings that cost next to nothing, and are taken for harm more than others."""
    earned: frozenset[str]
    """Endings that are for some only, or that those like who make things for others."""
    brands: Mapping[str, frozenset[str]]
    """Names that are imitated, and the domains that are really theirs."""
    brand: re.Pattern[str]
    """Matches those names that are long enough to be told within a word."""


@cache
def domains() -> Domains:
    """The table, read once."""
    text = (files("promptrails_scanners") / "links" / "domains.txt").read_text("utf-8")
    parts: dict[str, list[list[str]]] = {}
    name = ""
    for line in text.splitlines():
        if line.startswith("["):
            name = line.strip("[]")
        elif line and not line.startswith("#"):
            parts.setdefault(name, []).append(_named(line.split()))

    def all_of(part: str) -> frozenset[str]:
        return frozenset(word for line in parts[part] for word in line)

    brands = {line[0]: frozenset(line[1:]) for line in parts["brands"]}
    real = frozenset(domain for theirs in brands.values() for domain in theirs) - all_of("shared")
    brand = re.compile(tree(name for name in brands if len(name) >= TOLD))
    known = all_of("known") | real
    return Domains(known, all_of("shared"), all_of("cheap"), all_of("earned"), brands, brand)


def _named(words: list[str]) -> list[str]:
    """The domains of a line, which begins with their ending if it is the same for all."""
    ending = words[0] if words[0].startswith(".") else ""
    return [word.strip('"') + ending for word in (words[1:] if ending else words)]
