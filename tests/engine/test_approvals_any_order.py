"""Whatever waits, in whatever order it is decided: the run comes to what it would have come to at once."""

from __future__ import annotations

import asyncio
import random
from tempfile import TemporaryDirectory
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from promptrails_engine import (
    AsyncEngine,
    ChainAgentConfig,
    CompositeAgentConfig,
    MultiAgentConfig,
    PromptLink,
    SimpleAgentConfig,
    SubAgentAttachment,
    ToolAttachment,
    WorkflowAgentConfig,
    WorkflowNode,
)
from promptrails_engine.testing import Reply, ToolUse
from tests.engine.families import PRICED, step
from tests.engine.kit import scripted
from tests.engine.park_kit import Ledger, approved, shape_of, tree_of, types_of

TOOLS = ("one", "two")
VERBS = ("say", "one", "two", "both", "twice")


def worker(request: Any) -> Any:
    """Calls the tools that its prompt names, one answer after another where it says twice, and tells what they did."""
    said = [message for message in request.messages if message.role == "tool"]
    words = request.messages[0].content.split(" ")
    here = {spec.name for spec in request.tools}
    if words[0] == "ask" and not said:
        return Reply(tool_calls=[ToolUse(name, {"task": words[1]}) for name in sorted(here)])
    wanted = {"one": ["one"], "two": ["two"], "both": ["one", "two"], "twice": ["one"]}.get(words[0], [])
    rounds = 2 if words[0] == "twice" else 1
    if here and wanted and len(said) < rounds * len(wanted):
        what = f"{words[1]}{len(said)}"
        return Reply("Let me.", tool_calls=[ToolUse(name, {"what": what}) for name in wanted])
    return " ".join([*words[:2], "did", *(message.content for message in said)])


class Maker:
    """Agents after a drawing: `waits` says what asks for approval, or that nothing does."""

    def __init__(self, engine: AsyncEngine, drawing: Any, waits: bool) -> None:
        self.engine = engine
        self.drawing = drawing
        self.waits = waits
        self.count = 0

    async def make(self) -> str:
        return await self._agent(self.drawing)

    def _name(self) -> str:
        self.count += 1
        return f"n{self.count}"

    def _tools(self, drawing: Any) -> list[ToolAttachment]:
        return [ToolAttachment(name, requires_approval=self.waits and name in drawing["guarded"]) for name in TOOLS]

    async def _prompt(self, verb: str) -> str:
        name = self._name()
        return (await self.engine.prompts.create(name, user_prompt=f"{verb} {name}", llm_model_id="mine")).id

    async def _links(self, drawing: Any) -> list[PromptLink]:
        verbs = enumerate(drawing["verbs"])
        return [PromptLink(await self._prompt(verb), f"r{place}", place) for place, verb in verbs]

    async def _agent(self, drawing: Any) -> str:
        config, more = await getattr(self, "_" + drawing["type"])(drawing)
        tools = self._tools(drawing) if "guarded" in drawing else []
        return (await self.engine.agents.create(self._name(), config=config, tools=tools, **more)).id

    async def _simple(self, drawing: Any) -> Any:
        asks = self.waits and drawing["asks"]
        return SimpleAgentConfig(await self._prompt(drawing["verbs"][0]), approval_required=asks), {}

    async def _chain(self, drawing: Any) -> Any:
        return ChainAgentConfig(await self._links(drawing), approval_required=self.waits and drawing["asks"]), {}

    async def _multi_agent(self, drawing: Any) -> Any:
        return MultiAgentConfig(await self._links(drawing), failure_policy="settle"), {}

    async def _workflow(self, drawing: Any) -> Any:
        nodes: list[WorkflowNode] = []
        before: list[str] = []
        for place, verb in enumerate(drawing["verbs"]):
            prompt = await self._prompt(verb)
            nodes.append(WorkflowNode(f"p{place}", list(before), prompt_id=prompt))
            if self.waits and drawing["asks"]:
                nodes.append(WorkflowNode(f"gate{place}", list(before), node_type="approval", input_mapping={"n": 1}))
            if place % 2:
                before = [node.id for node in nodes]
        nodes.append(WorkflowNode("end", [node.id for node in nodes], prompt_id=await self._prompt("one")))
        return WorkflowAgentConfig(nodes), {}

    async def _composite(self, drawing: Any) -> Any:
        ids = [await self._agent(one) for one in drawing["below"]]
        steps = [step(f"s{place}", *[f"s{place - 1}"][: place % 2], agent_id=id) for place, id in enumerate(ids)]
        return CompositeAgentConfig(steps), {}

    async def _supervisor(self, drawing: Any) -> Any:
        ids = [await self._agent(one) for one in drawing["below"]]
        guarded = self.waits and drawing["asks"]
        subs = [
            SubAgentAttachment(id, alias=f"sub{place}", requires_approval=guarded)
            for place, id in enumerate(ids[: 1 if drawing["hands_over"] else 3])
        ]
        if drawing["hands_over"]:
            subs = [SubAgentAttachment(ids[0], alias="sub0", mode="handoff", requires_approval=guarded)]
        return SimpleAgentConfig(await self._prompt("ask")), {"sub_agents": subs}


def prompted(type: str) -> Any:
    return st.fixed_dictionaries(
        {
            "type": st.just(type),
            "verbs": st.lists(st.sampled_from(VERBS), min_size=1, max_size=1 if type == "simple" else 3),
            "guarded": st.sets(st.sampled_from(TOOLS)),
            "asks": st.booleans(),
        }
    )


leaves = st.one_of(*map(prompted, ("simple", "chain", "multi_agent", "workflow")))
drawings = st.recursive(
    leaves,
    lambda below: st.fixed_dictionaries(
        {
            "type": st.sampled_from(("composite", "supervisor")),
            "below": st.lists(below, min_size=1, max_size=3),
            "asks": st.booleans(),
            "hands_over": st.booleans(),
        }
    ),
    max_leaves=4,
)


async def run(drawing: Any, seed: int, *, waits: bool, store: str | None = None) -> Any:
    """What a run came to: output, effects, totals, the shape of its trace and what was said of calls."""
    ledger, chance = Ledger(), random.Random(seed)
    tools = [ledger.tool("one"), ledger.tool("two", "idempotent")]
    async with scripted(worker, tools=tools, models=[PRICED], store=store) as (engine, provider):
        id = await Maker(engine, drawing, waits).make()
        result = await engine.agents.execute(id, {})
        result = await approved(engine, result, lambda found: chance.sample(found, len(found)))
        assert result.status == "completed", result.error
        types = await types_of(engine, result.execution_id)
        calls = (types.count("tool_start"), types.count("tool_end"), types[-1])
        keys = [[own[:1] + own[2:] for own in path] for path in await shape_of(engine, result)]
        shape = sorted(path for path in keys if not any("gate" in own[1] for own in path))
        return (await tree_of(engine, result), ledger.counts, calls, shape, len(provider.requests))


@settings(max_examples=30)
@given(drawing=drawings, seed=st.integers(0, 2**16))
def test_decisions_in_any_order_change_nothing(drawing: Any, seed: int):
    whole = asyncio.run(run(drawing, seed, waits=False))
    assert asyncio.run(run(drawing, seed, waits=True)) == whole


@settings(max_examples=8)
@given(drawing=drawings, seed=st.integers(0, 2**16))
def test_decisions_in_any_order_change_nothing_on_a_disk(drawing: Any, seed: int):
    whole = asyncio.run(run(drawing, seed, waits=False))
    with TemporaryDirectory() as folder:
        assert asyncio.run(run(drawing, seed, waits=True, store=f"{folder}/app.db")) == whole
