"""Prompts side by side under limits: cancelling, time, money, tools, and what one branch may not do to another."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from promptrails_engine import AsyncEngine, Limits, RateLimitError
from promptrails_engine.events import TokenUsage
from promptrails_engine.ports.provider import Delta, Finish, ModelRequest, TextDelta, UsageDelta
from promptrails_engine.testing import ToolUse
from tests.engine.side_kit import PRICED, Roles, replies, roles, schema, side_agent

VALID = {"output_schema": schema(x={"type": "integer"})}


def others() -> set[asyncio.Task[Any]]:
    return {task for task in asyncio.all_tasks() if task is not asyncio.current_task()}


# ------------------------------------------------------------------ the end of the run


async def test_cancelling_the_execution_ends_every_branch_and_leaves_no_task():
    async with roles({"a": "A", "b": "B"}, held="ab") as (engine, model):
        await side_agent(engine, "ab", failure_policy="settle")  # a policy bears failures, not the run's own end
        before = others()
        stream = engine.agents.stream("Side", {})
        execution_id = (await anext(stream)).execution_id  # type: ignore[union-attr] # the first event has it
        await model.all_arrived()
        await engine.executions.cancel(execution_id)
        assert [event.type async for event in stream] == ["error"]
        assert (await stream.result()).status == "cancelled"
        assert model.open == set()
        assert others() == before
        spans = await engine.traces.list(execution_id=execution_id, status="error")
        assert {span.error_type for span in spans} == {"cancelled"}
        assert {span.name for span in spans} >= {"a", "b", "Side"}


async def test_a_caller_that_is_cancelled_takes_all_branches_along():
    async with roles({"a": "A", "b": "B"}, held="ab") as (engine, model):
        await side_agent(engine, "ab", failure_policy="quorum", quorum=1)
        call = asyncio.create_task(engine.agents.execute("Side", {}))
        await model.all_arrived()
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        assert model.open == set()
        assert [execution.status for execution in await engine.executions.list()] == ["cancelled"]


async def test_the_run_limit_ends_every_branch():
    async with roles({"a": "A", "b": "B"}, held="ab", limits=Limits(timeout_s=0.02)) as (engine, model):
        await side_agent(engine, "ab", failure_policy="settle")
        assert (await engine.agents.execute("Side", {})).error_code == "run_timeout"
        assert model.open == set()


async def test_a_limit_of_one_call_is_a_failure_of_its_branch_alone():
    async with roles({"a": "A", "b": "B"}, held="b", limits=Limits(first_token_s=0.01)) as (engine, _):
        await side_agent(engine, "ab", failure_policy="settle")
        output = (await engine.agents.execute("Side", {}, limits=Limits(call_s=0.02))).output or {}
        assert output["errors"]["b"]["code"] == "timeout"
        assert output["a"]["content"] == "A"


# ------------------------------------------------------------------ branches that will not go


class Stubborn(Roles):
    """Its role `endless` swallows cancellations, and talks on."""

    said = 0

    async def stream(self, request: ModelRequest) -> AsyncIterator[Delta]:
        if not request.messages[-1].content.startswith("endless"):
            async for delta in super().stream(request):
                yield delta
            return
        self.arrived["endless"].set()
        while self.said < 10_000:
            with suppress(asyncio.CancelledError):
                await asyncio.sleep(0)
            self.said += 1
            yield TextDelta("x")
        yield Finish("stop")


async def test_a_model_that_swallows_its_cancellation_does_not_hold_the_run():
    model = Stubborn({"endless": "", "good": '{"x": 1}'}, held=["good"])
    async with AsyncEngine(providers=[model], model="roles/m") as engine:
        await side_agent(engine, ["endless", "good"], agent=VALID, aggregation="first_valid")
        run = asyncio.ensure_future(engine.agents.execute("Side", {}))
        await model.all_arrived()
        model.release("good")
        assert (await run).output == {"x": 1}
        assert model.said < 10_000


async def test_a_tool_call_of_a_branch_that_is_cancelled_has_an_end_for_those_who_listen():
    called = asyncio.Event()

    async def wait() -> str:
        """Wait."""
        called.set()
        await asyncio.Event().wait()
        return "never"

    async with roles({"a": ToolUse("wait"), "b": '{"x": 1}'}, held="b", tools=[wait]) as (engine, model):
        await side_agent(engine, "ab", agent={**VALID, "tools": ["wait"]}, aggregation="first_valid")
        stream = engine.agents.stream("Side", {})
        await anext(stream)
        await called.wait()
        await model.all_arrived()
        model.release("b")
        rest = [event async for event in stream]
        assert [event.type for event in rest] == ["tool_start", "tool_end", "content", "done"]
        assert rest[0].id == rest[1].id  # type: ignore[union-attr] # events of tools have one


async def test_a_tool_that_swallows_its_cancellation_does_not_go_on_with_its_branch():
    called = asyncio.Event()

    async def stubborn() -> str:
        """Go on."""
        called.set()
        with suppress(asyncio.CancelledError):
            await asyncio.Event().wait()
        return "I go on"

    async with roles({"a": ToolUse("stubborn"), "b": '{"x": 1}'}, held="b", tools=[stubborn]) as (engine, model):
        await side_agent(engine, "ab", agent={**VALID, "tools": ["stubborn"]}, aggregation="first_valid")
        run = asyncio.ensure_future(engine.agents.execute("Side", {}))
        await called.wait()
        await model.all_arrived()
        model.release("b")
        assert (await run).output == {"x": 1}
        assert len(model.requests["a"]) == 1


async def test_a_tool_that_cancels_its_own_task_fails_its_branch_and_nothing_else():
    async def quit() -> str:
        """Leave."""
        task = asyncio.current_task()
        assert task is not None
        task.cancel()
        await asyncio.sleep(0)
        return "never"

    async with roles({"a": ToolUse("quit"), "b": "B"}, tools=[quit]) as (engine, _):
        await side_agent(engine, "ab", agent={"tools": ["quit"]}, failure_policy="settle")
        output = (await engine.agents.execute("Side", {})).output or {}
        assert output["b"]["content"] == "B"
        assert "nobody had asked for" in output["errors"]["a"]["message"]


# ------------------------------------------------------------------ what branches share


class Heard:
    """A tool whose result comes once `gate` is open, and a model that sets `told` when it has that."""

    def __init__(self) -> None:
        self.gate, self.told = asyncio.Event(), asyncio.Event()

    async def look(self) -> str:
        """Look."""
        await self.gate.wait()
        return "seen"

    def answer(self, request: ModelRequest) -> Any:
        if request.messages[-1].role != "tool":
            return ToolUse("look")
        self.told.set()
        return "A"


@pytest.mark.parametrize("listening", [False, True])
async def test_another_attempt_of_one_branch_takes_nothing_back_of_what_another_said(listening: bool):
    heard = Heard()
    answers = {"a": heard.answer, "b": replies(RateLimitError("no", retry_after_s=0.0), "B")}
    async with roles(answers, held="b", tools=[heard.look]) as (engine, model):
        await side_agent(engine, "ab", agent={"tools": ["look"]})
        stream = engine.agents.stream("Side", {})
        if listening:
            await anext(stream)
        run = asyncio.ensure_future(stream.result() if listening else engine.agents.execute("Side", {}))
        await model.all_arrived()
        heard.gate.set()  # the end of the tool call is said while the first attempt of b is under way
        await heard.told.wait()
        model.release("b")
        result = await run
        assert (result.status, result.error) == ("completed", "")
        said = [event async for event in engine.executions.stream(result.execution_id)]
        assert [event.type for event in said] == ["execution", "tool_start", "tool_end", "content", "done"]
        assert [event.seq for event in said] == [1, 2, 3, 4, 5]
        assert len(model.requests["b"]) == 2


async def test_a_fallback_model_answers_for_one_branch_while_another_is_heard():
    class Down(Roles):
        name = "down"

    heard = Heard()
    down = Down({"b": RateLimitError("no", retry_after_s=999)}, held="b")
    model = Roles({"a": heard.answer, "b": "B"})
    async with AsyncEngine(providers=[model, down], model="roles/m", tools=[heard.look]) as engine:
        await side_agent(engine, "ab", agent={"tools": ["look"]})
        both = {"llm_model_id": "down/m", "fallback_llm_model_id": "roles/m"}
        await engine.prompts.create_version("p b", user_prompt="b:", set_current=True, **both)
        stream = engine.agents.stream("Side", {})
        await anext(stream)
        await down.all_arrived()
        heard.gate.set()
        await heard.told.wait()
        down.release("b")
        result = await stream.result()
        assert (result.output or {})["b"]["content"] == "B"
        assert [event.type async for event in stream] == ["tool_start", "tool_end", "content", "done"]


async def test_open_ended_calls_get_equal_parts_of_a_budget():
    async with roles(dict.fromkeys("abcd", "x"), held="abcd", limits=Limits(max_total_tokens=4000)) as (engine, model):
        await side_agent(engine, "abcd")
        run = asyncio.ensure_future(engine.agents.execute("Side", {}))
        await model.all_arrived()  # all of them, although the first one could have taken everything
        parts = [model.requests[role][0].max_tokens or 0 for role in "abcd"]
        assert max(parts) - min(parts) <= 60
        assert 3600 < sum(parts) < 4000
        for role in "abcd":
            model.release(role)
        assert (await run).status == "completed"


async def test_a_call_that_does_not_fit_for_now_waits_for_another_to_settle():
    prompt = {"max_tokens": 300}
    async with roles({"a": "x", "b": "y"}, held="ab", limits=Limits(max_total_tokens=500)) as (engine, model):
        await side_agent(engine, "ab", prompt=prompt)
        run = asyncio.ensure_future(engine.agents.execute("Side", {}))
        await model.arrived["a"].wait()
        assert not model.requests["b"]
        model.release("a")
        model.release("b")
        result = await run
        assert (result.status, result.token_usage["total_tokens"]) == ("completed", 24)


async def test_a_call_that_can_never_fit_fails_once_nothing_is_under_way():
    async with roles({"a": "x", "b": "y"}, limits=Limits(max_total_tokens=318)) as (engine, model):
        await side_agent(engine, "ab", prompt={"max_tokens": 300}, failure_policy="settle")
        output = (await engine.agents.execute("Side", {})).output or {}
        assert output["errors"]["b"]["code"] == "budget_exceeded"
        assert model.requests["b"] == []


@settings(max_examples=60)
@given(
    limit=st.integers(20, 400),
    own=st.lists(st.none() | st.integers(1, 120), min_size=1, max_size=5),
    used=st.lists(st.integers(0, 60), min_size=5, max_size=5),
)
def test_whatever_runs_at_once_a_budget_is_never_passed(limit: int, own: list[int | None], used: list[int]) -> None:
    names = "abcde"[: len(own)]

    class Metered(Roles):
        async def stream(self, request: ModelRequest) -> AsyncIterator[Delta]:
            role = request.messages[-1].content[0]
            self.requests[role].append(request)
            await asyncio.sleep(0)
            yield TextDelta("x")
            completion = min(used[names.index(role)], request.max_tokens or 0)
            prompt = len(request.messages[-1].content)  # fewer than a token a byte: the worst case is worse
            yield UsageDelta(TokenUsage(prompt, completion, prompt + completion))
            yield Finish("stop")

    async def main() -> None:
        model = Metered(dict.fromkeys(names, ""))
        async with AsyncEngine(providers=[model], model="roles/m", limits=Limits(max_total_tokens=limit)) as engine:
            links = []
            for place, role in enumerate(names):
                made = await engine.prompts.create(f"p {role}", user_prompt=role, max_tokens=own[place])
                links.append({"prompt_id": made.id, "role": role, "sort_order": place})
            config = {"type": "multi_agent", "prompt_ids": links, "failure_policy": "settle"}
            await engine.agents.create("Side", config=config)
            result = await engine.agents.execute("Side", {})
            assert result.token_usage.get("total_tokens", 0) <= limit
            for place, role in enumerate(names):
                for request in model.requests[role]:
                    assert request.max_tokens is not None
                    assert own[place] is None or request.max_tokens == own[place]
            if result.status == "completed":
                assert set(result.output or {}) - {"errors"} == {role for role in names if model.requests[role]}
            else:
                assert result.error_code == "branches_failed"

    asyncio.run(main())


async def test_calls_of_tools_that_are_refused_do_not_count_against_other_branches():
    async def look() -> str:
        """Look."""
        return "seen"

    greedy = [ToolUse("look", id=f"call_{n}") for n in range(3)]
    answers = {"a": greedy, "b": replies(ToolUse("look"), "B")}
    async with roles(answers, held="b", tools=[look], limits=Limits(max_tool_calls=2)) as (engine, model):
        await side_agent(engine, "ab", agent={"tools": ["look"]}, failure_policy="settle")
        run = asyncio.ensure_future(engine.agents.execute("Side", {}))
        await model.ended["a"].wait()
        model.release("b")
        output = (await run).output or {}
        assert output["errors"]["a"]["code"] == "budget_exceeded"
        assert output["b"]["content"] == "B"


async def test_totals_add_up_over_branches_and_a_loser_under_way_makes_the_cost_unknown():
    async with roles({"a": "x", "b": "y", "c": "z"}, held="c", models=[PRICED]) as (engine, model):
        await side_agent(engine, "abc", failure_policy="quorum", quorum=2)
        result = await engine.agents.execute("Side", {})
        assert set(result.output or {}) == {"a", "b"}
        assert result.token_usage["total_tokens"] == 24
        assert result.cost is None
        assert result.cost_known == pytest.approx(2 * (10 * 1.0 + 2 * 10.0) / 1e6)
        summary = await engine.costs.get_summary()
        assert (summary.total_tokens, summary.unknown_cost_executions) == (24, 1)
        assert model.open == set()
