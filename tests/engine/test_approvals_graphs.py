"""Approvals beside each other: prompts of a multi_agent, nodes of a workflow, and nodes that ask by themselves."""

from __future__ import annotations

from typing import Any

import pytest

from promptrails_engine import (
    AsyncEngine,
    MultiAgentConfig,
    PromptLink,
    WorkflowAgentConfig,
    WorkflowNode,
)
from promptrails_engine.testing import ToolUse
from tests.engine.families import agent, composite, step
from tests.engine.flows import node, prompts, workflow
from tests.engine.kit import scripted
from tests.engine.park_kit import Ledger, approved, decide, guarded, pending, shape_of, types_of, worker

pytestmark = pytest.mark.usefixtures("each_store")

TEXTS = {"a": "write a", "b": "say b", "c": "say c"}


def as_data(request: Any) -> Any:
    found = worker(request)
    return {"text": found} if isinstance(found, str) else found


async def many(engine: AsyncEngine, output_schema: Any = None, **more: Any) -> None:
    links = [PromptLink(name, name, place) for place, name in enumerate("abc")]
    config = MultiAgentConfig(links, **more)
    await engine.agents.create("Many", config=config, tools=guarded("write"), output_schema=output_schema)


def waits(id: str, *depends_on: str, **more: Any) -> WorkflowNode:
    return WorkflowNode(id, list(depends_on), node_type="approval", **more)


# ------------------------------------------------------------------ multi_agent


@pytest.mark.parametrize(
    "more",
    [{}, {"failure_policy": "settle"}, {"failure_policy": "quorum", "quorum": 3}, {"aggregation": "vote"}],
)
async def test_of_prompts_side_by_side_the_others_go_on(more: dict[str, Any]):
    ledger = Ledger()
    async with prompts(TEXTS, worker, tools=[ledger.tool("write")]) as (engine, provider):
        await many(engine, **more)
        free = await engine.agents.create(
            "Free", config=MultiAgentConfig([PromptLink(n, n, i) for i, n in enumerate("abc")], **more), tools=["write"]
        )
        waiting = await engine.agents.execute("Many", {})
        assert (waiting.status, len(provider.requests), ledger.lines) == ("awaiting_approval", 3, [])
        result = await decide(engine, waiting)
        assert (result.status, len(provider.requests), ledger.lines) == ("completed", 4, ["write a"])
        other = await engine.agents.execute(free.id, {})
        assert result.output == other.output
        assert result.token_usage == other.token_usage
        below = [[path[1:] for path in await shape_of(engine, one)] for one in (result, other)]
        assert below[0] == below[1]


async def test_one_that_fails_ends_the_others_that_wait():
    ledger = Ledger()
    async with prompts({**TEXTS, "b": "no"}, worker, tools=[ledger.tool("write")]) as (engine, _):
        await many(engine)
        result = await engine.agents.execute("Many", {})
        assert (result.status, result.error_code) == ("failed", "bad_request")
        assert len(await engine.approvals.list()) == 0
        errors = {path[-1][2]: path[-1][4] for path in await shape_of(engine, result) if path[-1][0] == "agent_step"}
        assert errors["roles[b]"] == "bad_request"
        assert errors["roles[a]"] == "cancelled"


@pytest.mark.parametrize("decision", ["approved", "rejected"])
async def test_a_failure_that_is_borne_is_not_met_again(decision: str):
    ledger = Ledger()
    async with prompts({**TEXTS, "b": "no"}, worker, tools=[ledger.tool("write")]) as (engine, provider):
        await many(engine, failure_policy="settle")
        result = await decide(engine, await engine.agents.execute("Many", {}), decision)
        assert result.output is not None
        assert (result.status, len(provider.requests)) == ("completed", 4)
        assert result.output["errors"] == {"b": {"code": "bad_request", "message": "no"}}
        did = "write did a" if decision == "approved" else '{"error":"denied"}'
        assert result.output["a"]["content"] == f"[{did}]"


@pytest.mark.parametrize(
    "more",
    [
        {"aggregation": "first_valid", "output_schema": {"type": "object"}},
        {"failure_policy": "quorum", "quorum": 2, "aggregation": "vote"},
    ],
)
async def test_who_is_not_needed_is_not_waited_for(more: dict[str, Any]):
    async with prompts({**TEXTS, "c": "say b"}, as_data, tools=[Ledger().tool("write")]) as (engine, _):
        await many(engine, **more)
        result = await engine.agents.execute("Many", {})
        assert result.status == "completed"
        assert len(await engine.approvals.list()) == 0
        assert "approval_required" not in await types_of(engine, result.execution_id)
        await shape_of(engine, result)


async def test_the_first_valid_may_be_the_one_that_waited():
    texts = {"a": "write a", "b": "no", "c": "no"}
    async with prompts(texts, as_data, tools=[Ledger().tool("write")]) as (engine, provider):
        await many(engine, aggregation="first_valid", output_schema={"type": "object"})
        result = await decide(engine, await engine.agents.execute("Many", {}))
        assert (result.text, len(provider.requests)) == ("[write did a]", 4)


async def test_a_quorum_may_have_to_wait():
    texts = {"a": "write a", "b": "say b", "c": "no"}
    async with prompts(texts, worker, tools=[Ledger().tool("write")]) as (engine, _):
        await many(engine, failure_policy="quorum", quorum=2)
        result = await decide(engine, await engine.agents.execute("Many", {}))
        assert result.output is not None
        assert set(result.output) - {"errors"} == {"a", "b"}  # c may have failed before b had answered


async def test_routers_and_aggregators_wait_too():
    ledger = Ledger()
    wanted = {"roles": ["a", "c"]}

    def reply(request: Any) -> Any:
        last = request.messages[-1]
        if last.content == "route":
            return ToolUse("write", {"what": "route"})
        return wanted if last.content == "write did route" else worker(request)

    texts = {**TEXTS, "router": "route", "sum": "write {{ results.a.text }} {{ results.c.text }}"}
    async with prompts(texts, reply, tools=[ledger.tool("write")]) as (engine, provider):
        await many(engine, router_prompt_id="router", aggregation="prompt", aggregator_prompt_id="sum")
        result = await approved(engine, await engine.agents.execute("Many", {}))
        assert result.text == "[write did [write did a] <say c>]"
        assert ledger.lines == ["write route", "write a", "write [write did a] <say c>"]
        assert len(provider.requests) == 7


# ------------------------------------------------------------------ nodes that ask


async def test_a_node_that_asks_shows_what_came_before():
    async with prompts({"a": "A", "b": "{{ gate.status }} {{ gate.payload.content }}"}, worker) as (engine, _):
        await workflow(engine, node("a"), waits("gate", "a", checkpoint_name="look"), node("b", "gate"))
        waiting = await engine.agents.execute("Flow", {})
        [request] = await pending(engine, waiting)
        assert (request.checkpoint_name, request.payload, request.key) == (
            "look",
            {"content": "<A>"},
            "nodes[gate]/approval",
        )
        result = await decide(engine, waiting)
        assert result.text == "<approved <A>>"


async def test_what_it_shows_may_be_said():
    async with prompts({"a": "A"}, worker) as (engine, _):
        mapping = {"amount": "{{ amount }}", "text": "of {{ steps.a.text }}"}
        await workflow(engine, node("a"), waits("gate", "a", input_mapping=mapping))
        waiting = await engine.agents.execute("Flow", {"amount": 12})
        [request] = await pending(engine, waiting)
        assert (request.checkpoint_name, request.payload) == ("gate", {"amount": 12, "text": "of <A>"})
        [request] = await pending(engine, waiting)
        await engine.approvals.decide(request.id, "approved", "good", decided_by="ann", resume=False)
        result = await engine.executions.resume(waiting.execution_id)
        assert result.output == {
            "status": "approved",
            "reason": "good",
            "decided_by": "ann",
            "payload": {"amount": 12, "text": "of <A>"},
        }


@pytest.mark.parametrize("policy", ["fail_fast", "settle"])
async def test_a_rejection_ends_the_run_whatever_the_policy(policy: str):
    ledger = Ledger()
    tools = [ledger.tool("write")]
    async with prompts({"a": "A", "b": "say b"}, worker, tools=tools) as (engine, _):
        does = node("does", "gate", tool="write", input_mapping={"what": "x"})
        await workflow(engine, node("a"), waits("gate", "a"), does, node("b"), failure_policy=policy)
        result = await decide(engine, await engine.agents.execute("Flow", {}), "rejected")
        assert (result.status, result.error_code, ledger.lines) == ("rejected", "approval_rejected", [])
        assert result.error == "'gate' was denied"


@pytest.mark.parametrize(("decision", "written"), [("approved", ["write yes"]), ("rejected", ["write no"])])
async def test_a_rejection_may_be_a_result_that_conditions_read(decision: str, written: list[str]):
    ledger = Ledger()
    async with prompts({"a": "A"}, worker, tools=[ledger.tool("write")]) as (engine, _):
        nodes = [
            node(
                name,
                "gate",
                tool="write",
                input_mapping={"what": name},
                condition=f"steps.gate.output.status == '{is_}'",
            )
            for name, is_ in {"yes": "approved", "no": "rejected"}.items()
        ]
        await workflow(engine, node("a"), waits("gate", "a", on_rejected="go_on"), *nodes)
        result = await decide(engine, await engine.agents.execute("Flow", {}), decision)
        assert (result.status, ledger.lines) == ("completed", written)


async def test_two_that_ask_at_once_are_decided_one_by_one():
    ledger = Ledger()
    async with prompts({"a": "A"}, worker, tools=[ledger.tool("write")]) as (engine, provider):
        does = [node(f"do_{n}", n, tool="write", input_mapping={"what": n}) for n in ("one", "two")]
        await workflow(
            engine,
            node("a"),
            waits("one", "a"),
            waits("two", "a"),
            *does,
            node("end", "do_one", "do_two", prompt_id="a"),
        )
        waiting = await engine.agents.execute("Flow", {})
        first, second = await pending(engine, waiting)
        await engine.approvals.decide(second.id, "approved")
        assert (await engine.executions.get(waiting.execution_id)).status == "awaiting_approval"
        assert ledger.lines == []
        await engine.approvals.decide(first.id, "approved", resume=False)
        result = await engine.executions.resume(waiting.execution_id)
        assert (result.text, sorted(ledger.lines), len(provider.requests)) == ("<A>", ["write one", "write two"], 2)
        types = await types_of(engine, result.execution_id)
        assert types[:3] == ["execution", "approval_required", "approval_required"]
        assert types[-2:] == ["content", "done"]


async def test_every_item_of_a_list_is_asked_for_at_once():
    """More of them than run at once: who waits takes no place."""
    async with prompts({"a": "A"}, worker) as (engine, _):
        gate = waits(
            "gate", map_over="input.whats", map_concurrency=2, input_mapping={"what": "{{ item }}"}, on_rejected="go_on"
        )
        await workflow(engine, gate)
        waiting = await engine.agents.execute("Flow", {"whats": list("abcde")})
        requests = await pending(engine, waiting)
        assert [request.payload for request in requests] == [{"what": what} for what in "abcde"]
        result = await decide(engine, waiting, "approved", "rejected", "approved")
        assert result.output is not None
        assert [one["status"] for one in result.output["value"]] == ["approved", "rejected", *["approved"] * 3]


async def test_guarded_calls_of_mapped_nodes_wait():
    ledger = Ledger()
    async with prompts({"a": "write {{ item }}"}, worker, tools=[ledger.tool("write")]) as (engine, provider):
        mapped = WorkflowNode("a", prompt_id="a", map_over="input.whats")
        config = WorkflowAgentConfig([mapped])
        await engine.agents.create("Flow", config=config, tools=guarded("write"))
        result = await decide(engine, await engine.agents.execute("Flow", {"whats": ["x", "y", "z"]}))
        assert result.output == {"value": [f"[write did {what}]" for what in "xyz"]}
        assert (sorted(ledger.lines), len(provider.requests)) == (["write x", "write y", "write z"], 6)


async def test_a_node_that_failed_and_was_borne_is_not_run_again():
    ledger = Ledger()
    tools = [ledger.tool("broken", fails=True), ledger.tool("write")]
    async with prompts({"a": "no"}, worker, tools=tools) as (engine, provider):
        nodes = [
            node("broken", tool="broken", input_mapping={"what": "x"}),
            node("a"),
            node("after", "broken", tool="write", input_mapping={"what": "never"}),
            waits("gate"),
            node("write", "gate", tool="write", input_mapping={"what": "y"}),
        ]
        await workflow(engine, *nodes, failure_policy="settle")
        waiting = await engine.agents.execute("Flow", {})
        assert (waiting.status, ledger.lines, len(provider.requests)) == ("awaiting_approval", ["broken x"], 1)
        result = await decide(engine, waiting)
        assert result.output is not None
        assert (ledger.lines, len(provider.requests)) == (["broken x", "write y"], 1)
        errors = {name: error["code"] for name, error in result.output["errors"].items()}
        assert errors == {"broken": "tool_failed", "a": "bad_request", "after": "blocked"}
        types = await types_of(engine, result.execution_id)
        assert (types.count("tool_start"), types.count("tool_end")) == (2, 2)


async def test_a_workflow_with_a_node_that_asks_waits_inside_others():
    async with scripted(worker) as (engine, _):
        config = WorkflowAgentConfig([waits("gate", input_mapping={"n": "{{ n }}"})])
        await engine.agents.create("Gate", config=config)
        await agent(engine, "last", "say {{ g.status }}")
        mapping = {"g": "{{ gate }}"}
        await composite(engine, step("gate", agent_id="Gate"), step("last", "gate", input_mapping=mapping))
        waiting = await engine.agents.execute("Team", {"n": 3})
        [request] = await pending(engine, waiting)
        assert (request.payload, request.root_execution_id) == ({"n": 3}, waiting.execution_id)
        assert (await decide(engine, waiting)).text == "<say approved>"
        rejected = await decide(engine, await engine.agents.execute("Team", {"n": 3}), "rejected")
        assert (rejected.status, rejected.error_code) == ("failed", "approval_rejected")
        [child] = (await engine.executions.get(rejected.execution_id)).children
        assert child.status == "rejected"
