"""With which words a pattern can begin, and which it cannot do without: told by reading it, or by a table.

Reading a pattern takes some hundred times as long as looking it up, so there is a table of the patterns that ship with
this package; `tools/build_stem_table.py` writes it.  A pattern that is not in it is read.
"""

from __future__ import annotations

import json
import re
import zlib
from collections.abc import Iterable, Iterator, Mapping
from importlib.resources import files
from typing import Any

from promptrails_scanners.foundation.once import once

TABLE = "stems.json"
LONGEST = 6
"""Words are told apart by so many characters."""
WHOLE = "$"
"""Stands after a stem that is a whole word, not only the beginning of one."""
_MOST = 3000
"""With more beginnings than that, a pattern is not worth looking up."""
_RANGE = 12
_UNKNOWN: list[tuple[str, Any]] = [("ANY", None)]
_parser: Any = re._parser  # type: ignore[attr-defined]  # the standard library's own reading of a pattern

Stem = tuple[str, bool]
"""The beginning of a word, and whether it is the whole word."""
Read = tuple[bool, list[str]]
"""Whether a pattern begins with the first of some sets of words, and the sets, of each of which it needs one: stems in
their order, apart by spaces."""


def read(source: str) -> Read:
    """What is known of a pattern."""
    return _table().get(key(source)) or read_anew(source)


def key(source: str) -> str:
    """What a pattern is called in the table."""
    return f"{len(source)}-{zlib.crc32(source.encode()):08x}"


@once
def _table() -> Mapping[str, Read]:
    table: dict[str, Read] = json.loads((files("promptrails_scanners.foundation") / TABLE).read_bytes())
    return table


def read_anew(source: str) -> Read:
    """The same without the table."""
    items = list(_flat(_parser.parse(source)))
    begins, sets = False, list[str]()
    for at, item in enumerate(items):
        stems = _stems(items[at + 1 :]) if _is_boundary(item) else ""
        if stems:
            begins |= at == 0
            sets.append(stems)
    return begins, sets


def _flat(items: Iterable[Any]) -> Iterator[tuple[str, Any]]:
    """The items of a pattern, with those of its plain groups."""
    for kind, value in items:
        if str(kind) == "SUBPATTERN" and not value[1] and not value[2]:
            yield from _flat(value[-1])
        else:
            yield str(kind), value


def _is_boundary(item: tuple[str, Any]) -> bool:
    return item[0] == "AT" and str(item[1]) == "AT_BOUNDARY"


def _stems(items: list[tuple[str, Any]]) -> str:
    """With which words a match of these items can begin; nothing if that cannot be told."""
    found: set[Stem] = set()
    for stem in _grown("", items):
        found.add(stem)
        if not stem[0] or len(found) > _MOST:
            return ""
    return " ".join(sorted(word + WHOLE if whole else word for word, whole in found))


def _grown(so_far: str, items: list[tuple[str, Any]]) -> Iterator[Stem]:
    """What a word that begins so can be when the items follow."""
    if len(so_far) == LONGEST or not items:
        yield so_far, False
        return
    (kind, value), rest = items[0], items[1:]
    if kind == "AT":
        yield from _at(so_far, str(value), rest)
    elif kind == "BRANCH":
        for branch in value[1]:
            yield from _grown(so_far, [*_flat(branch), *rest])
    elif kind in ("MAX_REPEAT", "MIN_REPEAT"):
        least, most, inner = value
        if not least:
            yield from _grown(so_far, rest)
        yield from _grown(so_far, [*_flat(inner), *(rest if most == 1 else _UNKNOWN)])
    else:
        for char in _characters(kind, value):
            if char.isalnum() or char == "_":
                yield from _grown(so_far + char, rest)
            else:
                yield so_far, bool(char)


def _at(so_far: str, place: str, rest: list[tuple[str, Any]]) -> Iterator[Stem]:
    """The same where a place follows, such as the edge of a word."""
    if so_far:
        yield so_far, place in ("AT_BOUNDARY", "AT_END", "AT_END_STRING")
    elif place == "AT_BOUNDARY":
        yield from _grown(so_far, rest)
    else:
        yield so_far, False


def _characters(kind: str, value: Any) -> Iterator[str]:
    """The characters that an item may be; an empty one if they are many."""
    if kind == "LITERAL":
        yield chr(value)
    elif kind == "IN":
        for part, of in value:
            if str(part) == "LITERAL":
                yield chr(of)
            elif str(part) == "RANGE" and of[1] - of[0] < _RANGE:
                yield from map(chr, range(of[0], of[1] + 1))
            elif str(of) in ("CATEGORY_SPACE", "CATEGORY_NOT_WORD"):
                yield " "
            else:
                yield ""
    else:
        yield ""
