"""Whatever comes in: errors of the tree or results, text as it was, and nothing left behind."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from promptrails_engine import AsyncEngine, ContentEvent, PromptRailsError
from promptrails_engine.ports.store import EXECUTION_TERMINAL
from promptrails_engine.store import MemoryStore
from promptrails_engine.testing import Reply, ScriptedProvider, ToolUse
from tests.engine.kit import one_prompt
from tests.store.postgres_server import PostgresServer

FEW = settings(max_examples=25, suppress_health_check=list(HealthCheck))
ANY_TEXT = st.text(st.characters(), max_size=30)
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | ANY_TEXT
JSON = st.recursive(SCALARS, lambda part: st.lists(part, max_size=4) | st.dictionaries(ANY_TEXT, part, max_size=4))
ODD = {
    "nul": "a\x00b\x00",
    "surrogates": "\ud800x\udfff",
    "reversed pair": "\udc00\ud800",
    "bidi": "\u202eabc\u2066d",
    "emoji": "👩‍👩‍👧‍👦🏳️‍🌈",
    "tags": "\U000e0041\U000e007f",
    "private": "\U000f0000\U000f0800\U000f0fff\U000f0ffe",
    "controls": "\x01\x1b[31m\r\n\t\x7f\x85\u2028\u2029\ufeff",
    "quotes": "\\\"'{{ x }}{% y %}%s{0}\\u0000",
    "megabyte": "ä" * 500_000 + "\x00",
}
SHAPE = {"type": "object", "properties": {"a": {"type": "integer"}, "b": {"type": "string"}}, "required": ["a"]}


@pytest.fixture(params=["memory", "sqlite", "postgres"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> str | None:
    if request.param == "postgres":
        server: PostgresServer = request.getfixturevalue("postgres")
        return server.url
    return str(tmp_path / "app.db") if request.param == "sqlite" else None


@given(data=JSON, wanted=st.sampled_from([None, SHAPE]))
@FEW
async def test_any_input_gives_a_result_or_an_error_of_the_tree(data: Any, wanted: Any):
    provider = ScriptedProvider(lambda request: "said: " + request.messages[-1].content)
    async with AsyncEngine(providers=[provider], model="scripted/m") as engine:
        template = "{{ a }} {{ b | upper }} {% for x in c %}{{ x }}{% endfor %} {{ d.e }} {{ steps }}"
        agent = await one_prompt(engine, template, input_schema=wanted)
        for action in (engine.agents.execute, engine.agents.preview):
            try:
                result: Any = await action(agent, data)
            except PromptRailsError:
                continue
            assert not hasattr(result, "status") or result.status in EXECUTION_TERMINAL
            assert getattr(result, "error_code", "") != "internal"


@given(answer=JSON | ANY_TEXT, arguments=JSON | ANY_TEXT)
@FEW
async def test_any_answer_and_any_arguments_give_a_result(answer: Any, arguments: Any):
    def act(a: int, b: str = "") -> str:
        """Act."""
        return b

    def reply(request: Any) -> Any:
        if request.tools and request.messages[-1].role == "user":
            text = arguments if isinstance(arguments, str) else repr(arguments)
            return Reply(tool_calls=[ToolUse("act", text)])
        return Reply(answer if isinstance(answer, str) else str(answer))

    async with AsyncEngine(providers=[ScriptedProvider(reply)], model="scripted/m", tools=[act]) as engine:
        agent = await one_prompt(engine, "go", tools=["act"], output_schema=SHAPE)
        result = await engine.agents.execute(agent, {})
        assert result.status in {"completed", "failed"}
        assert result.error_code in {"", "output_invalid", "empty_output"}


@pytest.mark.parametrize("case", ODD)
async def test_odd_text_comes_back_as_it_went_in(store: str | None, case: str):
    text = ODD[case]
    short = text[:100]

    def echo(text: str) -> str:
        """Echo."""
        return "short"

    def reply(request: Any) -> Any:
        if request.messages[-1].role == "user":
            assert request.messages[-1].content == f"<{text}>"
            return Reply(chunks=["x"], thinking=text, tool_calls=[ToolUse("echo", {"text": "y"})])
        return Reply(chunks=[text])

    workspace = f"ws-{case}-{id(text)}"
    async with AsyncEngine(
        store, providers=[ScriptedProvider(reply)], model="scripted/m", tools=[echo], workspace_id=workspace
    ) as engine:
        prompt = await engine.prompts.create(
            f"P{short}", f"d{short}", user_prompt="<{{ text }}>", tools=["echo"], message=short, labels=[short]
        )
        assert await engine.prompts.get(f"P{short}") == prompt
        assert (prompt.name, prompt.description, prompt.labels) == (f"P{short}", f"d{short}", [short])
        meta = {"m": text, f"k{short}": [text]}
        result = await engine.prompts.execute(
            prompt.id, {"text": text}, session_id=f"s{short}", user_id=f"u{short}", metadata=meta
        )
        assert (result.status, result.error, result.text) == ("completed", "", text)
        record = await engine.executions.get(result.execution_id)
        assert record.input == {"text": text}
        assert record.output == {"content": text, "type": "text"}
        assert (record.metadata, record.session_id, record.user_id) == (meta, f"s{short}", f"u{short}")
        found = await engine.executions.list(session_id=f"s{short}", user_id=f"u{short}", metadata={"m": text})
        assert [row.id for row in found] == [record.id]
        events = [e async for e in engine.executions.stream(record.id)]
        assert [e.content for e in events if isinstance(e, ContentEvent)] == ["x", text]
        assert events[-1].output == record.output  # type: ignore[union-attr]
        spans = await engine.traces.get_by_trace_id(result.trace_id)
        assert spans[0].name == f"P{short}"
        if len(text) < 1000:
            assert spans[0].input == {"text": text}
            assert spans[0].output == record.output


OPERATIONS = st.lists(
    st.sampled_from(["execute", "stream", "leave", "cancel", "cancel_caller", "let", "look"]), max_size=14
)


class Valve:
    """Answers word by word; each word passes when the valve lets it."""

    def __init__(self) -> None:
        self.words = asyncio.Semaphore(0)

    async def reply(self, request: Any) -> str:
        await self.words.acquire()
        return "one two"


@asynccontextmanager
async def counted() -> AsyncGenerator[None, None]:
    """No task and no thread is left behind."""
    threads = set(threading.enumerate())
    tasks = asyncio.all_tasks()
    yield
    for _ in range(3):
        await asyncio.sleep(0)
    assert {task for task in asyncio.all_tasks() - tasks if not task.done()} == set()
    left = {t for t in set(threading.enumerate()) - threads if not t.name.startswith("asyncio_")}
    assert left == set()


class Player:
    """Plays operations on one engine."""

    def __init__(self, store: str | None) -> None:
        self.valve = Valve()
        self.store = store or MemoryStore()
        # What closing interrupts may go on elsewhere, where the store outlives the process.
        self.ends = EXECUTION_TERMINAL | {"pending"} if store else EXECUTION_TERMINAL
        provider = ScriptedProvider(self.valve.reply)
        self.engine = AsyncEngine(self.store, providers=[provider], model="scripted/m")
        self.agent = ""
        self.calls: list[asyncio.Task[Any]] = []
        self.streams: list[Any] = []

    async def play(self, operation: str) -> None:
        await getattr(self, operation)()
        await asyncio.sleep(0)

    async def execute(self) -> None:
        self.calls.append(asyncio.create_task(self.engine.agents.execute(self.agent, {})))

    async def stream(self) -> None:
        self.streams.append(self.engine.agents.stream(self.agent, {}))
        await anext(self.streams[-1])

    async def leave(self) -> None:
        if self.streams:
            await self.streams.pop().aclose()

    async def cancel(self) -> None:
        for row in await self.engine.executions.list(status="running", limit=1):
            await self.engine.executions.cancel(row.id)

    async def cancel_caller(self) -> None:
        if self.calls:
            self.calls[-1].cancel()

    async def let(self) -> None:
        self.valve.words.release()

    async def look(self) -> None:
        await self.engine.executions.list()

    async def end(self) -> None:
        """Close, and everything that was asked for has an end."""
        await self.engine.aclose(grace_s=0.001)
        if self.calls:
            _, pending = await asyncio.wait(self.calls, timeout=5)
            for call in pending:
                call.cancel()
            assert not pending, "a call outlived its engine"
        for call in self.calls:
            error = None if call.cancelled() else call.exception()
            assert error is None or isinstance(error, PromptRailsError), repr(error)
            assert call.cancelled() or error or call.result().status in self.ends
        for stream in self.streams:
            assert (await stream.result()).status in self.ends
            await stream.aclose()

    async def check(self) -> None:
        """What is on record is whole."""
        async with AsyncEngine(self.store, model="x/m") as later:
            for row in await later.executions.list(limit=100):
                assert row.status in self.ends
                if row.status == "pending":
                    assert (await later.executions.cancel(row.id)).status == "cancelled"
                events = [e async for e in later.executions.stream(row.id)]
                assert [e.seq for e in events] == list(range(1, len(events) + 1))
                assert events[-1].type in {"done", "error"}
                assert await later.traces.get_by_trace_id(row.trace_id)


async def _interleave(store: str | None, operations: list[str]) -> None:
    player = Player(store)
    player.agent = await one_prompt(player.engine)
    for operation in operations:
        await player.play(operation)
    await player.end()
    await player.check()


@given(operations=OPERATIONS)
@settings(max_examples=40, suppress_health_check=list(HealthCheck))
async def test_any_interleaving_ends_everything_in_memory(operations: list[str]):
    async with counted():
        await _interleave(None, operations)


@given(operations=OPERATIONS)
@settings(max_examples=15, suppress_health_check=list(HealthCheck))
async def test_any_interleaving_ends_everything_on_disk(tmp_path_factory: Any, operations: list[str]):
    async with counted():
        await _interleave(str(tmp_path_factory.mktemp("db") / "app.db"), operations)
