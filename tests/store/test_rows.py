"""The short ways from spans and executions to rows give what the long ones give."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptrails_engine.ports.provider import Message, ToolCall
from promptrails_engine.store.codec import escape, escape_all, load_json
from promptrails_engine.store.payload import capped
from promptrails_engine.store.sql.rows import begin_values, end_values, identity_values, span_of, span_values
from promptrails_engine.store.sql.tables import IDENTITY_COLUMNS
from promptrails_engine.testing.store_conformance.rows import ended, execution, span, trace_of
from promptrails_engine.tracing.payload import plain_payload
from tests.store.test_codec import odd


class Shouting(str):
    """A text that is not quite one."""

    def __str__(self) -> str:
        return self.upper()


def sent(payload: Any) -> Any:
    """The input of a span as it is found again."""
    [values] = span_values([span(trace_of(execution("ws")), input=payload, output=[payload])])
    found = span_of(values, {})
    assert found.output == capped(plain_payload([payload]))
    return found.input


messages = st.builds(
    Message,
    st.sampled_from(["user", "assistant", "tool"]),
    odd | st.just("long " * 3_000) | odd.map(Shouting),
    st.lists(st.builds(ToolCall, odd, odd, odd), max_size=2),
    st.none() | odd,
    st.none() | odd,
)


@given(st.lists(messages | odd | st.floats(), max_size=3))
def test_messages_are_written_as_the_walk_writes_them(payload: list[Any]) -> None:
    assert sent(payload) == capped(plain_payload(payload))
    assert sent(tuple(payload)) == capped(plain_payload(payload))


@pytest.mark.parametrize("payload", [[], (), [float("nan")], {"x": [1, True, None, 2**70]}, [[[{"a": {1}}]]], "text"])
def test_other_payloads_are_written_as_the_walk_writes_them(payload: Any) -> None:
    assert sent(payload) == capped(plain_payload(payload))


@given(st.lists(odd, max_size=4))
def test_texts_are_escaped_together_as_one_by_one(texts: list[str]) -> None:
    assert escape_all(tuple(texts)) == tuple(map(escape, texts))


def test_a_beginning_holds_all_that_is_known_already() -> None:
    row = execution("ws", session="s", metadata={"a": 1})
    for begun in (row, replace(row, cost_known=0.5), replace(row, token_usage={"total_tokens": 3}), ended(row)):
        assert begin_values(begun) == (*identity_values(begun), *end_values(begun), None, None)
    assert load_json(begin_values(row)[:IDENTITY_COLUMNS][7]) == {"a": 1}
