"""`Engine` wherever its caller stands, and engines that share nothing."""

from __future__ import annotations

import asyncio
import contextvars
import os
import subprocess
import sys
import textwrap
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from promptrails_engine import (
    ContentEvent,
    Engine,
    EngineClosedError,
    EngineUsageError,
    InputInvalidError,
    LLMModel,
    SimpleAgentConfig,
    StoreUnavailableError,
    tool,
)
from promptrails_engine.testing import ScriptedProvider, ScriptError, ToolUse


class ClosedProvider(ScriptedProvider):
    """Counts how often it is closed."""

    closed = 0

    async def aclose(self) -> None:
        self.closed += 1


def _echo(request: Any) -> str:
    return f"<{request.messages[-1].content}>"


def _agent(engine: Engine, **more: Any) -> str:
    prompt = engine.prompts.create("P", user_prompt="{{ n }}", **more)
    return engine.agents.create("A", config=SimpleAgentConfig(prompt.id)).id


def test_threads_that_share_a_new_engine_share_all_of_it():
    engine, together = Engine(), threading.Barrier(8)

    def register(number: int) -> None:
        together.wait()
        engine.llm_models.register(LLMModel(f"m{number}", "mine", f"model-{number}"))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(register, range(8)))
    assert engine.llm_models.list(provider="mine").meta.total == 8
    engine.close()


def test_an_engine_that_nobody_used_closes_its_providers():
    provider = ClosedProvider([])
    with Engine(providers=[provider]):
        pass
    Engine(providers=[provider]).close()
    assert provider.closed == 2


def test_the_same_calls_without_await():
    with Engine(providers=[ScriptedProvider(_echo)], model="scripted/m") as engine:
        agent = _agent(engine)
        result = engine.agents.execute(agent, {"n": 1})
        assert result.text == "<1>"
        events = list(engine.agents.stream(agent, {"n": "a b"}))
        assert "".join(e.content for e in events if isinstance(e, ContentEvent)) == "<a b>"
        assert list(engine.executions.stream(result.execution_id))[-1].type == "done"
        assert [e.status for e in engine.executions.list()] == ["completed"] * 2
        with engine.agents.stream(agent, {"n": 1}) as stream:
            next(stream)
        assert stream.result().status == "completed"


def test_misuse_raises_at_the_call_of_a_stream():
    with Engine(providers=[ScriptedProvider([])], model="scripted/m") as engine:
        agent = _agent(engine, input_schema={"required": ["n"]})
        with pytest.raises(InputInvalidError):
            engine.agents.stream(agent, {})


def test_many_threads_share_one_engine():
    with Engine(providers=[ScriptedProvider(_echo)], model="scripted/m") as engine:
        agent = _agent(engine)
        with ThreadPoolExecutor(16) as pool:
            texts = list(pool.map(lambda n: engine.agents.execute(agent, {"n": n}).text, range(300)))
        assert texts == [f"<{n}>" for n in range(300)]


async def test_inside_a_running_loop():
    with Engine(providers=[ScriptedProvider(_echo)], model="scripted/m") as engine:
        agent = _agent(engine)
        assert engine.agents.execute(agent, {"n": 1}).text == "<1>"
        assert (await asyncio.to_thread(engine.agents.execute, agent, {"n": 2})).text == "<2>"


def test_a_call_from_the_engines_own_loop_is_refused_and_from_a_tool_thread_it_works():
    outcomes: list[Any] = []
    held: list[Engine] = []

    @tool
    async def inside() -> str:
        """Call back from the loop."""
        try:
            held[0].prompts.get("P")
        except EngineUsageError as error:
            outcomes.append(error)
        return "x"

    @tool
    def beside() -> str:
        """Call back from a thread."""
        return held[0].prompts.get("P").name

    replies = [ToolUse("inside"), ToolUse("beside"), "done"]
    with Engine(providers=[ScriptedProvider(replies)], model="scripted/m", tools=[inside, beside]) as engine:
        held.append(engine)
        agent = _agent(engine, tools=["inside", "beside"])
        result = engine.agents.execute(agent, {"n": 1})
        assert result.text == "done"
        assert "for ever" in str(outcomes[0])
        results = [s.output for s in engine.traces.list(kind="tool")]
        assert sorted(map(str, results)) == ["P", "x"]


def test_two_engines_share_nothing():
    first = Engine(providers=[ScriptedProvider(lambda _: "first")], model="scripted/m")
    second = Engine(providers=[ScriptedProvider(lambda _: "second")], model="scripted/m")
    with first, second:
        a, b = _agent(first), _agent(second)
        assert (first.agents.execute(a, {}).text, second.agents.execute(b, {}).text) == ("first", "second")
        assert second.executions.list().meta.total == 1
        assert {p.id for p in first.prompts.list()}.isdisjoint({p.id for p in second.prompts.list()})


def test_workspaces_of_one_store_do_not_see_each_other(tmp_path: Path):
    file = str(tmp_path / "app.db")
    one = Engine(file, providers=[ScriptedProvider(_echo)], model="scripted/m", workspace_id="one")
    two = Engine(file, providers=[ScriptedProvider(_echo)], model="scripted/m", workspace_id="two")
    with one, two:
        agent = _agent(one)
        result = one.agents.execute(agent, {"n": 1})
        for call in (
            lambda: two.agents.get(agent),
            lambda: two.agents.get("A"),
            lambda: two.agents.execute(agent, {"n": 1}),
            lambda: two.executions.get(result.execution_id),
            lambda: two.executions.cancel(result.execution_id),
            lambda: list(two.executions.stream(result.execution_id)),
            lambda: two.traces.get_by_trace_id(result.trace_id),
        ):
            with pytest.raises(Exception) as foreign:  # noqa: PT011
                call()
            assert foreign.value.code == "not_found"  # type: ignore[attr-defined]
        assert two.costs.get_summary().total_executions == 0
        assert _agent(two) != agent


def test_what_one_engine_stores_another_finds(tmp_path: Path):
    file = str(tmp_path / "app.db")
    with Engine(file, providers=[ScriptedProvider(_echo)], model="scripted/m") as engine:
        agent = _agent(engine)
        result = engine.agents.execute(agent, {"n": 1}, metadata={"k": "v"})
    with Engine(file, providers=[ScriptedProvider(_echo)], model="scripted/m") as engine:
        record = engine.executions.get(result.execution_id)
        assert (record.output, record.metadata, record.status) == (result.output, {"k": "v"}, "completed")
        assert [s.kind for s in engine.traces.get_by_trace_id(result.trace_id)] == ["agent", "prompt", "llm"]
        assert [e.type for e in engine.executions.stream(result.execution_id)] == ["execution", "content", "done"]
        assert engine.agents.execute("A", {"n": 2}).text == "<2>"


def test_a_closed_engine_says_so_and_closing_twice_is_fine():
    engine = Engine(providers=[ScriptedProvider(_echo)], model="scripted/m")
    agent = _agent(engine)
    engine.close()
    engine.close()
    with pytest.raises(EngineClosedError, match="closed"):
        engine.agents.execute(agent, {})


def test_an_unreachable_store_says_so(tmp_path: Path):
    with pytest.raises(StoreUnavailableError), Engine(str(tmp_path / "no" / "such" / "folder" / "app.db")):
        pass


def test_replies_that_were_never_asked_for_are_an_error_of_the_test():
    with pytest.raises(ScriptError, match="never asked"), Engine(providers=[ScriptedProvider(["unused"])]):
        pass


def test_the_callers_context_is_seen():
    seen: list[str] = []
    who: contextvars.ContextVar[str] = contextvars.ContextVar("who", default="nobody")

    def reply(_: Any) -> str:
        seen.append(who.get())
        return "x"

    with Engine(providers=[ScriptedProvider(reply)], model="scripted/m") as engine:
        agent = _agent(engine)
        who.set("me")
        engine.agents.execute(agent, {})
        list(engine.agents.stream(agent, {}))
    assert seen == ["me", "me"]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_child_uses_the_engine_too(tmp_path: Path):
    script = textwrap.dedent("""
        import os, sys
        from promptrails_engine import Engine, SimpleAgentConfig
        from promptrails_engine.testing import ScriptedProvider
        store = sys.argv[1] or None
        engine = Engine(store, providers=[ScriptedProvider(lambda r: "hi")], model="scripted/m")
        prompt = engine.prompts.create("P", user_prompt="u")
        agent = engine.agents.create("A", config=SimpleAgentConfig(prompt.id)).id
        assert engine.agents.execute(agent, {}).text == "hi"
        pid = os.fork()
        if pid == 0:
            ok = engine.agents.execute(agent, {}).text == "hi"
            os._exit(0 if ok else 1)
        _, status = os.waitpid(pid, 0)
        assert status == 0, status
        assert engine.agents.execute(agent, {}).text == "hi"
        print(engine.executions.list().meta.total)
        engine.close()
    """)
    for store, total in (("", "2"), (str(tmp_path / "app.db"), "3")):
        done = subprocess.run(
            [sys.executable, "-W", "ignore", "-c", script, store],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert (done.returncode, done.stdout.strip()) == (0, total), done.stderr


def test_in_a_notebook_kernel():
    manager = pytest.importorskip("jupyter_client.manager")
    km, kc = manager.start_new_kernel(kernel_name="python3", startup_timeout=60)
    try:
        code = """
from promptrails_engine import Engine, SimpleAgentConfig
from promptrails_engine.testing import ScriptedProvider
engine = Engine(providers=[ScriptedProvider(lambda r: "from the kernel")], model="scripted/m")
prompt = engine.prompts.create("P", user_prompt="u")
agent = engine.agents.create("A", config=SimpleAgentConfig(prompt.id)).id
print(engine.agents.execute(agent, {}).text, len(list(engine.agents.stream(agent, {}))))
engine.close()
"""
        said: list[str] = []
        reply = kc.execute_interactive(
            code, timeout=60, output_hook=lambda m: said.append(str(m["content"].get("text") or m["content"]))
        )
        assert reply["content"]["status"] == "ok", said
        assert "from the kernel 5" in "".join(said)
    finally:
        kc.stop_channels()
        km.shutdown_kernel(now=True)


def test_threads_end_with_the_engine():
    before = {t.ident for t in threading.enumerate()}
    with Engine(providers=[ScriptedProvider(_echo)], model="scripted/m") as engine:
        engine.agents.execute(_agent(engine), {"n": 1})
    left = [t.name for t in threading.enumerate() if t.ident not in before]
    assert left == []
