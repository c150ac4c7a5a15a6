"""Labels that mean the same over the turns of a session, in tool results, and wherever a run goes on."""

from __future__ import annotations

import asyncio
import json
from itertools import cycle
from pathlib import Path
from typing import Any

import pytest

from promptrails_engine import (
    SimpleAgentConfig,
    SubAgentAttachment,
    ToolAttachment,
    WorkflowAgentConfig,
    WorkflowNode,
    tool,
)
from promptrails_engine.testing import Reply, ToolUse
from tests.guardrails.vault_kit import ANN, BEN, CAT, agent_of, anonymize, desk, everything_told, read

# ------------------------------------------------------------------ sessions


async def test_labels_are_stable_over_a_session_in_other_processes_too(tmp_path: Path) -> None:
    store = f"sqlite:///{tmp_path / 'app.db'}"
    told = []
    for turn, (text, answer) in enumerate(
        [
            (f"I am {ANN}", "Hello [EMAIL_1]"),
            (f"{BEN} asks", "[EMAIL_2] is known to [EMAIL_1]"),
            (f"{CAT} and {ANN}", "[EMAIL_1], [EMAIL_2], [EMAIL_3]"),
        ]
    ):
        engine, provider = desk(store, answer)
        async with engine:
            if turn == 0:
                await agent_of(engine, anonymize(vault="session"))
            result = await engine.agents.execute("Desk", {"text": text}, session_id="s", user_id="u")
            told.append((read(provider), result.text))
            assert "example.org" not in str(provider.requests)
            assert "example.org" not in await everything_told(engine, result.trace_id)
    assert told == [
        (["I am [EMAIL_1]"], f"Hello {ANN}"),
        (["[EMAIL_2] asks"], f"{BEN} is known to {ANN}"),
        (["[EMAIL_3] and [EMAIL_1]"], f"{ANN}, {BEN}, {CAT}"),
    ]


async def test_the_vault_of_a_session_is_that_of_an_agent_and_a_user() -> None:
    engine, provider = desk(None, "it is [EMAIL_1] and [EMAIL_2]")
    async with engine:
        agent = await agent_of(engine, anonymize(vault="session"))
        await engine.agents.execute(agent, {"text": ANN}, session_id="s", user_id="u")
        for session, user in (("s", "another"), ("another", "u"), ("", "u")):
            result = await engine.agents.execute(agent, {"text": BEN}, session_id=session, user_id=user)
            assert result.text == f"it is {BEN} and [EMAIL_2]"
        assert read(provider)[1:] == ["[EMAIL_1]"] * 3


async def test_by_default_a_run_restores_nothing_of_an_earlier_one() -> None:
    engine, provider = desk(None, "it is [EMAIL_1] and [EMAIL_2]")
    async with engine:
        agent = await agent_of(engine, anonymize())
        await engine.agents.execute(agent, {"text": ANN}, session_id="s")
        result = await engine.agents.execute(agent, {"text": BEN}, session_id="s")
        assert result.text == f"it is {BEN} and [EMAIL_2]"
        assert read(provider) == ["[EMAIL_1]", "[EMAIL_1]"]


async def test_a_label_that_a_user_writes_opens_no_value_of_an_earlier_turn() -> None:
    engine, provider = desk(None, lambda request: f"you said {request.messages[-1].content}")
    async with engine:
        agent = await agent_of(engine, anonymize(vault="session"))
        await engine.agents.execute(agent, {"text": ANN}, session_id="s")
        result = await engine.agents.execute(agent, {"text": "who is [EMAIL_1]?"}, session_id="s")
        assert read(provider)[1] == "who is [LITERAL_1]?"
        assert result.text == "you said who is [EMAIL_1]?"


async def test_answers_that_stream_are_restored_from_the_session() -> None:
    engine, _ = desk(None, Reply("x [EMAIL_1] y", chunks=["x [EM", "AIL", "_1", "] y"]))
    async with engine:
        agent = await agent_of(engine, anonymize(vault="session"))
        await engine.agents.execute(agent, {"text": ANN}, session_id="s")
        stream = engine.agents.stream(agent, {"text": "go on"}, session_id="s")
        heard = [event.content async for event in stream if event.type == "content"]  # type: ignore[union-attr]
        assert "".join(heard) == f"x {ANN} y"
        assert len(heard) > 1


async def test_values_of_tools_keep_their_labels_in_the_session() -> None:
    def look_up() -> str:
        """Look it up."""
        return f"it is {BEN}"

    def reply(request: Any) -> Any:
        last = request.messages[-1]
        return ToolUse("look_up", {}) if last.content.startswith("first") else f"read {last.content}"

    engine, provider = desk(None, reply, tools=[look_up])
    async with engine:
        agent = await agent_of(engine, anonymize(vault="session"), tools=["look_up"])
        first = await engine.agents.execute(agent, {"text": f"first {ANN}"}, session_id="s")
        assert first.text == f"read it is {BEN}"
        second = await engine.agents.execute(agent, {"text": f"{CAT} and {BEN}"}, session_id="s")
        assert read(provider) == ["first [EMAIL_1]", "it is [EMAIL_2]", "[EMAIL_3] and [EMAIL_2]"]
        assert second.text == f"read {CAT} and {BEN}"


async def test_what_was_taken_out_before_the_labels_plays_no_part_in_them() -> None:
    def look_up() -> dict[str, str]:
        """Look it up."""
        return {f"key of {CAT}": f"secret of {BEN}"}

    def reply(request: Any) -> Any:
        last = request.messages[-1]
        return ToolUse("look_up", {}) if last.content.startswith("first") else "[EMAIL_1] [EMAIL_2] [EMAIL_3]"

    first = {
        "type": "input",
        "scanner_type": "ban_substrings",
        "action": "redact",
        "config": {"substrings": [CAT, "secret"], "apply_to": ["input", "tool_results"]},
    }
    engine, provider = desk(None, reply, tools=[look_up])
    async with engine:
        agent = await agent_of(engine, first, anonymize(vault="session"), tools=["look_up"])
        result = await engine.agents.execute(agent, {"text": f"first {CAT} and {ANN}"}, session_id="s")
        assert result.text == f"{ANN} {BEN} [EMAIL_3]"
        result = await engine.agents.execute(agent, {"text": f"{BEN}"}, session_id="s")
        assert result.text == f"{ANN} {BEN} [EMAIL_3]"
    assert read(provider) == [
        "first [REDACTED] and [EMAIL_1]", '{"key of [REDACTED]":"[REDACTED] of [EMAIL_2]"}', "[EMAIL_2]",
    ]  # fmt: skip


async def test_what_tools_kept_of_an_earlier_turn_reaches_no_model() -> None:
    kept: list[str] = []

    def keep(what: str) -> str:
        """Keep it."""
        kept.append(what)
        return "kept"

    def recall() -> dict[str, list[str]]:
        """What was kept."""
        return {"kept": kept}

    def reply(request: Any) -> Any:
        last = request.messages[-1]
        if last.role == "tool":
            return f"done: {last.content}"
        return ToolUse("recall", {}) if last.content == "recall" else ToolUse("keep", {"what": "[EMAIL_1]"})

    engine, provider = desk(None, reply, tools=[keep, recall])
    async with engine:
        agent = await agent_of(engine, anonymize(), tools=["keep", "recall"])
        await engine.agents.execute(agent, {"text": ANN}, session_id="s")
        assert kept == [ANN]
        result = await engine.agents.execute(agent, {"text": "recall"}, session_id="s")
        assert result.text == f'done: {{"kept":["{ANN}"]}}'
        assert "example.org" not in str(provider.requests)
        assert "example.org" not in await everything_told(engine, result.trace_id)


# ------------------------------------------------------------------ runs that go on


class Book:
    """A tool that finds people and one that writes to them, once somebody has approved."""

    def __init__(self) -> None:
        self.written: list[str] = []
        self.found = cycle([BEN, CAT])

    async def find(self) -> dict[str, str]:
        """Find somebody."""
        return {"who": next(self.found)}

    async def write(self, to: str) -> str:
        """Write to somebody."""
        self.written.append(to)
        return f"sent to {to}"


def clerk(request: Any) -> Any:
    said = [message.content for message in request.messages if message.role == "tool"]
    if not said:
        return Reply(tool_calls=[ToolUse("find", {}), ToolUse("find", {})])
    if len(said) == 2:
        return ToolUse("write", {"to": json.loads(said[1])["who"]})
    return f"{said}"


@pytest.mark.parametrize("effect", ["pure", "effect"])
@pytest.mark.parametrize("stored", [False, True])
async def test_a_run_that_goes_on_gives_the_same_labels(tmp_path: Path, effect: Any, stored: bool) -> None:
    store = f"sqlite:///{tmp_path / 'app.db'}" if stored else None
    book = Book()
    tools = [tool(book.find, effect=effect), tool(book.write, effect="effect")]
    engine, provider = desk(store, clerk, tools=tools)
    attached = ["find", ToolAttachment("write", requires_approval=True)]
    async with engine:
        agent = await agent_of(engine, anonymize(), tools=attached)
        result = await engine.agents.execute(agent, {"text": f"from {ANN}"})
        assert result.status == "awaiting_approval"
        [request] = await engine.approvals.list(status="pending")
        asked = request.payload["arguments"]["to"]
        assert asked in (BEN, CAT)  # who decides sees whom it is about
        before = json.loads(provider.requests[1].messages[-1].content)["who"]
        if not stored:
            await engine.approvals.decide(request.id, "approved", resume=False)
            ended = await engine.executions.resume(result.execution_id)
    if stored:
        book.found = cycle([BEN, CAT])
        engine, provider = desk(store, clerk, tools=tools)
        async with engine:
            await engine.approvals.decide(request.id, "approved", resume=False)
            ended = await engine.executions.resume(result.execution_id)
    assert book.written == [asked]
    seen = [message.content for message in provider.requests[-1].messages if message.role == "tool"]
    assert json.loads(seen[1])["who"] == before
    assert seen[2] == f"sent to {before}"
    assert asked in ended.text
    assert "EMAIL" not in ended.text


async def test_branches_that_were_labelled_out_of_turn_keep_their_labels(tmp_path: Path) -> None:
    store = f"sqlite:///{tmp_path / 'app.db'}"
    second = asyncio.Event()

    async def find(who: str) -> str:
        """Find somebody."""
        if who == BEN:
            await second.wait()
        return who

    async def reply(request: Any) -> str:
        if request.messages[-1].content.startswith("two"):
            second.set()
        return str(request.messages[-1].content)

    def node(id: str, *above: str, **more: Any) -> WorkflowNode:
        return WorkflowNode(id, list(above), **more)

    nodes = [
        node("a", node_type="tool", tool="find", input_mapping={"who": BEN}),
        node("one", "a", prompt_id="one"),
        node("b", node_type="tool", tool="find", input_mapping={"who": CAT}),
        node("two", "b", prompt_id="two"),
        node("ok", "one", "two", node_type="approval", checkpoint_name="ok", input_mapping={"said": "{{ one }}"}),
        node("end", "ok", "one", "two", prompt_id="end"),
    ]
    tools = [tool(find, effect="effect")]
    engine, first = desk(store, reply, tools=tools)
    async with engine:
        for name, text in {"one": "one {{ a }}", "two": "two {{ b }}", "end": "{{ one }}, {{ two }}"}.items():
            await engine.prompts.create(name, user_prompt=text)
        agent = await engine.agents.create("Flow", config=WorkflowAgentConfig(nodes), guardrails=[anonymize()])
        waiting = await engine.agents.execute(agent.id, {"text": ANN})
        [request] = await engine.approvals.list(status="pending")
        assert request.payload == {"said": f"one {BEN}"}
    assert sorted(read(first)) == ["one [EMAIL_3]", "two [EMAIL_2]"]
    engine, later = desk(store, reply, tools=tools)
    async with engine:
        await engine.approvals.decide(request.id, "approved", resume=False)
        ended = await engine.executions.resume(waiting.execution_id)
    assert read(later) == ["one [EMAIL_3], two [EMAIL_2]"]
    assert ended.text == f"one {BEN}, two {CAT}"


async def test_a_turn_that_ends_while_another_one_waits_changes_no_label(tmp_path: Path) -> None:
    store = f"sqlite:///{tmp_path / 'app.db'}"
    book = Book()
    tools = [tool(book.write, effect="effect")]
    attached = [ToolAttachment("write", requires_approval=True)]

    def reply(request: Any) -> Any:
        last = request.messages[-1]
        return f"{last.content}" if last.role == "tool" else ToolUse("write", {"to": last.content})

    engine, _ = desk(store, reply, tools=tools)
    async with engine:
        agent = await agent_of(engine, anonymize(vault="session"), tools=attached)
        first = await engine.agents.execute(agent, {"text": ANN}, session_id="s")
        second = await engine.agents.execute(agent, {"text": BEN}, session_id="s")
        for result in (first, second):
            [request] = await engine.approvals.list(status="pending", root_execution_id=result.execution_id)
            await engine.approvals.decide(request.id, "approved", resume=False)
            assert (await engine.executions.resume(result.execution_id)).status == "completed"
    assert book.written == [ANN, BEN]


async def test_tools_of_another_agent_get_the_values_of_the_one_that_asks() -> None:
    book = Book()

    def reply(request: Any) -> Any:
        last = request.messages[-1]
        if last.role == "tool":
            return f"done: {last.content}"
        [spec] = request.tools
        return ToolUse(spec.name, {"task": "[EMAIL_1]"} if spec.name == "helper" else {"to": last.content})

    engine, provider = desk(None, reply, tools=[book.write])
    async with engine:
        await engine.prompts.create("Task", user_prompt="{{ task }}")
        await engine.agents.create("Helper", config=SimpleAgentConfig("Task"), tools=["write"])
        agent = await agent_of(
            engine, anonymize(), sub_agents=[SubAgentAttachment("Helper", alias="helper", description="Helps.")]
        )
        result = await engine.agents.execute(agent, {"text": ANN})
        assert book.written == [ANN]
        assert result.text == f"done: done: sent to {ANN}"
        assert read(provider)[-1] == "done: sent to [EMAIL_1]"
