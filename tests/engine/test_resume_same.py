"""A run that has waited is the run that would not have: answers kept, lost, mended or handed on before the pause."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from promptrails_engine import (
    AsyncEngine,
    ContentEvent,
    MultiAgentConfig,
    PromptLink,
    ServerError,
    SubAgentAttachment,
    WorkflowAgentConfig,
    WorkflowNode,
)
from promptrails_engine.ports.provider import ModelCapabilities
from promptrails_engine.testing import Reply, ToolUse
from tests.engine.families import PRICED, agent
from tests.engine.flows import node
from tests.engine.kit import SCHEMA, scripted
from tests.engine.park_kit import Ledger, approved, decide, events_of, guarded, shape_of, tree_of

pytestmark = pytest.mark.usefixtures("each_store")

WRITE = ToolUse("write", {"what": "it"})
EMULATED = '{"tool": "write", "arguments": {"what": "it"}}'


async def cached(engine: AsyncEngine, tools: Any) -> None:
    prompt = {"user_prompt": "A", "cache_timeout": 60, "llm_model_id": "mine"}
    await agent(engine, "First", prompt, tools=["write"])
    await engine.agents.execute("First", {})
    found = await engine.agents.get("First")
    assert found.current_version is not None
    await engine.agents.create("It", config=found.current_version.config, tools=tools)


async def falling_back(engine: AsyncEngine, tools: Any) -> None:
    config = {"model_id": "scripted/other", "fallback_model_id": "mine"}
    await agent(engine, "It", "A", tools=tools, model_config=config)


async def mended(engine: AsyncEngine, tools: Any) -> None:
    await agent(engine, "It", {"user_prompt": "A", "output_schema": SCHEMA}, tools=tools)


async def plain(engine: AsyncEngine, tools: Any) -> None:
    await agent(engine, "It", "A", tools=tools)


async def with_window(engine: AsyncEngine, tools: Any) -> None:
    await agent(engine, "helper", "H {{ task }}", tools=tools)
    sub = SubAgentAttachment("helper", mode="handoff", context_mode="window")
    await agent(engine, "It", "A", sub_agents=[sub], tools=tools)


DOWN = ServerError("down")
CASES: dict[str, tuple[Any, list[Any]]] = {
    "cached": (cached, [WRITE, "done"]),
    "fallback": (falling_back, [*[DOWN] * 3, WRITE, *[DOWN] * 3, "done"]),
    "attempts": (plain, [DOWN, Reply("half", error=DOWN), WRITE, DOWN, "done"]),
    "empty": (plain, [Reply(), WRITE, Reply(), "done"]),
    "cut": (plain, [Reply("half", tool_calls=[WRITE], finish="length"), WRITE, "done"]),
    "thinking": (plain, [Reply("Let me.", thinking="Hm, hm.", tool_calls=[WRITE]), Reply("done", thinking="Ah.")]),
    "mended": (mended, [WRITE, {"category": "?"}, WRITE, "nothing", {"category": "order"}]),
    "window": (with_window, [WRITE, ToolUse("helper", {"task": "x"}), WRITE, "done"]),
    "emulated": (plain, [EMULATED, '{"answer": "done"}']),
}


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Attempts follow each other without a wait."""
    monkeypatch.setattr("promptrails_engine.run.retry._BASE_S", 0.0)


@pytest.mark.parametrize("case", CASES)
async def test_a_pause_changes_nothing(case: str):
    build, replies = CASES[case]
    told: list[Any] = []
    for tools in (["write"], guarded("write")):
        ledger = Ledger()
        more: dict[str, Any] = {"tools": [ledger.tool("write")], "models": [PRICED]}
        if case == "emulated":
            more["capabilities"] = ModelCapabilities(tools="emulated")
        async with scripted(replies, workspace_id=str(type(tools[0])), **more) as (engine, provider):
            await build(engine, tools)
            result = await approved(engine, await engine.agents.execute("It", {}))
            assert result.status == "completed", result.error
            events = [
                (event.type, event.content if isinstance(event, ContentEvent) else None)
                for event in await events_of(engine, result.execution_id)
                if event.type != "approval_required"
            ]
            asked = [[(m.role, m.content, m.thinking) for m in one.messages] for one in provider.requests]
            told.append(
                (await tree_of(engine, result), await shape_of(engine, result), ledger.lines, asked, _joined(events))
            )
    assert told[0] == told[1]


def _joined(events: list[tuple[str, str | None]]) -> list[tuple[str, str | None]]:
    """Pieces of an answer as one."""
    found: list[tuple[str, str | None]] = []
    for type, text in events:
        if text is not None and found and found[-1][0] == type:
            found[-1] = (type, (found[-1][1] or "") + text)
        else:
            found.append((type, text))
    return found


# ------------------------------------------------------------------ what was stopped is not begun again


async def test_who_was_not_needed_before_a_pause_is_not_asked_after_it():
    """Nor does what it was doing leave a doubt."""
    ledger, working = Ledger(), asyncio.Event()

    async def slow(what: str) -> str:
        """Works."""
        ledger.lines.append(f"slow {what}")
        working.set()
        await asyncio.Event().wait()
        return "never"

    async def reply(request: Any) -> Any:
        last = request.messages[-1]
        if last.content == "slow":
            return ToolUse("slow", {"what": "it"})
        if last.role != "tool" and last.content != "sum":
            await working.wait()
        return WRITE if last.content == "sum" else f"<{last.content}>"

    async with scripted(reply, tools=[slow, ledger.tool("write")], models=[PRICED]) as (engine, provider):
        for name in ("slow", "a", "b", "sum"):
            await engine.prompts.create(name, user_prompt=name, llm_model_id="mine")
        links = [PromptLink(name, name, place) for place, name in enumerate(("slow", "a", "b"))]
        config = MultiAgentConfig(
            links, aggregation="prompt", aggregator_prompt_id="sum", failure_policy="quorum", quorum=2
        )
        await engine.agents.create("It", config=config, tools=[*guarded("write"), "slow"])
        waiting = await engine.agents.execute("It", {})
        assert (waiting.status, ledger.lines, len(provider.requests)) == ("awaiting_approval", ["slow it"], 4)
        result = await decide(engine, waiting)
        assert (result.text, len(provider.requests)) == ("<write did it>", 5)
        assert ledger.lines == ["slow it", "write it"]
        assert await engine.executions.doubts(result.execution_id) == []


async def test_what_a_failure_that_was_borne_has_stopped_is_not_begun_again():
    ledger, working = Ledger(), asyncio.Event()

    async def work(what: str) -> str:
        """Works."""
        ledger.lines.append(what)
        if what == "b":
            await working.wait()
            raise ValueError("broken")
        working.set()
        await asyncio.Event().wait()
        return "never"

    async with scripted([], tools=[work]) as (engine, _):
        nodes = [
            WorkflowNode(
                "m", node_type="tool", tool="work", input_mapping={"what": "{{ item }}"}, map_over="['a', 'b']"
            ),
            WorkflowNode("gate", node_type="approval", input_mapping={"n": 1}),
            node("end", "gate", node_type="approval", prompt_id=None, input_mapping={"n": 2}),
        ]
        await engine.agents.create("It", config=WorkflowAgentConfig(nodes, failure_policy="settle"))
        result = await approved(engine, await engine.agents.execute("It", {}))
        assert result.output is not None
        assert (sorted(ledger.lines), result.output["errors"]["m"]["code"]) == (["a", "b"], "tool_failed")
        assert "broken" in result.output["errors"]["m"]["message"]
