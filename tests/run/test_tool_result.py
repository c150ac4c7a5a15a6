"""The text of a result."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptrails_engine.run.tool_result import result_text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("as it is\n", "as it is\n"),
        ("", ""),
        (None, "null"),
        (True, "true"),
        (1.5, "1.5"),
        ({"a": [1, "ü"], "b": {}}, '{"a":[1,"ü"],"b":{}}'),
    ],
)
def test_text_of_small_values(value: object, text: str) -> None:
    assert result_text(value) == text


def test_what_fits_exactly_is_not_cut() -> None:
    assert result_text("x" * 1000, 1000) == "x" * 1000
    assert result_text("ü" * 500, 1000) == "ü" * 500


def test_a_cut_is_marked_and_has_no_half_character() -> None:
    for letter in ("x", "ü", "😀"):
        text = result_text(letter * 1000, 400)
        body, mark = text.split("\n")
        assert set(body) == {letter}
        assert mark == f"[cut: the result has {len(letter.encode()) * 1000} bytes, the limit is 400]"
        assert 390 < len(text.encode()) <= 400


def test_the_default_limit() -> None:
    assert len(result_text("x" * 10**6).encode()) == 256 * 1024
    assert len(result_text(["x" * 10**6]).encode()) == 256 * 1024


def test_lone_surrogates_are_escaped() -> None:
    assert result_text("a\udc80b") == "a\\udc80b"
    assert result_text({"k": "\ud800"}) == '{"k":"\\ud800"}'


@given(st.text(st.characters(exclude_categories=()), max_size=300), st.integers(0, 300))
def test_always_valid_utf8_within_the_limit(text: str, limit: int) -> None:
    assert len(result_text(text, limit).encode()) <= limit


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), lambda inner: st.lists(inner, max_size=4)))
def test_uncut_values_can_be_read_back(value: object) -> None:
    if not isinstance(value, str):
        assert json.loads(result_text(value)) == value
