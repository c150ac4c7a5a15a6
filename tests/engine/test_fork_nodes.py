"""Forks of workflows whose nodes ask a data source, have media made, and ask for approval."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from promptrails_engine import (
    AsyncEngine,
    MemoryDataSource,
    ValidationError,
    WorkflowAgentConfig,
    WorkflowNode,
)
from promptrails_engine.ports.media import MediaAsset
from promptrails_engine.testing import ScriptedMediaProvider
from tests.catalog.kit import INPUT, prompt
from tests.engine.fork_kit import Watch, keys_of, watched
from tests.engine.park_kit import decide

pytestmark = pytest.mark.usefixtures("each_store")
DOLLAR = MediaAsset("image/png", b"png", cost=1.0)


class Asked(MemoryDataSource):
    """Counts queries."""

    asked = 0

    async def query(self, *args: Any, **more: Any) -> Any:
        self.asked += 1
        return await super().query(*args, **more)


@asynccontextmanager
async def flow(on_rejected: str = "go_on") -> AsyncIterator[tuple[AsyncEngine, Watch, Asked, ScriptedMediaProvider]]:
    """A workflow with one node of each kind in a line: rows, a picture of them, an approval, and words about it all."""
    rows, media = Asked("shop", {"orders": [{"id": 1}]}), ScriptedMediaProvider(lambda request: DOLLAR)
    async with watched(data_sources=[rows], media=[media]) as (engine, watch):
        draws = {"media_provider": "scripted", "media_model": "small", "media_type": "image_gen"}
        nodes = [
            WorkflowNode("rows", node_type="datasource", data_source="shop", query="SELECT id FROM orders"),
            WorkflowNode(
                "draw", ["rows"], node_type="media", input_mapping={"prompt": "order {{ rows[0].id }}"}, **draws
            ),
            WorkflowNode("look", ["draw"], node_type="approval", on_rejected=on_rejected),
            WorkflowNode("say", ["look"], prompt_id=await prompt(engine, "say", "say {{ look.status }}")),
        ]
        await engine.agents.create("Flow", config=WorkflowAgentConfig(nodes))
        yield engine, watch, rows, media


async def test_what_comes_before_is_neither_asked_nor_made_nor_approved_again():
    async with flow() as (engine, _watch, rows, media):
        source = await decide(engine, await engine.agents.execute("Flow", INPUT))
        assert source.text == "<say approved>"
        made: dict[str, tuple[str, int, int]] = {}
        for key in await keys_of(engine, source.id):
            before = rows.asked, len(media.requests)
            fork = await engine.executions.fork(source.id, at=key)
            made[key] = (fork.status, rows.asked - before[0], len(media.requests) - before[1])
            if fork.status == "completed":
                assert fork.cost is not None
                assert fork.cost < 1
                assert (await engine.executions.diff(source.id, fork.id)).diverged_at is None
            else:
                assert (await decide(engine, fork, "rejected")).text == "<say rejected>"
        assert made == {
            "nodes[rows]": ("awaiting_approval", 1, 1),
            "nodes[draw]": ("awaiting_approval", 0, 1),
            "nodes[look]": ("awaiting_approval", 0, 0),
            "nodes[say]": ("completed", 0, 0),
            "nodes[say]/llm[0]": ("completed", 0, 0),
        }
        spans = await engine.traces.get_by_trace_id(fork.trace_id)
        recalled = {span.attributes["key"]: span.kind for span in spans if span.attributes.get("recalled")}
        assert recalled == {"nodes[rows]/query": "datasource", "nodes[draw]/media": "image"}


async def test_a_rejection_that_ended_a_run_is_recalled_where_it_comes_before():
    async with flow("end") as (engine, watch, _rows, _media):
        source = await decide(engine, await engine.agents.execute("Flow", INPUT), "rejected")
        assert source.status == "rejected"
        fork = await engine.executions.fork(source.id, at="nodes[say]")
        assert (fork.status, watch.asked()) == ("rejected", [])
        again = await engine.executions.fork(source.id, at="nodes[look]")
        assert (await decide(engine, again)).text == "<say approved>"


async def test_a_media_job_has_no_model_that_a_fork_could_change():
    async with flow() as (engine, _watch, _rows, _media):
        source = await engine.agents.execute("Flow", INPUT)
        for key in ("nodes[rows]", "nodes[draw]", "nodes[look]"):
            with pytest.raises(ValidationError, match="calls no model"):
                await engine.executions.fork(source.id, at=key, model="scripted/n")


async def test_a_migration_knows_nodes_of_all_kinds():
    async with flow() as (engine, _watch, _rows, _media):
        waiting = await engine.agents.execute("Flow", INPUT)
        await engine.prompts.create_version("say", user_prompt="new {{ look.status }}", set_current=True)
        assert (await engine.executions.migrate(waiting.id, dry_run=False)).is_safe
        assert (await decide(engine, waiting)).text == "<new approved>"
        other = await engine.agents.execute("Flow", INPUT)
        nodes = [WorkflowNode("draw", prompt_id=await prompt(engine, "p"))]
        await engine.agents.create_version("Flow", config=WorkflowAgentConfig(nodes), set_current=True)
        found = await engine.executions.migrate(other.id)
        assert sorted(step.key for step in found.lost) == [
            "nodes[draw]/media",
            "nodes[draw]/media/job",
            "nodes[rows]/query",
        ]
        assert [one.why for one in found.void_approvals] == ["nothing there asks for 'look' any more"]
