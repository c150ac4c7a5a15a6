"""Secrets, sinks, workspaces, previews and the event loop: what the engine promises, looked for from outside."""

from __future__ import annotations

import inspect
import io
import json
import logging
import threading
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from opentelemetry import trace as otel
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from promptrails_engine import (
    AsyncEngine,
    ConsoleSink,
    JsonlSink,
    MemorySink,
    OTelSink,
    PromptRailsError,
    Secret,
    Span,
    ToolError,
    tool,
)
from promptrails_engine.store import MemoryStore
from promptrails_engine.testing import ScriptedProvider
from promptrails_providers.openai_compatible import OpenAICompatibleProvider
from tests.e2e.doors import DOORS, Door, model_of
from tests.engine.kit import one_prompt, scripted
from tests.providers.loopback import LoopbackServer
from tests.providers.replies import chat, error, event, hang_up, html, json_reply, redirect, sse

CANARY = "canary-7Qz93hVb2Lk8wXtR5mNs"


@pytest.fixture(params=sorted(DOORS))
def door(request: pytest.FixtureRequest) -> Door:
    return DOORS[request.param]


# ------------------------------------------------------------------ secrets


def _echoes() -> list[Any]:
    """Answers that repeat the key in every place there is."""
    text = f"Incorrect API key provided: {CANARY}. Bearer {CANARY}"
    a = event({"content": "a"})
    replies: list[Any] = [error(status, text, code=CANARY, x_request_id=CANARY) for status in (400, 401, 403, 404, 429)]
    replies += [error(500, text), html(502, f"<html>{CANARY}</html>"), redirect(f"http://127.0.0.1:9/?key={CANARY}")]
    replies += [json_reply({"error": text}), json_reply({"detail": {CANARY: CANARY}}, 422), json_reply([CANARY])]
    replies += [sse(a, {"error": {"message": text, "code": CANARY}}), sse(a, f"data: {{{CANARY}\n\n".encode())]
    replies += [hang_up(f"HTTP/1.1 {CANARY}\r\n\r\n".encode()), error(401, f"{CANARY[:-4]} {CANARY}")]
    replies += [error(429, text, retry_after=CANARY)]
    return replies


async def test_a_key_is_nowhere(
    door: Door, server: LoopbackServer, waits: list[float], caplog: pytest.LogCaptureFixture, tmp_path: Path
):
    caplog.set_level(logging.DEBUG)
    console, exporter, memory = io.StringIO(), InMemorySpanExporter(), MemorySink()
    host = TracerProvider()
    host.add_span_processor(SimpleSpanProcessor(exporter))
    sinks = [JsonlSink(tmp_path / "spans.jsonl"), ConsoleSink(console), memory, OTelSink(host, content=True)]
    seen: list[str] = []

    @tool
    def fails(n: int) -> str:
        """Fail."""
        raise ToolError(f"the service said: Authorization: Bearer {CANARY}")

    provider = door(server.url, key=CANARY)
    engine = AsyncEngine(
        str(tmp_path / "app.db"), providers=[provider], model=model_of(door), sinks=sinks, tools=[fails]
    )
    async with engine:
        agent = await one_prompt(engine, tools=["fails"])
        for reply in [*_echoes(), chat("", tool_calls=[("a", "fails", '{"n": 1}')])]:
            server.script(reply)
            stream = engine.agents.stream(agent, {"text": "t"})
            seen += [repr(e) async for e in stream]
            result = await stream.result()
            seen += [repr(result), json.dumps(result.to_dict())]
            try:
                result.raise_for_status()
            except PromptRailsError as failed:
                seen += ["".join(traceback.format_exception(failed)), repr(failed.details)]
            seen.append(repr(await engine.traces.get_by_trace_id(result.trace_id)))
        seen += [repr(provider), repr(engine), repr(vars(engine))]
    # What a host lets httpx or litellm log is the host's; here they would log headers that the server chose.
    logged = [record.getMessage() for record in caplog.records if record.name.startswith("promptrails")]
    seen += [repr(memory.spans), console.getvalue(), *logged]
    seen += [repr([(s.name, s.attributes, s.status, s.events) for s in exporter.get_finished_spans()])]
    files = [path.read_bytes() for path in tmp_path.iterdir()]  # noqa: ASYNC240
    assert sum(map(len, files)) > 10_000
    assert len(exporter.get_finished_spans()) > 30
    assert [text for text in seen if CANARY in text] == []
    assert not any(CANARY.encode() in data for data in files)
    assert all(request.headers["authorization"] == f"Bearer {CANARY}" for request in server.requests)


def test_a_secret_does_not_show_itself():
    secret = Secret(CANARY)
    shown = [repr(secret), str(secret), f"{secret}", f"{secret!r:>40}", repr({"key": [secret]})]
    with pytest.raises(TypeError) as json_refusal:
        json.dumps({"key": secret})
    shown += [str(json_refusal.value), repr(OpenAICompatibleProvider("x", f"http://u:{CANARY}@127.0.0.1:9", secret))]
    assert [text for text in shown if CANARY in text] == []


async def test_a_secret_in_input_is_refused_without_being_shown():
    async with scripted(lambda _: "x") as (engine, _):
        agent = await one_prompt(engine)
        for bad in ({"text": Secret(CANARY)}, {"text": [{"a": Secret(CANARY)}]}):
            with pytest.raises(PromptRailsError) as refused:
                await engine.agents.execute(agent, bad)
            assert CANARY not in "".join(traceback.format_exception(refused.value))


# ------------------------------------------------------------------ sinks


async def test_exported_spans_hold_no_text_unless_asked():
    texts = ("the system words", "the user words", "the answer words")
    for content in (False, True):
        exporter = InMemorySpanExporter()
        host = TracerProvider()
        host.add_span_processor(SimpleSpanProcessor(exporter))
        before = otel.get_tracer_provider()
        async with scripted([texts[2]], sinks=[OTelSink(host, content=content)]) as (engine, _):
            agent = await one_prompt(engine, texts[1], system_prompt=texts[0])
            assert (await engine.agents.execute(agent, {"k": "the input words"})).status == "completed"
        assert otel.get_tracer_provider() is before
        spans = exporter.get_finished_spans()
        assert len(spans) == 3
        shown = repr([(s.name, dict(s.attributes or {}), s.events, s.status.description) for s in spans])
        assert [text in shown for text in texts] == [content] * 3


class Broken:
    """Raises whatever it is asked."""

    def __init__(self) -> None:
        self.calls = 0

    def capture(self) -> Any:
        self.calls += 1
        raise RuntimeError("capture")

    def export(self, spans: Sequence[Span]) -> None:
        self.calls += 1
        raise SystemExit("export")

    def flush(self) -> None:
        raise RuntimeError("flush")

    def close(self) -> None:
        raise RuntimeError("close")


class Blocked:
    """Takes nothing until it is let."""

    def __init__(self) -> None:
        self.let = threading.Event()
        self.spans = 0

    def export(self, spans: Sequence[Span]) -> None:
        self.let.wait()
        self.spans += len(spans)

    def flush(self) -> None:
        self.let.wait()

    def close(self) -> None:
        self.let.wait()


async def test_no_sink_fails_or_stalls_a_run():
    broken, blocked, good = Broken(), Blocked(), MemorySink()
    async with scripted(lambda _: "x", sinks=[broken, blocked, good]) as (engine, _):
        agent = await one_prompt(engine)
        results = [await engine.agents.execute(agent, {}) for _ in range(1000)]  # 3,000 spans: more than a queue holds
        assert {result.status for result in results} == {"completed"}
        assert blocked.spans == 0
        assert broken.calls > 0
        blocked.let.set()
    assert len(good.spans) > 0
    stats = {entry.name: entry for entry in engine._parts.services.sinks.stats()}
    assert stats["Broken"].errors > 0
    for entry in stats.values():
        assert entry.exported + entry.dropped == 3000
    assert stats["Blocked"].dropped > 0


# ------------------------------------------------------------------ workspaces


async def _all_ids(engine: AsyncEngine) -> dict[str, list[str]]:
    prompt = await engine.prompts.create("Theirs", user_prompt="their words")
    agent = await engine.agents.create("TheirAgent", config={"type": "simple", "prompt_id": prompt.id})
    result = await engine.agents.execute(agent.id, {}, session_id="s", user_id="u", metadata={"k": "v"})
    assert prompt.current_version is not None
    assert agent.current_version is not None
    return {
        "prompt_id": [prompt.id],
        "agent_id": [agent.id],
        "execution_id": [result.execution_id],
        "trace_id": [result.trace_id],
        "version_id": [prompt.current_version.id, agent.current_version.id],
    }


_ARGUMENTS: dict[str, Any] = {
    "agent_id": "TheirAgent",  # the one of the workspace that asks
    "input": {},
    "data": {"input": {}},
    "metadata": {"x": 1},
    "step": "prompt",
    "decision": "retry",
    "old": "v1",
    "user_prompt": "x",
    "name": "New",
    "config": None,
    "version_id": "v1",
    "type": "input",
    "scanner_type": "secrets",
}


async def _answer(method: Any, arguments: dict[str, Any]) -> Any:
    try:
        result = method(**arguments)
        if hasattr(result, "__aiter__"):
            return [event async for event in result]
        return await result
    except PromptRailsError as refused:
        return type(refused), refused.code, refused.message


def _anonymous(answer: Any, id: str) -> str:
    return repr(answer).replace(id, "<id>")


def _neighbour(id: str) -> str:
    """An id of the same form that nobody has."""
    return ("0" if id[0] != "0" else "1") + id[1:]


async def _same(method: Any, arguments: dict[str, Any], key: str, foreign: str) -> None:
    """The method says of a foreign id what it says of one that nobody has."""
    unknown = _neighbour(foreign)
    one = await _answer(method, {**arguments, key: foreign})
    two = await _answer(method, {**arguments, key: unknown})
    assert _anonymous(one, foreign) == _anonymous(two, unknown), f"{method}({key})"
    assert "their words" not in repr(one)


def _needed(method: Any) -> dict[str, Any]:
    """Values for the parameters that have no default."""
    parameters = inspect.signature(method).parameters
    return {
        name: _ARGUMENTS[name]
        for name, parameter in parameters.items()
        if parameter.default is parameter.empty and name in _ARGUMENTS
    }


def _public(resource: Any) -> list[Any]:
    return [getattr(resource, name) for name in dir(type(resource)) if not name.startswith("_")]


async def _every_method(mine: AsyncEngine, foreign: dict[str, list[str]]) -> int:
    checked = 0
    for resource in (mine.agents, mine.prompts, mine.executions, mine.traces, mine.costs):
        for method in _public(resource):
            for key in {"prompt_id", "agent_id", "execution_id", "trace_id"} & set(
                inspect.signature(method).parameters
            ):
                await _same(method, _needed(method), key, foreign[key][0])
                checked += 1
    return checked


async def test_a_foreign_id_answers_as_an_unknown_one(tmp_path: Path):
    store = str(tmp_path / "app.db")
    async with scripted(lambda _: "x", store=store, workspace_id="theirs") as (theirs, _):
        foreign = await _all_ids(theirs)
        async with scripted(lambda _: "x", store=store, workspace_id="mine") as (mine, _):
            await _all_ids(mine)
            assert await _every_method(mine, foreign) > 25
            for version in foreign["version_id"]:
                for method in (mine.agents.execute, mine.agents.preview, mine.agents.stream):
                    await _same(method, {"agent_id": "TheirAgent", "input": {}}, "version_id", version)
                for method in (mine.agents.get_version, mine.agents.promote_version):
                    await _same(method, {"agent_id": "TheirAgent"}, "version_id", version)
                for method in (mine.prompts.get_version, mine.prompts.promote_version):
                    await _same(method, {"prompt_id": "Theirs"}, "version_id", version)
            link = {"type": "simple", "prompt_id": foreign["prompt_id"][0]}
            assert (await _answer(mine.agents.create, {"name": "Thief", "config": link}))[1] == "not_found"
            filters: list[dict[str, Any]] = [{"session_id": "s"}, {"user_id": "u"}, {"metadata": {"k": "v"}}, {}]
            for where in filters:
                assert {row.workspace_id for row in await mine.executions.list(**where)} == {"mine"}
            assert {span.workspace_id for span in await mine.traces.list(session_id="s")} == {"mine"}
            assert (await mine.costs.get_summary()).total_executions == 1
        assert (await theirs.executions.get(foreign["execution_id"][0])).metadata == {"k": "v"}
        assert (await theirs.prompts.get("Theirs")).status == "active"


async def test_kept_answers_stay_in_their_workspace():
    store = MemoryStore()
    answers: list[str] = []

    for workspace in ("one", "two"):
        provider = ScriptedProvider(lambda _, w=workspace: f"for {w}")
        async with AsyncEngine(store, providers=[provider], model="scripted/m", workspace_id=workspace) as engine:
            agent = await one_prompt(engine, "same", cache_timeout=3600)
            answers += [(await engine.agents.execute(agent, {})).text for _ in range(2)]
            assert len(provider.requests) == 1
    assert answers == ["for one"] * 2 + ["for two"] * 2
