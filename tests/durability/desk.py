"""Agents that ask for approval, with an effect before they do and one after, and ledgers of all that was done."""

from __future__ import annotations

import os
import re
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from promptrails_engine import (
    AsyncEngine,
    ChainAgentConfig,
    CompositeAgentConfig,
    CompositeStep,
    LLMModel,
    PromptLink,
    SimpleAgentConfig,
    TokenUsage,
    ToolAttachment,
    ToolContext,
    WorkflowAgentConfig,
    WorkflowNode,
    tool,
)
from promptrails_engine.ports.provider import ModelRequest
from promptrails_engine.store.sql.store import SqlStore
from promptrails_engine.testing import Reply, ScriptedProvider, ToolUse

KINDS = ("output", "call", "child", "node")
"""What is approved: the answer of an agent, the call of a tool, one in a child of a composite, a node of a workflow."""
EFFECTS = {
    "output": ["early", "middle"],
    "call": ["early", "late"],
    "child": ["beside", "early", "first", "last", "late"],
    "node": ["early", "last", "left"],
}
"""What each agent writes to the ledger."""
CALLS = {"output": 4, "call": 4, "child": 10, "node": 2}
"""How often each agent asks the model."""
USAGE = TokenUsage(prompt_tokens=10, completion_tokens=5, total_tokens=15)
CALL_USD = 10 * 3 / 1e6 + 5 * 7 / 1e6
_MODEL = LLMModel("scripted/m", "scripted", "m", input_price=3.0, output_price=7.0)


class Ledger:
    """A file with a line for each thing that was done, by whichever process."""

    def __init__(self, path: Path) -> None:
        self._path = path
        path.touch()

    def add(self, line: str) -> None:
        handle = os.open(self._path, os.O_WRONLY | os.O_APPEND)
        try:
            os.write(handle, f"{line}\n".encode())
        finally:
            os.close(handle)

    def lines(self) -> list[str]:
        return self._path.read_text().splitlines()


class Desk:
    """One store, a ledger of effects and one of calls of the model."""

    def __init__(self, url: str, folder: Path, moment: Callable[[], Awaitable[None]] | None = None) -> None:
        """`moment` is called at each call of the model, and after each effect."""
        self.url = url
        self._moment = moment
        folder.mkdir(exist_ok=True)
        self.effects = Ledger(folder / "effects")
        self.calls = Ledger(folder / "calls")

    def engine(self, store: SqlStore | None = None, **options: Any) -> AsyncEngine:
        """An engine that takes up nothing by itself, unless told otherwise."""

        async def append(what: str, ctx: ToolContext) -> str:
            """Write to the ledger."""
            self.effects.add(f"{ctx.idempotency_key} {what}")
            await self._pass()
            return f"wrote {what}"

        return AsyncEngine(
            store or SqlStore(self.url),
            providers=[ScriptedProvider(self._answer)],
            model="scripted/m",
            models=[_MODEL],
            tools=[tool(name=name)(append) for name in ("write", "guarded_write")],
            **{"background": 0, **options},
        )

    async def _pass(self) -> None:
        if self._moment is not None:
            await self._moment()

    async def _answer(self, request: ModelRequest) -> Reply:
        said = request.messages[-1]
        self.calls.add(f"{said.role} {said.content}")
        await self._pass()
        use = re.match(r"use (\w+) for (\w+)", said.content) if said.role == "user" else None
        calls = [] if use is None else [ToolUse(use[1], {"what": use[2]})]
        return Reply("" if calls else f"{os.getpid()} heard: {said.content}", tool_calls=calls, usage=USAGE)

    def words(self) -> list[str]:
        """What was written to the ledger, in order."""
        return sorted(line.split(" ")[1] for line in self.effects.lines())


async def make_agents(engine: AsyncEngine) -> None:
    """One agent of each kind."""

    async def prompt(what: str) -> str:
        return (await engine.prompts.create(what, user_prompt=f"use write for {what}")).id

    async def writes(what: str) -> str:
        """The id of an agent that writes and nothing more."""
        config = SimpleAgentConfig(await prompt(what))
        return (await engine.agents.create(f"writes {what}", config=config, tools=["write"])).id

    early, middle = await prompt("early"), await prompt("middle")
    config = ChainAgentConfig(_chain(early, middle), approval_required=True, approval_checkpoint_name="look")
    await engine.agents.create("output", config=config, tools=["write"])
    late = (await engine.prompts.create("late", user_prompt="use guarded_write for late")).id
    guarded = ToolAttachment("guarded_write", requires_approval=True)
    call = await engine.agents.create("call", config=ChainAgentConfig(_chain(early, late)), tools=["write", guarded])
    steps = [
        CompositeStep("first", await writes("first")),
        CompositeStep("beside", await writes("beside"), ["first"]),
        CompositeStep("asks", call.id, ["first"]),
        CompositeStep("last", await writes("last"), ["asks", "beside"]),
    ]
    await engine.agents.create("child", config=CompositeAgentConfig(steps))
    nodes = [
        WorkflowNode("early", prompt_id=early),
        WorkflowNode("left", ["early"], node_type="tool", tool="write", input_mapping={"what": "left"}),
        WorkflowNode("asks", ["early"], node_type="approval", checkpoint_name="look"),
        WorkflowNode("last", ["asks", "left"], node_type="tool", tool="write", input_mapping={"what": "last"}),
    ]
    await engine.agents.create("node", config=WorkflowAgentConfig(nodes), tools=["write"])


def _chain(*prompt_ids: str) -> list[PromptLink]:
    return [PromptLink(id, f"role{place}", place) for place, id in enumerate(prompt_ids)]
