"""Answers under a schema, and their repair."""

from __future__ import annotations

from typing import Any

import pytest

from promptrails_engine import ContentEvent
from promptrails_engine.ports.provider import ModelCapabilities
from promptrails_engine.testing import Reply
from tests.engine.kit import SCHEMA, one_prompt, scripted


async def _run(replies: list[Any], schema: Any = SCHEMA, **more: Any) -> tuple[Any, Any]:
    async with scripted(replies, **more) as (engine, provider):
        agent = await one_prompt(engine, "go", output_schema=schema)
        return await engine.agents.execute(agent, {}), provider


async def test_the_validated_value_is_the_output():
    result, provider = await _run([{"category": "order", "number": 3}])
    assert result.output == {"category": "order", "number": 3}
    assert result.text == '{"category":"order","number":3}'
    assert provider.requests[0].output_schema["required"] == ["category"]


async def test_a_value_that_is_no_object_stands_under_value():
    result, _ = await _run(["[1, 2]"], {"type": "array", "items": {"type": "integer"}})
    assert result.output == {"value": [1, 2]}


async def test_a_fenced_answer_is_accepted():
    result, _ = await _run(['```json\n{"category": "other"}\n```'])
    assert result.output == {"category": "other"}


@pytest.mark.parametrize(
    "broken",
    ['{"category": "nope"}', '{"category": "order"', "no json at all", '{"category": "other"} {"category": "other"}'],
)
async def test_a_broken_answer_is_sent_back_with_its_places_and_not_its_values(broken: str):
    result, provider = await _run([broken, {"category": "order"}])
    assert result.output == {"category": "order"}
    repair = provider.requests[1].messages
    assert [m.role for m in repair] == ["user", "assistant", "user"]
    assert repair[1].content == broken
    assert "not valid" in repair[2].content
    assert result.token_usage["total_tokens"] > 0


async def test_repairs_are_bounded_and_each_is_counted():
    result, provider = await _run(['{"category": 1}'] * 3)
    assert (result.status, result.error_code) == ("failed", "output_invalid")
    assert "/category" in result.error
    assert len(provider.requests) == 3
    assert result.token_usage["completion_tokens"] == 6


async def test_an_answer_cut_at_the_limit_is_not_repaired():
    result, provider = await _run([Reply('{"category": "or', finish="length")])
    assert result.error_code == "output_truncated"
    assert len(provider.requests) == 1


async def test_without_a_schema_a_cut_answer_is_a_success_that_says_so():
    async with scripted([Reply("half an ans", finish="length")]) as (engine, _):
        result = await engine.agents.execute(await one_prompt(engine), {})
        assert (result.status, result.truncated, result.text) == ("completed", True, "half an ans")


async def test_a_model_without_schemas_is_told_in_words_and_preview_shows_them():
    async with scripted([{"category": "order"}], capabilities=ModelCapabilities(json_schema="none")) as (
        engine,
        provider,
    ):
        agent = await one_prompt(engine, "go", output_schema=SCHEMA)
        preview = (await engine.agents.preview(agent, {}))[0]
        assert (await engine.agents.execute(agent, {})).output == {"category": "order"}
        assert provider.requests[0].output_schema is None
        assert preview.messages == [m.to_dict() for m in provider.requests[0].messages]
        assert '"category"' in preview.messages[0]["content"]


async def test_the_agents_schema_serves_where_the_prompt_has_none():
    async with scripted(["{}", {"category": "other"}]) as (engine, _):
        agent = await one_prompt(engine, "go", agent_output_schema=SCHEMA)
        assert (await engine.agents.execute(agent, {})).output == {"category": "other"}


async def test_listeners_hear_a_valid_answer_only():
    async with scripted(['{"category": 1}', {"category": "order"}]) as (engine, _):
        agent = await one_prompt(engine, "go", output_schema=SCHEMA)
        events = [e async for e in engine.agents.stream(agent, {})]
        assert [e.content for e in events if isinstance(e, ContentEvent)] == ['{"category":"order"}']


async def test_an_answer_that_is_no_object_is_held_to_the_agents_schema_as_it_is():
    async with scripted(['"hello"', "5", "5", "5"]) as (engine, _):
        agent = await one_prompt(engine, agent_output_schema={"type": "string"})
        result = await engine.agents.execute(agent, {})
        assert (result.status, result.output, result.text) == ("completed", {"value": "hello"}, "hello")
        assert (await engine.agents.execute(agent, {})).error_code == "output_invalid"
