"""Differences between two pieces of JSON data: by place, by message, by line."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeGuard

from promptrails_engine.comparison.records import Difference
from promptrails_engine.definitions.diff_text import line_hunks, opcodes
from promptrails_engine.definitions.digest import canonical_json, compact_json

_DEPTH = 64
_LONG_TEXT = 80
_CALL_ID = re.compile(r'(?<!\\)("(?:id|tool_call_id)":\s*)("(?:[^"\\]|\\.)*(?:"|\\?$))')


@dataclass(frozen=True, slots=True)
class Kept:
    """What a store kept of a payload: the beginning of its JSON text."""

    preview: str


def kept(payload: Any) -> Any:
    """The payload, or a `Kept` where the store has cut it."""
    if is_object(payload) and set(payload) == {"truncated", "preview"} and payload["truncated"] is True:
        preview = payload["preview"]
        return Kept(preview) if isinstance(preview, str) else payload
    return payload


def compare(part: str, a: Any, b: Any) -> tuple[list[Difference], bool]:
    """The differences of two payloads, and whether it stays open if there are any."""
    a, b = kept(a), kept(b)
    if not isinstance(a, Kept) and not isinstance(b, Kept):
        return list(differences(part, a, b)), False
    if a == b:
        return [], True
    first, second = (value.preview if isinstance(value, Kept) else value for value in (a, b))
    texts = [value if isinstance(value, str) else text_of(value) for value in (first, second)]
    return [Difference(part=part, a=first, b=second, cut=True, hunks=tuple(line_hunks(*texts)))], False


def differences(part: str, a: Any, b: Any) -> Iterator[Difference]:
    """The places where two pieces of JSON data differ; the messages or items of lists are matched first."""
    yield from _compare(part, "", "", a, b, 0)


def same(a: Any, b: Any) -> bool:
    """Whether both are the same JSON data; 1, 1.0 and true are three."""
    return a is b or text_of(a) == text_of(b)


def text_of(value: Any) -> str:
    """The JSON text of a value, the same for the same data."""
    try:
        return canonical_json(value)
    except (TypeError, ValueError, RecursionError):  # NaN, and what an adapter of a store gives that is no JSON
        return repr(value)


# ------------------------------------------------------------------ inside


def _compare(part: str, a_path: str, b_path: str, a: Any, b: Any, depth: int) -> Iterator[Difference]:
    if same(a, b):
        return
    if depth < _DEPTH:
        if is_object(a) and is_object(b):
            yield from _objects(part, a_path, b_path, a, b, depth)
            return
        if is_list(a) and is_list(b):
            yield from _lists(part, a_path, b_path, a, b, depth)
            return
        if isinstance(a, str) and isinstance(b, str):
            yield from _texts(part, a_path, b_path, a, b, depth)
            return
    yield Difference(part=part, a_path=a_path, b_path=b_path, a=a, b=b)


def _objects(
    part: str, a_path: str, b_path: str, a: Mapping[str, Any], b: Mapping[str, Any], depth: int
) -> Iterator[Difference]:
    for name in dict.fromkeys([*a, *b]):
        in_a, in_b = _named(a_path, name), _named(b_path, name)
        if name not in a:
            yield Difference(part=part, a_path=None, b_path=in_b, b=b[name])
        elif name not in b:
            yield Difference(part=part, a_path=in_a, b_path=None, a=a[name])
        else:
            yield from _compare(part, in_a, in_b, a[name], b[name], depth + 1)


def _lists(part: str, a_path: str, b_path: str, a: Sequence[Any], b: Sequence[Any], depth: int) -> Iterator[Difference]:
    for i, j in _pairs(a, b):
        in_a, in_b = f"{a_path}[{i}]", f"{b_path}[{j}]"
        if i is None and j is not None:
            yield Difference(part=part, a_path=None, b_path=in_b, b=b[j])
        elif j is None and i is not None:
            yield Difference(part=part, a_path=in_a, b_path=None, a=a[i])
        elif i is not None and j is not None:
            yield from _compare(part, in_a, in_b, a[i], b[j], depth + 1)


def _texts(part: str, a_path: str, b_path: str, a: str, b: str, depth: int) -> Iterator[Difference]:
    """Of two JSON texts what differs in the data; of longer texts the lines."""
    first, second = _parsed(a), _parsed(b)
    if first is not None and second is not None and type(first) is type(second):
        inside = list(_compare(part, a_path, b_path, first, second, depth + 1))
        if inside:
            yield from inside
            return
    lengthy = max(len(a), len(b)) > _LONG_TEXT or "\n" in a or "\n" in b
    hunks = tuple(line_hunks(a, b)) if lengthy else ()
    yield Difference(part=part, a_path=a_path, b_path=b_path, a=a, b=b, hunks=hunks)


def _named(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _parsed(text: str) -> Any:
    """The object or list that the text is the JSON of; None where it is none."""
    if not text.lstrip().startswith(("{", "[")):
        return None
    try:
        value: Any = json.loads(text)
        canonical_json(value)
    except (ValueError, RecursionError):
        return None
    return value


# ------------------------------------------------------------------ lists


def _pairs(a: Sequence[Any], b: Sequence[Any]) -> list[tuple[int | None, int | None]]:
    """The places of items that belong together; None where there is no partner.  Swapping the lists swaps the pairs."""
    one, other = [text_of(item) for item in a], [text_of(item) for item in b]
    if one > other:  # difflib takes the first match in the first list: so which is first must not depend on the caller
        return [(i, j) for j, i in _ordered_pairs(b, a, other, one)]
    return list(_ordered_pairs(a, b, one, other))


def _ordered_pairs(
    a: Sequence[Any], b: Sequence[Any], one: Sequence[str], other: Sequence[str]
) -> Iterator[tuple[int | None, int | None]]:
    for tag, i1, i2, j1, j2 in opcodes(one, other):
        if tag == "replace":  # of items that differ, those of one kind are compared with each other
            for i, j in _alike([_shape(item) for item in a[i1:i2]], [_shape(item) for item in b[j1:j2]]):
                yield (None if i is None else i1 + i), (None if j is None else j1 + j)
        else:
            yield from _side_by_side(i1, i2, j1, j2)


def _alike(one: Sequence[str], other: Sequence[str]) -> Iterator[tuple[int | None, int | None]]:
    for tag, i1, i2, j1, j2 in opcodes(one, other):
        if tag == "replace":
            yield from ((i, None) for i in range(i1, i2))
            yield from ((None, j) for j in range(j1, j2))
        else:
            yield from _side_by_side(i1, i2, j1, j2)


def _side_by_side(i1: int, i2: int, j1: int, j2: int) -> Iterator[tuple[int | None, int | None]]:
    for offset in range(max(i2 - i1, j2 - j1)):
        yield (i1 + offset if i1 + offset < i2 else None), (j1 + offset if j1 + offset < j2 else None)


def _shape(item: Any) -> str:
    """What an item is: a message by its role, other data by its type."""
    role: Any = item.get("role") if is_object(item) else None
    return f"role {role}" if isinstance(role, str) else type(item).__name__


def is_object(value: Any) -> TypeGuard[Mapping[str, Any]]:
    return isinstance(value, Mapping)


def is_list(value: Any) -> TypeGuard[Sequence[Any]]:
    return isinstance(value, list | tuple)


# ------------------------------------------------------------------ ids of tool calls


def with_numbered_calls(payload: Any) -> Any:
    """The messages or the answer of a model call, with its calls' ids, new in each run, replaced by their order."""
    numbers: dict[str, str] = {}

    def numbered(call_id: Any) -> Any:
        return numbers.setdefault(call_id, f"call {len(numbers) + 1}") if isinstance(call_id, str) else call_id

    payload = kept(payload)
    if isinstance(payload, Kept):
        return Kept(_CALL_ID.sub(lambda found: found[1] + compact_json(numbered(found[2])), payload.preview))
    if is_list(payload):
        return [_renamed(item, numbered) for item in payload]
    return _renamed(payload, numbered)


def _renamed(message: Any, numbered: Callable[[Any], Any]) -> Any:
    if not is_object(message):
        return message
    copy = dict(message)
    if is_list(calls := copy.get("tool_calls")):
        copy["tool_calls"] = [
            {**call, "id": numbered(call["id"])} if is_object(call) and "id" in call else call for call in calls
        ]
    if "tool_call_id" in copy:
        copy["tool_call_id"] = numbered(copy["tool_call_id"])
    return copy
