"""Statements that run often are built once: building one takes SQLAlchemy ten times as long as running it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import event

from promptrails_engine import AsyncEngine, SimpleAgentConfig
from promptrails_engine.store import SqlStore
from promptrails_engine.testing import ScriptedProvider
from promptrails_engine.testing.store_conformance.rows import execution, owned, unique

_Built = dict[str, Any]
"""Statements as SQLAlchemy was given them, by their text."""


@contextmanager
def noted(store: SqlStore) -> Iterator[Callable[[], _Built]]:
    """What was run since it was last asked."""
    assert store._session is not None
    engine = store._session._database.engine
    run: _Built = {}

    def note(_conn: Any, _cursor: Any, text: str, _parameters: Any, context: Any, _many: bool) -> None:
        if context.compiled is not None:
            run[text] = context.invoked_statement

    def asked() -> _Built:
        found = dict(run)
        run.clear()
        return found

    event.listen(engine, "before_cursor_execute", note)
    try:
        yield asked
    finally:
        event.remove(engine, "before_cursor_execute", note)


def built_anew(first: _Built, again: _Built) -> list[str]:
    both = first.keys() & again.keys()
    assert both
    return [text for text in both if first[text] is not again[text]]


async def test_a_run_that_waits_and_goes_on_builds_none(store: SqlStore) -> None:
    provider = ScriptedProvider(lambda request: "an answer")
    async with AsyncEngine(store, providers=[provider], model="scripted/m", workspace_id=unique("ws")) as engine:
        prompt = await engine.prompts.create("ask", user_prompt="Say {{ text }}")
        agent = await engine.agents.create("asks", config=SimpleAgentConfig(prompt.id, approval_required=True))

        async def approved() -> None:
            waits = await engine.agents.execute(agent.id, {"text": "it"})
            [request] = await engine.approvals.list(execution_id=waits.execution_id)
            await engine.approvals.decide(request.id, "approved", resume=False)
            assert (await engine.executions.resume(waits.execution_id)).text == "an answer"

        with noted(store) as statements:
            await approved()
            first = statements()
            await approved()
            assert built_anew(first, statements()) == []


async def test_a_claim_builds_none(store: SqlStore) -> None:
    ws, owner = unique("ws"), unique("p")
    await store.renew_lease(owner, 600.0)
    for n in range(6):
        await store.begin_execution(owned(execution(ws, agent=f"agent_{n % 2}"), None, "pending"), wait=True)
    with noted(store) as statements:
        assert len((await store.claim_executions(ws, owner, limit=2, lapsed=True)).rows) == 2
        first = statements()
        assert len((await store.claim_executions(ws, owner, limit=2, lapsed=True)).rows) == 2
        assert built_anew(first, statements()) == []
