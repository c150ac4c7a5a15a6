"""What came before an effect is on its way to the store before the effect is announced."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from promptrails_engine import AsyncEngine, ChainAgentConfig, PromptLink, tool
from promptrails_engine.events import Event
from promptrails_engine.ports.journal import JournalEntry
from promptrails_engine.ports.provider import ModelRequest
from promptrails_engine.ports.sink import Span
from promptrails_engine.ports.store import ExecutionRow
from promptrails_engine.store import SqlStore
from promptrails_engine.testing.scripted import AnyReply, ScriptedProvider, ToolUse


class Noted(SqlStore):
    """Notes in which order entries are written."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.entries: list[tuple[str, str]] = []

    async def write_progress(
        self, row: ExecutionRow, entries: Sequence[JournalEntry], spans: Sequence[Span], events: Sequence[Event]
    ) -> None:
        self.entries += [(entry.key, entry.state) for entry in entries]
        await super().write_progress(row, entries, spans, events)


async def test_outcomes_are_written_before_the_next_intent_however_quick_the_model_is(tmp_path: Path) -> None:
    store = Noted(tmp_path / "app.db")
    seen: list[list[tuple[str, str]]] = []

    @tool
    async def act() -> str:
        """Do something."""
        seen.append(list(store.entries))
        return "done"

    def reply(request: ModelRequest) -> AnyReply:
        return ToolUse("act") if request.messages[-1].role == "user" else "It is done."

    async with AsyncEngine(store, providers=[ScriptedProvider(reply)], model="scripted/m", tools=[act]) as engine:
        for name in ("A", "B"):
            await engine.prompts.create(name, user_prompt="Act.", tools=["act"])
        links = [PromptLink(prompt_id=name, role=name, sort_order=order) for order, name in enumerate("AB")]
        await engine.agents.create("Agent", config=ChainAgentConfig(prompt_ids=links))
        assert (await engine.agents.execute("Agent", {})).status == "completed"
    first, second = seen
    assert first == [("steps[0]/llm[0]", "done"), ("steps[0]/llm[0]/tool[0]", "intended")]
    assert second == [
        *first,
        ("steps[0]/llm[0]/tool[0]", "done"),
        ("steps[0]/llm[1]", "done"),
        ("steps[1]/llm[0]", "done"),
        ("steps[1]/llm[0]/tool[0]", "intended"),
    ]
