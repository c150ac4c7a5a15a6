"""Payloads of spans: JSON data, bounded, valid UTF-8."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptrails_engine.ports.provider import Message, ToolCall
from promptrails_engine.tracing import plain_payload
from promptrails_engine.tracing.payload import capped_payload, capped_text, escape_odd, without_content

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**80), 2**80)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=20), inner, max_size=5),
)
ANY_TEXT = st.text(st.characters(exclude_categories=()))


@dataclass
class Point:
    x: int


class Shade(StrEnum):
    DARK = "dark"


@given(JSON)
def test_json_data_stays_as_it_is(value: Any) -> None:
    assert plain_payload(value) == value
    assert capped_payload(escaped(value), 10**6) == escaped(value)


def escaped(value: Any) -> Any:
    return json.loads(json.dumps(value).replace("\\u0000", ""))


def test_the_bytes_of_a_data_url_are_left_out() -> None:
    long, short = "data:image/png;base64," + "A" * 4000, "data:text/plain,hello"
    assert plain_payload({"url": long, "small": [short]}) == {
        "url": "data:image/png;base64,(4000 characters)",
        "small": [short],
    }
    assert capped_payload([long], 100) == ["data:image/png;base64,(4000 characters)"]
    for text in ('data: {"a": 1, "b": 2}' * 100, "data: word " * 100, "data:;base64" * 100):
        assert plain_payload(text) == text


def test_messages_become_dicts() -> None:
    call = ToolCall("c1", "add", "{}")
    messages = [Message("user", "hi"), Message("assistant", "", (call,)), Message("tool", "3", tool_call_id="c1")]
    assert plain_payload(messages) == [message.to_dict() for message in messages]
    assert plain_payload({"messages": messages})["messages"][0] == {"role": "user", "content": "hi"}


@pytest.mark.parametrize(
    ("value", "plain"),
    [
        (Point(1), {"x": 1}),
        (Shade.DARK, "dark"),
        ((1, {2}), [1, [2]]),
        ({1: "a"}, {"1": "a"}),
        (datetime(2026, 1, 1, tzinfo=UTC), "2026-01-01T00:00:00Z"),
        (float("inf"), None),
        (object(), "(object)"),
        ({"a": [object()]}, {"a": ["(object)"]}),
        (b"\xff", "(bytes)"),
    ],
)
def test_other_objects(value: Any, plain: Any) -> None:
    assert plain_payload(value) == plain
    assert capped_payload(value) == plain


def test_it_shares_nothing() -> None:
    value = {"a": [1]}
    plain_payload(value)["a"].append(2)
    assert value == {"a": [1]}


def test_what_is_endless_ends() -> None:
    ring: list[Any] = []
    ring.extend([ring, ring])
    assert capped_payload(ring, 1000)["truncated"] is True
    deep: Any = 1
    for _ in range(50_000):
        deep = [deep]
    assert json.dumps(plain_payload(deep)).count("[") == 64


def test_the_cap_counts_bytes_of_json() -> None:
    assert capped_payload("x" * 98, 100) == "x" * 98
    assert capped_payload("x" * 99, 100) == {"truncated": True, "preview": '"' + "x" * 99}
    marker = capped_payload("ü" * 98, 100)
    assert marker["truncated"] is True
    assert len(marker["preview"].encode()) <= 100


@given(st.lists(JSON | ANY_TEXT), st.integers(10, 300))
def test_a_capped_payload_is_valid_and_small(value: Any, cap: int) -> None:
    capped = capped_payload(value, cap)
    text = json.dumps(capped, ensure_ascii=False, separators=(",", ":"))
    data = text.encode()
    assert "\\u0000" not in text.replace("\\\\", "")
    preview: str = cast("dict[str, str]", capped)["preview"] if isinstance(capped, dict) else ""
    assert len(preview.encode()) <= cap
    assert preview or len(data) <= cap


def test_a_payload_of_megabytes_is_not_read_to_its_end() -> None:
    class Counting(list[Any]):
        read = 0

        def __iter__(self) -> Any:
            for item in super().__iter__():
                Counting.read += 1
                yield item

    assert capped_payload(Counting(["x"] * 1_000_000))["truncated"] is True
    assert Counting.read < 10_000


def test_odd_text_is_escaped() -> None:
    assert escape_odd("a\x00b\udc80c\n") == "a\\u0000b\\udc80c\n"
    assert capped_payload({"\x00": ["\ud800"]}) == {"\\u0000": ["\\ud800"]}
    assert plain_payload({"\x00": "\ud800"}) == {"\x00": "\ud800"}


@given(ANY_TEXT, st.integers(3, 50))
def test_capped_text(text: str, cap: int) -> None:
    assert len(capped_text(text, cap).encode()) <= cap
    if text.isascii() and text.isprintable() and len(text) <= cap:
        assert capped_text(text, cap) == text


def test_what_may_hold_content_is_left_out() -> None:
    attributes = {
        "model": "gpt", "temperature": 0.5, "triggered": True, "none": None, "tool_name": "add",
        "parameters": {"a": "canary"}, "prompt": "canary", "model_list": ["canary"], "provider": ["canary"],
    }  # fmt: skip
    kept = without_content(attributes)
    assert kept == {"model": "gpt", "temperature": 0.5, "triggered": True, "none": None, "tool_name": "add"}
