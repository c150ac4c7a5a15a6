"""Text and JSON survive the way into a database and back; spans' payloads are cut to size."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptrails_engine.errors import ValidationError
from promptrails_engine.store.codec import (
    dump_json,
    dump_metadata,
    escape,
    index_key,
    load_json,
    metadata_lines,
    unescape,
)
from promptrails_engine.store.payload import PAYLOAD_BYTES, capped

odd = st.text(st.sampled_from('ab\x00\ud800\udfff\U000f0000\U000f0800\U000f0fff\U000f0ffe\U0001f9ea"\\\n')) | st.text(
    st.characters(exclude_categories=())
)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | odd,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(odd, inner, max_size=4),
    max_leaves=12,
)


@given(odd)
def test_text_comes_back_and_every_database_takes_it(text: str) -> None:
    stored = escape(text)
    assert "\x00" not in stored
    stored.encode()
    assert unescape(stored) == text


@given(odd, odd)
def test_different_texts_stay_different(one: str, other: str) -> None:
    assert (escape(one) == escape(other)) == (one == other)
    assert (index_key(one) == index_key(other)) == (one == other)


def test_long_keys_become_digests_that_no_text_can_imitate() -> None:
    long = "k" * 10_000
    digest = index_key(long)
    assert len(digest) <= 200
    assert index_key(digest) != digest
    assert index_key(long + "x") != digest


@given(values)
def test_json_comes_back_and_every_database_takes_it(value: Any) -> None:
    stored = dump_json(value)
    assert "\x00" not in stored
    stored.encode()
    assert load_json(stored) == value


@given(st.dictionaries(odd, values, max_size=5))
def test_metadata_come_back_and_each_pair_is_found_and_no_other(metadata: dict[str, Any]) -> None:
    stored = dump_metadata(metadata)
    stored.encode()
    assert load_json(stored) == metadata
    assert list(load_json(stored)) == list(metadata)
    for key, value in metadata.items():
        assert any(line in stored for line in metadata_lines(key, value))
        assert not any(line in stored for line in metadata_lines(key + "x", value) if key + "x" not in metadata)


def test_deep_and_wide_data_are_kept_and_what_is_no_json_is_refused() -> None:
    deep: list[Any] = []
    for _ in range(400):
        deep = [deep]
    assert load_json(dump_json(deep)) == deep
    cycle: list[Any] = []
    cycle.append(cycle)
    for bad in ({"x": object()}, cycle):
        with pytest.raises(ValidationError, match="JSON"):
            dump_json(bad)
    with pytest.raises(ValidationError, match="JSON"):
        dump_metadata({"x": object()})


@given(values)
def test_a_payload_fits_or_is_a_marker_that_fits(value: Any) -> None:
    for payload in (value, [value] * 400):
        cut = capped(payload)
        assert cut == payload or cut["truncated"] is True
        assert len(dump_json(cut).encode()) <= PAYLOAD_BYTES or cut == payload
        assert len(json.dumps(payload)) > PAYLOAD_BYTES / 12 or cut == payload


@pytest.mark.parametrize("value", [object(), {"x": object()}, {"x": "y" * 9_000, "z": object()}])
def test_a_payload_that_is_no_json_does_not_fail(value: Any) -> None:
    dump_json(capped(value)) if capped(value) is not value else None
