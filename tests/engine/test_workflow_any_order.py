"""Workflows of any shape: the same result whatever comes first, worked out beside them node by node."""

from __future__ import annotations

import asyncio
from random import Random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from promptrails_engine import WorkflowNode
from promptrails_engine.testing import Reply
from tests.engine.flows import prompts, spans_of, workflow

JOINS = ["any", "all", "always"]


@st.composite
def flows(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Nodes with what they depend on, whether they run, and how they join, in any order of mention."""
    nodes: list[dict[str, Any]] = []
    for index in range(draw(st.integers(1, 7))):
        before = [each["id"] for each in nodes]
        nodes.append(
            {
                "id": f"n{index}",
                "parents": draw(st.lists(st.sampled_from(before), unique=True)) if before else [],
                "act": draw(st.sampled_from(["run", "run", "run", "skip", "fail"])),
                "join": draw(st.sampled_from(JOINS)),
            }
        )
    return draw(st.permutations(nodes))


def verdict(each: dict[str, Any], states: dict[str, str]) -> str:
    before = [states[parent] for parent in each["parents"]]
    if each["join"] != "always":
        if {"failed", "blocked"} & set(before):
            return "blocked"
        if before and set(before) == {"skipped"}:
            return "skipped"
        if each["join"] == "all" and "skipped" in before:
            return "skipped"
    return {"run": "done", "skip": "skipped", "fail": "failed"}[each["act"]]


def worked_out(nodes: list[dict[str, Any]]) -> tuple[dict[str, str], dict[str, str | None]]:
    """State and text of every node, without any engine."""
    states: dict[str, str] = {}
    texts: dict[str, str | None] = {}
    for each in sorted(nodes, key=lambda found: str(found["id"])):
        state = states[each["id"]] = verdict(each, states)
        inside = ",".join(str(texts[parent]) for parent in each["parents"])
        texts[each["id"]] = f"{each['id']}({inside})" if state == "done" else None
    return states, texts


def expected(nodes: list[dict[str, Any]]) -> Any:
    """The output, without what failed; None where the run fails."""
    states, texts = worked_out(nodes)
    used = {parent for each in nodes for parent in each["parents"]}
    sinks = [each["id"] for each in nodes if each["id"] not in used]
    if "failed" in states.values() and all(states[name] in ("failed", "blocked") for name in sinks):
        return None
    found = {name: None if texts[name] is None else {"content": texts[name], "type": "text"} for name in sinks}
    if len(sinks) > 1:
        return found
    return found[sinks[0]] or {"value": None}


def built(each: dict[str, Any]) -> WorkflowNode:
    condition = "input.never" if each["act"] == "skip" else None
    return WorkflowNode(each["id"], each["parents"], each["id"], condition=condition, join=each["join"])


def template(each: dict[str, Any]) -> str:
    inside = ",".join("{{ " + parent + " }}" for parent in each["parents"])
    return ("FAIL" if each["act"] == "fail" else "") + f"{each['id']}({inside})"


@settings(max_examples=40, deadline=None)
@given(flows(), st.integers(0, 2**32))
async def test_the_result_does_not_hang_on_who_is_first(nodes: list[dict[str, Any]], seed: int) -> None:
    random = Random(seed)
    asked: list[str] = []
    answered: list[str] = []

    async def replies(request: Any) -> Any:
        content = request.messages[-1].content
        name = content.removeprefix("FAIL").partition("(")[0]
        ran = {each["id"] for each in nodes if states[each["id"]] in ("done", "failed")}
        assert set(next(each["parents"] for each in nodes if each["id"] == name)) & ran <= set(answered)
        asked.append(name)
        for _ in range(random.randint(0, 6)):
            await asyncio.sleep(0)
        answered.append(name)
        return Reply(refusal="no") if content.startswith("FAIL") else content

    states, _ = worked_out(nodes)
    async with prompts({each["id"]: template(each) for each in nodes}, replies) as (engine, _):
        agent = await workflow(engine, *map(built, nodes), failure_policy="settle")
        for _ in range(3):
            asked.clear()
            answered.clear()
            result = await engine.agents.execute(agent, {})
            output = result.output
            errors = {} if output is None else output.pop("errors", {})
            assert output == expected(nodes)
            assert sorted(asked) == sorted(name for name, state in states.items() if state in ("done", "failed"))
            if output is None:
                assert result.error_code == "refused"
                continue
            assert set(errors) == {name for name, state in states.items() if state in ("failed", "blocked")}
            spans = await spans_of(engine, result)
            for name, state in states.items():
                span = spans[f"nodes[{name}]"]
                assert ("skipped" in span.attributes) is (state in ("skipped", "blocked"))
                assert (span.status == "error") is (state == "failed")
