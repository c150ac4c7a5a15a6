"""Texts in JSON data, values and keys: found, and replaced by others."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from promptrails_engine.schema.instance import measure

_PLAIN_KEY = re.compile(r"[\w.-]{1,32}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Reading:
    """Which texts of JSON data are looked at: all values, and keys."""

    names: bool = False
    """Whether the keys at the top are names that the definitions give, and not data."""
    judges: bool = False
    """Whether keys are left out that are no more than a name, such as `order_id`: of those nothing can be judged."""

    def takes(self, key: str, depth: int) -> bool:
        return not (self.names and depth == 0) and not (self.judges and is_plain(key))


@dataclass(frozen=True, slots=True)
class Text:
    """A text, and where it stands."""

    text: str
    parts: tuple[str, ...]
    is_key: bool = False

    def pointer(self, hidden: Mapping[str, Any]) -> str:
        """Where it stands as a JSON pointer, with `*` for keys that may hold data: those that are `hidden`, and those
        that are more than a name."""
        shown = (part if is_plain(part) and part not in hidden else "*" for part in self.parts)
        return "".join(f"/{part}" for part in shown)


def is_plain(key: str) -> bool:
    """Whether a key is one short word."""
    return _PLAIN_KEY.fullmatch(key) is not None


def texts_in(data: Any, reading: Reading, parts: tuple[str, ...] = ()) -> Iterator[Text]:
    """Every text in JSON data, in its order; a key before what stands below it."""
    if isinstance(data, str):
        yield Text(data, parts)
    elif isinstance(data, Mapping):
        for key, value in cast("Mapping[str, Any]", data).items():
            below = (*parts, str(key))
            if reading.takes(str(key), len(parts)):
                yield Text(str(key), below, is_key=True)
            if key == "type" and value == "text" and "content" in data:
                continue  # how an output says that it is a text
            yield from texts_in(value, reading, below)
    elif isinstance(data, (list, tuple)):
        for index, value in enumerate(cast("Sequence[Any]", data)):
            yield from texts_in(value, reading, (*parts, str(index)))


def with_texts(data: Any, change: Callable[[str], str], reading: Reading, depth: int = 0) -> Any:
    """The data with other texts; no key is lost where two of them come to the same: the later one gets a number."""
    if isinstance(data, str):
        return change(data)
    if isinstance(data, Mapping):
        items = {str(key): value for key, value in cast("Mapping[str, Any]", data).items()}
        names = {key: change(key) if reading.takes(key, depth) else key for key in items}
        if any(key != name for key, name in names.items()):
            names = _apart(names)
        marked = items.get("type") == "text" and "content" in items
        return {
            names[key]: value if marked and key == "type" else with_texts(value, change, reading, depth + 1)
            for key, value in items.items()
        }
    if isinstance(data, (list, tuple)):
        return [with_texts(value, change, reading, depth + 1) for value in cast("Sequence[Any]", data)]
    return data


def _apart(names: Mapping[str, str]) -> dict[str, str]:
    """The new name of each key, no two of them the same; those that stay as they are come first."""
    taken = {key for key, name in names.items() if key == name}
    found: dict[str, str] = {}
    for key, name in names.items():
        if key != name:
            number, free = 1, name
            while free in taken:
                number += 1
                free = f"{name} ({number})"
            taken.add(free)
            found[key] = free
        else:
            found[key] = key
    return found


def json_in(text: str) -> Any:
    """The object or list that a text is in JSON; None of one that is none, or would not stay what it is."""
    if not text.startswith(("{", "[")):
        return None
    try:
        data: Any = json.loads(text, object_pairs_hook=_object, parse_constant=_refused)
    except (ValueError, RecursionError):
        return None
    return data if measure(data).problem is None else None


def _object(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a key comes twice")
    return found


def _refused(constant: str) -> Any:
    raise ValueError(constant)
