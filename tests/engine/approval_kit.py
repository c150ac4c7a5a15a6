"""Executions that wait for approval, put into a store as a run leaves them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from promptrails_engine import AsyncEngine, SimpleAgentConfig
from promptrails_engine.ports.journal import ApprovalRow
from promptrails_engine.ports.store import Store
from promptrails_engine.resources import Approvals
from promptrails_engine.store import open_store
from promptrails_engine.testing.store_conformance.rows import execution, unique
from tests.engine.kit import STORE

WORKSPACE = "default"
MOMENT = 1_760_000_000.25


@dataclass
class Woken:
    """A dispatcher that only notes what it was asked to take up."""

    roots: list[str] = field(default_factory=list)

    def nudge(self) -> None:
        pass

    async def wake(self, root_execution_id: str) -> None:
        self.roots.append(root_execution_id)


@asynccontextmanager
async def waiting(
    policy: dict[str, Any] | None = None, **more: Any
) -> AsyncIterator[tuple[AsyncEngine, Store, Approvals[Any], Woken]]:
    """An engine with the agent `Agent`, its store, its approvals, and what they have asked to be taken up."""
    store, woken = open_store(STORE.get()), Woken()
    async with AsyncEngine(store, **more) as engine:
        prompt = await engine.prompts.create("Prompt", user_prompt="Hello")
        await engine.agents.create("Agent", config=SimpleAgentConfig(prompt.id), approval_policy=policy)
        approvals: Approvals[Any] = Approvals(engine._parts._replace(dispatcher=woken), None)
        yield engine, store, approvals, woken


async def park(
    store: Store, version_id: str = "", *requests: ApprovalRow, workspace: str = WORKSPACE, count: int = 1
) -> list[ApprovalRow]:
    """The requests of one execution that waits for them: those given, or `count` new ones."""
    row = execution(workspace)
    row.owner = "somebody"
    row.version_lock = {"v": 1, "agent": {"id": row.agent_id, "version_id": version_id}} if version_id else {"v": 1}
    await store.begin_execution(row, wait=True)
    found = list(requests) or [request(row.workspace_id, key=f"steps[{index}]") for index in range(count)]
    for one in found:
        one.execution_id = one.root_execution_id = row.id
        one.agent_id = row.agent_id
    row.status = "awaiting_approval"
    await store.suspend_execution(row, [], [], [], found)
    return found


def request(
    workspace: str = WORKSPACE, *, key: str = "output", created_at: float = MOMENT, expires_at: float | None = None
) -> ApprovalRow:
    """A request that nobody has decided."""
    return ApprovalRow(
        id=unique("apr"),
        workspace_id=workspace,
        execution_id="",
        root_execution_id="",
        agent_id="",
        key=key,
        checkpoint_name="look",
        payload={"output": {"content": "Hello", "type": "text"}},
        digest="0f" * 32,
        created_at=created_at,
        expires_at=expires_at,
    )


async def root_status(store: Store, row: ApprovalRow) -> str:
    found = await store.get_execution(row.workspace_id, row.root_execution_id)
    assert found is not None
    return found.status
