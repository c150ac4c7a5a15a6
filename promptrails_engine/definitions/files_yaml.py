"""YAML and JSON text as JSON data with line numbers: strict, bounded, and free of YAML's surprises.

Only what JSON would call a number, a truth value or null is one; dates, `yes`, `no`, `on`, `off`, `0o17`, `007` and
`12:30` stay the text that was written.  Keys are strings, and come once.  Anchors may be used; what they expand to
counts towards the limit of values.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, cast

import yaml
from yaml import events as ev

from promptrails_engine.errors import DefinitionError

_MAX_DEPTH = 60
_MAX_VALUES = 50_000
_INTEGER = re.compile(r"[-+]?(0|[1-9][0-9]*)")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|(0|[1-9][0-9]*)(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_NO_NUMBER = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
_WORDS: dict[str, bool | None] = {
    "": None, "~": None, "null": None, "Null": None, "NULL": None,
    "true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False,
}  # fmt: skip
_MAX_DIGITS = 400
_SPACE = re.compile(r"[ \t\n\r]*")


@dataclass(frozen=True, slots=True)
class Entry:
    """A field of the document.  `source` is what was written, where it is a plain YAML scalar."""

    value: Any
    line: int
    source: str | None = None


def fault(message: str, line: int) -> DefinitionError:
    """The error of a place in a file; the reader of the file adds its path."""
    return DefinitionError(message, details={"line": line})


def parse_yaml(text: str) -> dict[str, Entry]:
    """The top-level fields of a YAML document.

    Raises:
        DefinitionError: it is not one mapping of JSON data, or too large; `details["line"]` says where.
    """
    try:
        return _Builder(yaml.parse(text, Loader=yaml.SafeLoader)).document()
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, int(error.position)) + 1
        raise fault(f"the character U+{int(error.character):04X} cannot stand here; write it escaped", line) from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        said = ", ".join(part for part in (error.context, error.problem) if part)
        raise fault(f"not valid YAML: {said}", mark.line + 1 if mark else 1) from None
    except ValueError as error:  # such as an escape beyond Unicode
        raise fault(f"not valid YAML: {error}", 1) from None


def plain_value(text: str) -> Any:
    """What a plain YAML scalar means here: None, a truth value, a number, or the text itself.

    Raises:
        ValueError: infinite, not a number, or too long for one.
    """
    if text in _WORDS:
        return _WORDS[text]
    if _NO_NUMBER.fullmatch(text):
        raise ValueError(f"{text} is not JSON data; put it in quotes if text is meant")
    whole = _INTEGER.fullmatch(text)
    if not whole and not _FLOAT.fullmatch(text):
        return text
    if len(text) > _MAX_DIGITS:
        raise ValueError("a number with too many digits; put it in quotes if text is meant")
    if whole:
        return int(text)
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text} is too large for a number; put it in quotes if text is meant")
    return number


@dataclass(slots=True)
class _Builder:
    """Builds JSON data from parser events, counting as it goes."""

    events: Iterator[ev.Event]
    anchors: dict[str, tuple[Any, int]] = field(default_factory=dict[str, tuple[Any, int]])
    values: int = 0

    def document(self) -> dict[str, Entry]:
        event = self._next()
        while isinstance(event, ev.StreamStartEvent | ev.DocumentStartEvent):
            event = self._next()
        if isinstance(event, ev.StreamEndEvent):
            raise fault("the file is empty", 1)
        if not isinstance(event, ev.MappingStartEvent):
            raise fault("the file must be a mapping of fields, such as `kind: prompt`", _line(event))
        fields = self._fields(event, 1)
        self._next()
        after = self._next()
        if not isinstance(after, ev.StreamEndEvent):
            raise fault("one file holds one definition: a second document begins here", _line(after))
        return fields

    def _next(self) -> ev.Event:
        return next(self.events)

    def _fields(self, start: ev.MappingStartEvent, depth: int) -> dict[str, Entry]:
        self._refuse_tag(start, start.tag)
        fields: dict[str, Entry] = {}
        while not isinstance(event := self._next(), ev.MappingEndEvent):
            if not isinstance(event, ev.ScalarEvent):
                raise fault("a key must be a plain word or a string", _line(event))
            key = self._checked(event.value, event)
            if key == "<<" and event.implicit[0]:
                raise fault("merge keys (<<) are not supported; write the fields out", _line(event))
            if key in fields:
                raise fault(f"the key '{key}' is given twice, first in line {fields[key].line}", _line(event))
            value_event = self._next()
            plain = value_event.value if isinstance(value_event, ev.ScalarEvent) and value_event.implicit[0] else None
            fields[key] = Entry(self._value(value_event, depth), _line(event), plain)
        return fields

    def _value(self, event: ev.Event, depth: int) -> Any:
        if depth > _MAX_DEPTH:
            raise fault(f"nested deeper than {_MAX_DEPTH} levels", _line(event))
        self._count(1, event)
        if isinstance(event, ev.AliasEvent):
            return self._expanded(event)
        before = self.values - 1
        value: Any
        if isinstance(event, ev.ScalarEvent):
            value = self._scalar(event)
        elif isinstance(event, ev.SequenceStartEvent):
            value = self._items(event, depth)
        elif isinstance(event, ev.MappingStartEvent):
            value = {key: entry.value for key, entry in self._fields(event, depth + 1).items()}
        else:
            raise fault("a value is missing here", _line(event))
        anchor = getattr(event, "anchor", None)
        if anchor is not None:
            self.anchors[anchor] = value, self.values - before
        return value

    def _items(self, start: ev.SequenceStartEvent, depth: int) -> list[Any]:
        self._refuse_tag(start, start.tag)
        items: list[Any] = []
        while not isinstance(event := self._next(), ev.SequenceEndEvent):
            items.append(self._value(event, depth + 1))
        return items

    def _expanded(self, event: ev.AliasEvent) -> Any:
        if event.anchor not in self.anchors:
            raise fault(f"the alias *{event.anchor} stands for nothing that is complete before it", _line(event))
        value, size = self.anchors[event.anchor]
        self._count(size, event)
        return value

    def _scalar(self, event: ev.ScalarEvent) -> Any:
        text = self._checked(event.value, event)
        if event.tag == "tag:yaml.org,2002:str" or event.tag == "!":
            return text
        self._refuse_tag(event, event.tag)
        if not event.implicit[0]:
            return text
        try:
            return plain_value(text)
        except ValueError as error:
            raise fault(str(error), _line(event)) from None

    def _checked(self, text: str, event: ev.Event) -> str:
        if not text.isascii() and any("\ud800" <= char <= "\udfff" for char in text):
            raise fault("half of a surrogate pair is not a character", _line(event))
        return text

    def _refuse_tag(self, event: ev.Event, tag: str | None) -> None:
        if tag is not None and tag != "!":
            raise fault(f"the tag {tag} is not supported: a definition is plain data", _line(event))

    def _count(self, more: int, event: ev.Event) -> None:
        self.values += more
        if self.values > _MAX_VALUES:
            raise fault(f"more than {_MAX_VALUES} values", _line(event))


def _line(event: ev.Event) -> int:
    return event.start_mark.line + 1 if event.start_mark else 1


# ------------------------------------------------------------------ JSON


def parse_json(text: str) -> dict[str, Entry]:
    """The top-level fields of a JSON document, as strictly as `parse_yaml`.

    Raises:
        DefinitionError: it is not one object, or too large; `details["line"]` says where.
    """
    place = 0
    try:
        decoder = json.JSONDecoder(object_pairs_hook=_unique, parse_constant=_no_constant, parse_float=_finite)
        fields: dict[str, Entry] = {}
        place = _expect(text, 0, "{", "the file must be an object of fields")
        while not text.startswith("}", place):
            if fields:
                place = _expect(text, place, ",", "a comma is missing between two fields")
            start = place
            key, place = decoder.raw_decode(text, start)
            if not isinstance(key, str):
                raise ValueError("a key must be a string in double quotes")
            place = _expect(text, place, ":", "a colon is missing after a key")
            value, place = decoder.raw_decode(text, place)
            line = text.count("\n", 0, start) + 1
            if key in fields:
                raise fault(f"the key '{key}' is given twice, first in line {fields[key].line}", line)
            fields[key] = Entry(value, line)
            place = _skip(text, place)
        if _skip(text, place + 1) != len(text):
            raise ValueError("text after the end of the object")
    except json.JSONDecodeError as error:
        raise fault(f"not valid JSON: {error.msg}", error.lineno) from None
    except RecursionError:
        raise fault(f"nested deeper than {_MAX_DEPTH} levels", text.count("\n", 0, place) + 1) from None
    except ValueError as error:
        raise fault(f"not valid JSON: {error}", text.count("\n", 0, place) + 1) from None
    _measure(fields)
    return fields


def _skip(text: str, place: int) -> int:
    found = _SPACE.match(text, place)
    return found.end() if found else place


def _expect(text: str, place: int, char: str, message: str) -> int:
    place = _skip(text, place)
    if not text.startswith(char, place):
        raise json.JSONDecodeError(message, text, min(place, len(text)))
    return _skip(text, place + 1)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    data = dict(pairs)
    if len(data) != len(pairs):
        keys = [key for key, _ in pairs]
        raise ValueError(f"the key '{next(key for key in keys if keys.count(key) > 1)}' is given twice in one object")
    return data


def _no_constant(word: str) -> Any:
    raise ValueError(f"{word} is not JSON data")


def _finite(text: str) -> float:
    if not math.isfinite(number := float(text)):
        raise ValueError(f"{text} is too large for a number")
    return number


def _measure(fields: dict[str, Entry]) -> None:
    count = 0
    for key, entry in fields.items():
        waiting: list[tuple[Any, int]] = [(key, 0), (entry.value, 1)]
        while waiting:
            value, depth = waiting.pop()
            count += 1
            if depth > _MAX_DEPTH:
                raise fault(f"nested deeper than {_MAX_DEPTH} levels", entry.line)
            if count > _MAX_VALUES:
                raise fault(f"more than {_MAX_VALUES} values", entry.line)
            if isinstance(value, str) and any("\ud800" <= char <= "\udfff" for char in value):
                raise fault("half of a surrogate pair is not a character", entry.line)
            waiting.extend((item, depth + 1) for item in _parts(value))


def _parts(value: Any) -> Iterable[Any]:
    if isinstance(value, dict):
        members = cast("dict[str, Any]", value)
        return [*members, *members.values()]
    return cast("Iterable[Any]", value) if isinstance(value, list) else ()
