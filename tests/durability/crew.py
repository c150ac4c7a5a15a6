"""Agents that append to a ledger, and a store that dies where it is told to.

A point is a place at which a process may die: before and after each write of the store, each call of a model, and each
effect.  `Dice` counts them, and kills the process with SIGKILL at the one that was asked for.
"""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from promptrails_engine import (
    AsyncEngine,
    ChainAgentConfig,
    CompositeAgentConfig,
    CompositeStep,
    PromptLink,
    SimpleAgentConfig,
    SubAgentAttachment,
    ToolContext,
    WorkflowAgentConfig,
    WorkflowNode,
    tool,
)
from promptrails_engine.ports.provider import ModelRequest
from promptrails_engine.store.sql.store import SqlStore
from promptrails_engine.testing import Reply, ScriptedProvider, ToolUse
from promptrails_engine.testing.scripted import AnyReply
from tests.stores import AroundWrites

KINDS = ("chain", "workflow", "composite", "helpers")
EFFECTS = {"chain": 3, "workflow": 4, "composite": 4, "helpers": 2}
"""How often each agent writes to the ledger."""
_OF_RUNS = frozenset({"begin_execution", "write_progress", "finish_execution"})


class Dice:
    """Kills this process at one of the points that it passes."""

    def __init__(self, die_at: int = 0) -> None:
        self.die_at = die_at
        self.passed = 0

    def pass_by(self) -> None:
        self.passed += 1
        if self.passed == self.die_at:
            os.kill(os.getpid(), signal.SIGKILL)


class MortalStore(AroundWrites, SqlStore):
    """The store in SQL, with a point before and after each write of a run, and after each claim."""

    def __init__(self, url: str, dice: Dice) -> None:
        super().__init__(url)
        self.dice = dice

    async def before(self, write: str, *args: Any) -> None:
        if write in _OF_RUNS:
            self.dice.pass_by()

    async def after(self, write: str, result: Any, *args: Any) -> None:
        if write in _OF_RUNS or write == "claim_executions":
            self.dice.pass_by()


class Tools:
    """Tools that append to the ledger: the key of the call and what it was told."""

    def __init__(self, ledger: Path) -> None:
        self._ledger = ledger
        self.dice = Dice()
        """What they pass by; whoever forks makes the tools first, and then the dice."""

        @tool
        def write(what: str, ctx: ToolContext) -> str:
            """Write to the ledger."""
            return self._append(what, ctx.idempotency_key)

        @tool(effect="pure")
        def look(what: str) -> str:
            """Look something up."""
            return f"looked at {what}"

        self.all = [write, look]

    def _append(self, what: str, key: str) -> str:
        self.dice.pass_by()
        handle = os.open(self._ledger, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        try:
            os.write(handle, f"{key} {what}\n".encode())
        finally:
            os.close(handle)
        self.dice.pass_by()
        return f"wrote {what}"


def engine_on(url: str, tools: Tools, dice: Dice, **options: Any) -> AsyncEngine:
    """An engine with these tools, whose process dies by the dice."""
    tools.dice = dice

    def answer(request: ModelRequest) -> AnyReply:
        dice.pass_by()
        said = request.messages[-1]
        if said.role == "tool":
            return f"reported: {said.content}"
        uses = re.findall(r"use (\w+) for (\w+)", said.content)
        calls = [ToolUse(name, {"task" if name.startswith("helper") else "what": what}) for name, what in uses]
        return calls[0] if len(calls) == 1 else _several(calls) if calls else f"heard: {said.content}"

    return AsyncEngine(
        MortalStore(url, dice),
        providers=[ScriptedProvider(answer)],
        model="scripted/m",
        tools=tools.all,
        **options,
    )


def _several(calls: Sequence[ToolUse]) -> AnyReply:
    return Reply(tool_calls=calls)


async def make_agents(engine: AsyncEngine) -> None:
    """One agent of each kind."""

    async def prompt(name: str, text: str) -> str:
        return (await engine.prompts.create(name, user_prompt=text)).id

    one = await prompt("one", "use write for one")
    two = await prompt("two", "use look for it")
    three = await prompt("three", "use write for three and use write for four")
    plain = await prompt("plain", "say {{ text }}")
    links = [PromptLink(id, name, place) for place, (id, name) in enumerate([(one, "a"), (two, "b"), (three, "c")])]
    await engine.agents.create("chain", config=ChainAgentConfig(links), tools=["write", "look"])
    nodes = [
        WorkflowNode("first", prompt_id=one),
        _writes("left", ["first"]),
        _writes("right", ["first"]),
        WorkflowNode("plain", ["first"], prompt_id=plain),
        _writes("last", ["left", "right", "plain"]),
    ]
    await engine.agents.create("workflow", config=WorkflowAgentConfig(nodes), tools=["write"])
    small = await engine.agents.create("small", config=SimpleAgentConfig(one), tools=["write"])
    steps = [
        CompositeStep("small", small.id),
        CompositeStep("beside", small.id),
        CompositeStep("again", small.id, ["small"]),
        CompositeStep("end", small.id, ["again", "beside"]),
    ]
    await engine.agents.create("composite", config=CompositeAgentConfig(steps))
    asks = await prompt("asks", "use helper_a for one and use helper_b for two")
    subs = [SubAgentAttachment(small.id, alias="helper_a"), SubAgentAttachment(small.id, alias="helper_b")]
    await engine.agents.create("helpers", config=SimpleAgentConfig(asks), sub_agents=subs)


def _writes(name: str, depends_on: list[str]) -> WorkflowNode:
    return WorkflowNode(name, depends_on, node_type="tool", tool="write", input_mapping={"what": name})
