"""The scripted provider keeps the port's promises, and says what does not fit."""

from __future__ import annotations

import pytest

from promptrails_engine import Engine, SimpleAgentConfig, ValidationError
from promptrails_engine.ports.provider import ModelRequest
from promptrails_engine.testing import ProviderConformance, Reply, ScriptedProvider, ScriptError, ToolUse


def _answer(request: ModelRequest) -> Reply | ToolUse | dict[str, str]:
    if request.tools and request.messages[-1].role != "tool":
        name = request.tools[0].name
        return ToolUse(name, {key: "x" for key in request.tools[0].parameters.get("properties", {})})
    if request.output_schema is not None:
        return {key: "x" for key in request.output_schema.get("properties", {})}
    return Reply("a steady answer", thinking="hm")


class TestScriptedProvider(ProviderConformance):
    model = "any"
    unknown_model = None  # it serves any name

    def make(self) -> ScriptedProvider:
        return ScriptedProvider(_answer)


def _run(provider: ScriptedProvider, calls: int) -> list[str]:
    with Engine(providers=[provider], model="scripted/m") as engine:
        prompt = engine.prompts.create("P", user_prompt="u")
        agent = engine.agents.create("A", config=SimpleAgentConfig(prompt.id))
        return [engine.agents.execute(agent.id, {}).status for _ in range(calls)]


def test_replies_come_in_order_and_all_must_be_used():
    assert _run(ScriptedProvider(["one", {"two": 2}]), 2) == ["completed", "completed"]
    with pytest.raises(ScriptError, match="1 of 2 scripted replies were never asked for"):
        _run(ScriptedProvider(["one", "two"]), 1)


def test_a_call_beyond_the_script_fails_the_run_and_the_test():
    provider = ScriptedProvider(["one"])
    with pytest.raises(ScriptError, match="1 model call"):
        _run(provider, 2)


def test_an_error_of_the_test_itself_is_not_hidden_by_unused_replies():
    with pytest.raises(ValidationError) as caught, Engine(providers=[ScriptedProvider(["unused"])]) as engine:
        engine.prompts.list(page=0)
    assert any("never asked for" in note for note in caught.value.__notes__)


def test_text_is_sent_in_words_unless_told_otherwise():
    chunks = [["one ", "two"], ["o", "ne two"]]
    provider = ScriptedProvider(["one two", Reply("one two", chunks=chunks[1])])
    with Engine(providers=[provider], model="scripted/m") as engine:
        prompt = engine.prompts.create("P", user_prompt="u")
        agent = engine.agents.create("A", config=SimpleAgentConfig(prompt.id))
        for expected in chunks:
            events = list(engine.agents.stream(agent.id, {}))
            assert [e.content for e in events if e.type == "content"] == expected  # type: ignore[union-attr]
