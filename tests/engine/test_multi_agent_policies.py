"""Which failures of prompts that run side by side are borne, in whatever order they end."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from promptrails_engine import AuthError, BadRequestError, InputInvalidError, TemplateError
from tests.engine.side_kit import in_order, roles, side_agent

NAMES = "abcde"


@st.composite
def cases(draw: st.DrawFn) -> dict[str, Any]:
    """So many prompts, which of them fail, and the order in which they end."""
    count = draw(st.integers(1, 5))
    policy = draw(st.sampled_from(["fail_fast", "settle", "quorum"]))
    return {
        "order": draw(st.permutations(NAMES[:count])),
        "bad": draw(st.sets(st.sampled_from(NAMES[:count]))),
        "policy": policy,
        "quorum": draw(st.integers(1, count)) if policy == "quorum" else None,
    }


def decided(case: dict[str, Any]) -> tuple[str, list[str], list[str]]:
    """What the policy says, written another way: the status, and who succeeded and failed until it was decided."""
    good: list[str] = []
    bad: list[str] = []
    count, quorum = len(case["order"]), case["quorum"]
    for role in case["order"]:
        (bad if role in case["bad"] else good).append(role)
        if case["policy"] == "fail_fast" and bad:
            return "failed", good, bad
        if quorum and len(good) == quorum:
            return "completed", good, bad
        if quorum and len(bad) == count - quorum + 1:
            return "failed", good, bad
    return ("completed" if good else "failed"), good, bad


@settings(max_examples=80)
@given(cases())
def test_a_policy_decides_as_soon_as_it_can_and_keeps_what_came_before(case: dict[str, Any]) -> None:
    async def main() -> None:
        names = sorted(case["order"])
        answers = {role: BadRequestError(f"no {role}") if role in case["bad"] else role.upper() for role in names}
        async with roles(answers, held=names) as (engine, model):
            await side_agent(engine, names, failure_policy=case["policy"], quorum=case["quorum"])
            run = asyncio.ensure_future(engine.agents.execute("Side", {}))
            await in_order(model, case["order"], run)
            result = await run
            status, good, bad = decided(case)
            assert result.status == status
            assert model.open == set()
            spans = {span.name: span.error_type for span in await engine.traces.list(kind="agent_step")}
            left = set(names) - set(good) - set(bad)
            assert spans == {
                **dict.fromkeys(good, ""), **dict.fromkeys(bad, "bad_request"), **dict.fromkeys(left, "cancelled")
            }  # fmt: skip
            if status == "completed":
                expected: dict[str, Any] = {r: {"content": r.upper(), "type": "text"} for r in names if r in good}
                if bad:
                    said = {r: {"code": "bad_request", "message": f"no {r}"} for r in names if r in bad}
                    expected["errors"] = said
                assert result.output == expected
                assert list(result.output or {}) == list(expected)
            elif case["policy"] == "fail_fast":
                assert (result.error_code, result.error) == ("bad_request", f"no {bad[0]}")
            else:
                assert result.error_code == "branches_failed"
                assert all(f"{role}: no {role}" in result.error for role in bad)

    asyncio.run(main())


async def test_a_vote_and_an_aggregator_go_on_with_those_that_succeeded_and_hear_of_the_others():
    answers = {"a": "x", "b": AuthError("locked"), "c": "x", "join": "J"}
    async with roles(answers) as (engine, model):
        await side_agent(engine, "abc", aggregation="vote", failure_policy="settle")
        output = (await engine.agents.execute("Side", {})).output or {}
        assert (output["value"], output["votes"]) == ("x", 2)
        assert output["errors"] == {"b": {"code": "auth", "message": "locked"}}
    async with roles(answers) as (engine, model):
        join = "join: {{ results.keys() | list }} {{ errors.b.code }} {{ errors.b.message }}"
        config = {"aggregation": "prompt", "aggregator_prompt_id": "join", "failure_policy": "quorum", "quorum": 2}
        agent = await side_agent(engine, "bac", extra={"join": join}, **config)
        assert (await engine.agents.execute(agent, {})).text == "J"
        assert model.requests["join"][0].messages[-1].content == "join: ['a', 'c'] auth locked"


async def test_a_prompt_that_cannot_be_rendered_is_a_failure_like_others():
    async with roles({"a": "A", "b": "B"}) as (engine, _):
        await side_agent(engine, "ab", failure_policy="settle")
        strict = {"user_prompt": "b: {{ missing.x }}", "config": {"strict": True}, "set_current": True}
        await engine.prompts.create_version("p b", **strict)
        output = (await engine.agents.execute("Side", {"text": "t"})).output or {}
        assert output["errors"]["b"]["code"] == "template_error"
        steps = await engine.traces.list(kind="agent_step")
        assert {span.name: span.error_type for span in steps} == {"a": "", "b": "template_error"}
        await engine.prompts.create_version("p a", **strict)
        with pytest.raises(Exception, match="2 prompts") as caught:  # nothing was run, so nothing is on record
            await engine.agents.execute("Side", {"text": "t"})
        assert not isinstance(caught.value, TemplateError)
        assert (await engine.executions.list()).meta.total == 1


async def test_a_prompt_that_cannot_be_rendered_after_the_router_ends_the_run_before_any_is_asked():
    answers = {"a": "A", "b": "B", "pick": '{"roles": ["a", "b"]}'}
    async with roles(answers) as (engine, model):
        await side_agent(engine, "ab", extra={"pick": "pick:"}, router_prompt_id="pick")
        strict = {"user_prompt": "b: {{ missing.x }}", "config": {"strict": True}, "set_current": True}
        await engine.prompts.create_version("p b", **strict)
        assert (await engine.agents.execute("Side", {})).error_code == "template_error"
        assert model.requests["a"] == []
        spans = {span.name: span.error_type for span in await engine.traces.list(kind="agent_step")}
        assert spans == {"router": "", "a": "cancelled", "b": "template_error"}


async def test_input_that_is_no_json_data_is_refused_whatever_the_policy():
    async with roles({"a": "A", "b": "B"}) as (engine, model):
        await side_agent(engine, "ab", failure_policy="settle")
        checked = {"user_prompt": "a:", "input_schema": {"type": "object"}, "set_current": True}
        await engine.prompts.create_version("p a", **checked)
        with pytest.raises(InputInvalidError):
            await engine.agents.execute("Side", {"text": {1, 2}})
        assert model.requests["b"] == []
        assert (await engine.executions.list()).meta.total == 0


async def test_a_router_picks_as_many_as_the_quorum_needs():
    answers = {"a": "A", "b": "B", "pick": '{"roles": ["a", "b"]}'}
    async with roles(answers) as (engine, model):
        config = {"failure_policy": "quorum", "quorum": 2, "router_prompt_id": "pick"}
        await side_agent(engine, "ab", extra={"pick": "pick:"}, **config)
        assert set((await engine.agents.execute("Side", {})).output or {}) == {"a", "b"}
        asked = model.requests["pick"][0].output_schema or {}
        assert asked["properties"]["roles"]["minItems"] == 2
