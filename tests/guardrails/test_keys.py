"""Texts in the keys of JSON data: looked at like values, and nothing is lost where they are taken out."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptrails_engine import SimpleAgentConfig
from promptrails_engine.run.json_texts import Reading, json_in, texts_in, with_texts
from promptrails_engine.testing import ToolUse
from tests.guardrails.kit import guard, guarded, spans_of

GIVEN: list[Any] = []


def store(data: dict[str, Any]) -> dict[str, Any]:
    """Store it."""
    GIVEN.append(data)
    return {"room 7": 1, "room 8": 2, "free": ["9"], "10": {"11": 12}}


def reply(request: Any) -> Any:
    last = request.messages[-1]
    return "done" if last.role == "tool" else ToolUse("store", {"data": {"call 5": "6", "[N]": 1}})


async def run(*guards: Any) -> Any:
    GIVEN.clear()
    async with guarded([], reply, tools=[store]) as (engine, _, provider):
        agent = await engine.agents.create(
            "Calls", config=SimpleAgentConfig("Prompt"), tools=["store"], guardrails=guards
        )
        result = await engine.agents.execute(agent.id, {"text": "x"})
        return result, provider, await spans_of(engine, result.trace_id)


async def test_keys_of_arguments_and_results_are_redacted_and_none_is_lost() -> None:
    _, provider, spans = await run(guard(apply_to=["tool_arguments", "tool_results"]))
    assert GIVEN == [{"call [N]": "[N]", "[N]": 1}]
    seen = provider.requests[1].messages[-1].content
    assert json.loads(seen) == {"room [N]": 1, "room [N] (2)": 2, "free": ["[N]"], "[N]": {"[N]": 12}}
    found = [(one["path"], one.get("in_key", False)) for one in spans[1].attributes["findings"]]
    assert found == [("/*", True), ("/*", True), ("/free/0", False), ("/*", True), ("/*/*", True)]


@pytest.mark.parametrize("place", ["tool_arguments", "tool_results"])
async def test_a_key_can_block(place: str) -> None:
    result, _, spans = await run(guard(action="block", apply_to=[place]))
    assert result.error_code == "guardrail_blocked"
    assert bool(GIVEN) == (place == "tool_results")
    assert "call 5" not in str(spans[-1].attributes)


async def test_judges_read_keys_that_say_more_than_a_name() -> None:
    result, _, _ = await run(guard(action="block", scanner="judge", apply_to=["tool_results"]))
    assert result.error_code == "guardrail_blocked"
    names = [text.text for text in texts_in({"a_1": {"is 1": 2}}, Reading(judges=True))]
    assert names == ["is 1"]


async def test_the_first_keys_of_an_input_are_names_and_those_below_are_data() -> None:
    async with guarded([guard()]) as (engine, agent, _):
        result = await engine.agents.execute(agent.id, {"text": "x", "room1": {"call 5": 6}})
        stored = await engine.executions.get(result.execution_id)
        assert stored.input == {"text": "x", "room1": {"call [N]": 6}}


async def test_text_that_is_no_json_or_would_not_stay_the_same_is_text() -> None:
    for text in ("{a}", "[1", '{"a": 1, "a": 2}', "[NaN]", "1", '"a"', "[" * 100_000, "[1e999]"):
        assert json_in(text) is None
    assert json_in('{"a": [1.50]}') == {"a": [1.5]}


async def test_a_result_in_which_nothing_was_found_stays_as_it_was() -> None:
    def spaced() -> str:
        """Give it."""
        return '{ "a":  "b" }'

    def calls(request: Any) -> Any:
        return "done" if request.messages[-1].role == "tool" else ToolUse("spaced", {})

    async with guarded([], calls, tools=[spaced]) as (engine, _, provider):
        agent = await engine.agents.create(
            "Calls",
            config=SimpleAgentConfig("Prompt"),
            tools=["spaced"],
            guardrails=[guard(apply_to=["tool_results"])],
        )
        await engine.agents.execute(agent.id, {"text": "x"})
        assert provider.requests[1].messages[-1].content == '{ "a":  "b" }'


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text("ab1", max_size=4),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text("ab1", max_size=4), inner, max_size=5),
    max_leaves=20,
)


def size(data: Any) -> int:
    """How many values and keys there are."""
    if isinstance(data, dict):
        return 1 + sum(1 + size(value) for value in data.values())
    return 1 + sum(map(size, data)) if isinstance(data, list) else 1


@given(JSON, st.sampled_from(["", "x", "a"]))
def test_nothing_is_lost_whatever_is_taken_out(data: Any, placeholder: str) -> None:
    changed = with_texts(data, lambda text: text.replace("1", placeholder), Reading())
    assert size(changed) == size(data)
    assert "1" not in "".join(text.text.rpartition(" (")[0] or text.text for text in texts_in(changed, Reading()))
    assert with_texts(data, lambda text: text, Reading()) == data
