"""Previews against the wire, and work that must not hold up the event loop."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from promptrails_engine import (
    ModelCapabilities,
    PromptRailsError,
)
from promptrails_engine.run import render
from promptrails_engine.testing import ToolUse
from tests.e2e.doors import DOORS, Door, engine_over, model_of
from tests.engine.kit import SCHEMA, one_prompt, scripted
from tests.providers.loopback import LoopbackServer, Received, Reply
from tests.providers.replies import chat


@pytest.fixture(params=sorted(DOORS))
def door(request: pytest.FixtureRequest) -> Door:
    return DOORS[request.param]


# ------------------------------------------------------------------ previews

CAPABILITIES = {
    "native": ModelCapabilities(),
    "emulated": ModelCapabilities(tools="emulated", json_schema="native"),
    "no schema": ModelCapabilities(tools="native", json_schema="none"),
    "neither": ModelCapabilities(tools="none", json_schema="none"),
}


@pytest.mark.parametrize("case", CAPABILITIES)
@given(
    values=st.dictionaries(
        st.sampled_from("abc"),
        st.none() | st.booleans() | st.integers() | st.text(max_size=20) | st.lists(st.text(max_size=5), max_size=3),
    )
)
@settings(max_examples=8, suppress_health_check=list(HealthCheck))
async def test_a_preview_is_what_is_sent(door: Door, case: str, values: dict[str, Any]):
    def act(n: int, note: str = "") -> str:
        """Act on things."""
        return note

    sent: list[Any] = []
    emulated = CAPABILITIES[case].tools != "native"

    def answer(request: Received) -> Reply:
        sent.append(request.json)
        return chat('{"answer": {"category": "other"}}' if emulated else '{"category": "other"}')(request)

    with LoopbackServer() as server:
        server.script(answer)
        async with engine_over(door, server, tools=[act], capabilities=CAPABILITIES[case]) as engine:
            agent = await one_prompt(
                engine,
                "{{ a }} and {{ b | tojson }} {% for x in c %}{{ x }}{% endfor %}",
                system_prompt="Be {{ a }}",
                tools=["act"],
                output_schema=SCHEMA,
                temperature=0.3,
                top_p=0.9,
                max_tokens=77,
            )
            try:
                (preview,) = await engine.agents.preview(agent, values)
            except PromptRailsError as refused:
                with pytest.raises(type(refused)):
                    await engine.agents.execute(agent, values)
                assert not sent
                return
            result = await engine.agents.execute(agent, values)
            assert result.output == {"category": "other"}
            body = sent[0]
            assert [{"role": m["role"], "content": m["content"]} for m in body["messages"]] == preview.messages
            assert [t["function"] for t in body.get("tools", ())] == [
                {"name": t["name"], "description": t["description"], "parameters": t["parameters"]}
                for t in preview.tools
            ]
            form = body.get("response_format")
            assert (None if form is None else form["json_schema"]["schema"]) == preview.output_schema
            assert (body["temperature"], body["top_p"], body["max_tokens"]) == (
                preview.temperature,
                preview.top_p,
                preview.max_tokens,
            )
            assert model_of(door).endswith(body["model"])
            assert preview.model == model_of(door)


# ------------------------------------------------------------------ the event loop


async def test_a_big_template_is_rendered_off_the_loop(monkeypatch: pytest.MonkeyPatch):
    threads: list[bool] = []
    original = render.CompiledTemplate.render

    def noted(self: Any, *arguments: Any) -> str:
        text = original(self, *arguments)
        threads.append(threading.current_thread() is threading.main_thread())
        return text

    monkeypatch.setattr(render.CompiledTemplate, "render", noted)
    async with scripted(lambda _: "x") as (engine, _):
        agent = await one_prompt(engine, "{% for x in rows %}{{ x }}{% endfor %}")
        for size, on_loop in ((5, True), (50_000, False)):
            threads.clear()
            assert (await engine.agents.execute(agent, {"rows": list(range(size))})).status == "completed"
            assert threads == [on_loop]


async def test_a_sync_tool_does_not_hold_up_the_loop():
    let, started = threading.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()

    def waits() -> str:
        """Wait."""
        loop.call_soon_threadsafe(started.set)
        assert let.wait(30)
        return "done"

    async with scripted([ToolUse("waits"), "ok"], tools=[waits]) as (engine, _):
        agent = await one_prompt(engine, tools=["waits"])
        call = asyncio.create_task(engine.agents.execute(agent, {}))
        await started.wait()
        let.set()  # set by this loop, while the tool waits for it
        assert (await call).text == "ok"
