"""What a guard does to a run: it blocks, takes out, or only records."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Mapping
from typing import Any

import pytest

from promptrails_engine import (
    ChainAgentConfig,
    DefinitionError,
    GuardrailBlockedError,
    GuardrailSpec,
    MultiAgentConfig,
    PromptLink,
    SimpleAgentConfig,
    ToolAttachment,
    WorkflowAgentConfig,
    WorkflowNode,
)
from promptrails_engine.testing import ToolUse
from tests.guardrails.kit import Numbers, NumbersScanner, guard, guarded, spans_of


async def test_what_an_input_guard_takes_out_is_neither_sent_nor_stored() -> None:
    async with guarded([guard()]) as (engine, agent, provider):
        result = await engine.agents.execute(agent.id, {"text": "call 555 at 3", "list": ["room 12", 4]})
        assert provider.requests[0].messages[-1].content == "call [N] at [N]"
        stored = await engine.executions.get(result.execution_id)
        assert stored.input == {"text": "call [N] at [N]", "list": ["room [N]", 4]}
        [span] = await spans_of(engine, result.trace_id)
        assert span.name == "numbers"
        facts = {name: span.attributes[name] for name in ("scanner_type", "direction", "action", "triggered", "types")}
        assert facts == {
            "scanner_type": "numbers", "direction": "input", "action": "redact", "triggered": True, "types": ["NUMBER"],
        }  # fmt: skip
        assert [(one["path"], one["start"], one["end"]) for one in span.attributes["findings"]] == [
            ("/text", 5, 8), ("/text", 12, 13), ("/list/0", 5, 7),
        ]  # fmt: skip
        assert "555" not in json.dumps(span.attributes)


@pytest.mark.parametrize("direction", ["input", "output"])
async def test_a_block_fails_the_run_and_says_which_guard(direction: str) -> None:
    async with guarded([guard(direction, "block", name="No numbers")]) as (engine, agent, provider):
        result = await engine.agents.execute(agent.id, {"text": "call 555"})
        assert (result.status, result.error_code) == ("failed", "guardrail_blocked")
        assert result.error == f"the {direction} was blocked by the guard 'No numbers': there are numbers"
        assert len(provider.requests) == (direction == "output")
        assert result.output is None
        with pytest.raises(Exception, match="No numbers"):
            result.raise_for_status()
        [span] = await spans_of(engine, result.trace_id)
        assert (span.status, span.attributes["triggered"]) == ("error", True)
        events = [event async for event in engine.agents.stream(agent.id, {"text": "call 555"})]
        assert [event.type for event in events] == ["execution", "error"]


async def test_a_log_only_records() -> None:
    async with guarded([guard("input", "log"), guard("output", "log")]) as (engine, agent, provider):
        result = await engine.agents.execute(agent.id, {"text": "call 555"})
        assert result.text == "answer 7"
        assert provider.requests[0].messages[-1].content == "call 555"
        assert [span.attributes["triggered"] for span in await spans_of(engine, result.trace_id)] == [True, True]


async def test_what_an_output_guard_takes_out_is_heard_by_nobody() -> None:
    async with guarded([guard("output", stream="buffer")], "a 12 b 345") as (engine, agent, _):
        result = await engine.agents.execute(agent.id, {"text": "hi"})
        assert result.output == {"content": "a [N] b [N]", "type": "text"}
        events = [event async for event in engine.agents.stream(agent.id, {"text": "hi"})]
        assert [getattr(event, "content", "") for event in events if event.type == "content"] == ["a [N] b [N]"]
        stored = await engine.executions.get(result.execution_id)
        assert stored.output == result.output


async def test_guards_look_in_their_order_and_see_what_is_left() -> None:
    guards = [
        guard(upper=True, replacement="1", sort_order=2),
        guard(replacement="[N]", sort_order=3, id="last"),
        guard(replacement="[FIRST]", sort_order=1),
        guard("output", "block", is_active=False),
    ]
    async with guarded(guards) as (engine, agent, provider):
        result = await engine.agents.execute(agent.id, {"text": "5"})
        assert provider.requests[0].messages[-1].content == "[[N]]"
        assert [span.attributes["types"] for span in await spans_of(engine, result.trace_id)] == [["NUMBER"]] * 3


async def test_a_block_ends_the_evaluation() -> None:
    async with guarded([guard("input", "block"), guard("input", "log")]) as (engine, agent, _):
        result = await engine.agents.execute(agent.id, {"text": "5"})
        assert len(await spans_of(engine, result.trace_id)) == 1


async def test_a_scanner_that_takes_nothing_out_blocks_and_says_so_before(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "promptrails_engine"):
        async with guarded([guard(scanner="judge")]) as (engine, agent, _):
            result = await engine.agents.execute(agent.id, {"text": "5"})
    assert result.error_code == "guardrail_blocked"
    assert "cannot take anything out, so it blocks" in caplog.text


REAL = {"injection": "prompt_injection", "hidden": "invisible_text", "pii": "pii"}
JUDGE, CLEARS, REDACTS = ("injection", "block", {}), ("hidden", "redact", {}), ("pii", "redact", {})


@pytest.mark.parametrize(
    ("guards", "warned"),
    [
        ([CLEARS, JUDGE, REDACTS], []),
        ([CLEARS, JUDGE], []),
        ([REDACTS, JUDGE], ["placeholders and all"]),
        ([JUDGE, CLEARS], ["comes after guard 'injection'"]),
        ([CLEARS, REDACTS, CLEARS], ["comes after guard 'pii'"]),
        ([("injection", "redact", {})], ["redact_unit='sentence'"]),
        ([("injection", "redact", {"redact_unit": "sentence"})], []),
        ([("injection", "log", {}), ("injection", "block", {})], []),
    ],
)
async def test_what_the_order_and_the_options_lose_is_said_when_guards_are_built(
    guards: list[Any], warned: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    specs = [
        {"type": "input", "scanner_type": REAL[name], "action": action, "config": {"name": name, **config}}
        for name, action, config in guards
    ]
    with caplog.at_level(logging.WARNING, "promptrails_engine"):
        async with guarded(specs):
            pass
    lines = [record.getMessage() for record in caplog.records]
    assert len(lines) == len(warned), lines
    assert all(words in line for words, line in zip(warned, lines, strict=True))


async def test_a_sample_is_the_same_where_a_run_goes_on() -> None:
    def write() -> str:
        """Write."""
        return "written"

    def reply(request: Any) -> Any:
        return "done" if request.messages[-1].role == "tool" else ToolUse("write", {})

    async with guarded([], reply, tools=[write]) as (engine, _, _provider):
        agent = await engine.agents.create(
            "Writes",
            config=SimpleAgentConfig("Prompt"),
            tools=[ToolAttachment("write", requires_approval=True)],
            guardrails=[guard("input", "log", sample=0.5)],
        )
        looks: list[int] = []
        for number in range(60):
            result = await engine.agents.execute(agent.id, {"text": f"{number}"})
            looks.append(len(await spans_of(engine, result.trace_id)))
            [request] = await engine.approvals.list(status="pending")
            await engine.approvals.decide(request.id, "approved", resume=False)
            assert (await engine.executions.resume(result.execution_id)).status == "completed"
            assert len(await spans_of(engine, result.trace_id)) == looks[-1]
        assert 10 < sum(looks) < 50
        assert set(looks) == {0, 1}


async def test_only_guards_that_log_look_at_a_sample() -> None:
    for sample in (0, 1.5, -1):
        with pytest.raises(DefinitionError):
            async with guarded([guard("input", "log", sample=sample)]):
                pass
    with pytest.raises(DefinitionError, match="leave 'sample' out"):
        async with guarded([guard("input", "block", sample=0.5)]):
            pass


@pytest.mark.parametrize(
    ("action", "on_error", "passes"),
    [
        ("block", None, False),
        ("redact", None, False),
        ("log", None, True),
        ("block", "allow", True),
        ("log", "block", False),
    ],
)
async def test_a_scanner_that_fails_blocks_unless_it_is_told_otherwise(
    action: str, on_error: str | None, passes: bool, caplog: pytest.LogCaptureFixture
) -> None:
    options: dict[str, Any] = {} if on_error is None else {"on_error": on_error}
    async with guarded([guard("input", action, fails=True, **options)]) as (engine, agent, _):
        result = await engine.agents.execute(agent.id, {"text": "call 555"})
        assert (result.status == "completed") == passes
        [span] = await spans_of(engine, result.trace_id)
        assert span.attributes["error"] == "ValueError"
        assert "555" not in f"{result.error} {span.attributes} {caplog.text}"


async def test_a_scanner_that_hangs_is_left_behind_and_blocks() -> None:
    async with guarded([guard("input", "block", hangs=True, timeout_ms=50)]) as (engine, agent, _):
        result = await engine.agents.execute(agent.id, {"text": "x" * 1000})
        assert (result.error_code, "timeout" in result.error) == ("guardrail_blocked", True)


async def test_scanners_of_others_never_work_on_the_loop() -> None:
    numbers = Numbers()
    async with guarded([guard()], scanner=numbers) as (engine, agent, provider):
        await engine.agents.execute(agent.id, {"text": "short 1"})
        await engine.agents.execute(agent.id, {"text": "5 " * 1000})
        assert numbers.threads
        assert threading.get_ident() not in numbers.threads
        assert provider.requests[-1].messages[-1].content == "[N] " * 1000


async def test_values_under_a_schema_are_guarded_and_held_against_it() -> None:
    schema = {"type": "object", "properties": {"a": {"type": "string", "maxLength": 5}, "n": {"type": "integer"}}}
    async with guarded([guard("output")], '{"a": "is 5", "n": 6}') as (engine, agent, _):
        await engine.prompts.create_version("Prompt", user_prompt="{{ text }}", output_schema=schema, set_current=True)
        stream = engine.agents.stream(agent.id, {"text": "x"})
        heard = [event.content async for event in stream if event.type == "content"]  # type: ignore[union-attr]
        result = await stream.result()
        assert result.output == {"a": "is [N]", "n": 6}
        assert [json.loads(text) for text in heard] == [{"a": "is [N]", "n": 6}]


@pytest.mark.parametrize("kind", ["chain", "multi_agent", "workflow"])
async def test_every_type_of_agent_is_guarded(kind: str) -> None:
    configs = {
        "chain": ChainAgentConfig([PromptLink("Prompt", "one", 1), PromptLink("Prompt", "two", 2)]),
        "multi_agent": MultiAgentConfig([PromptLink("Prompt", "one", 1), PromptLink("Prompt", "two", 2)]),
        "workflow": WorkflowAgentConfig([WorkflowNode("a", prompt_id="Prompt"), WorkflowNode("b", prompt_id="Prompt")]),
    }
    guards = [guard(), guard("output")]
    async with guarded(guards, "answer 7", config=configs[kind]) as (engine, agent, provider):
        stream = engine.agents.stream(agent.id, {"text": "call 5"})
        heard = "".join([event.content async for event in stream if event.type == "content"])  # type: ignore[union-attr]
        result = await stream.result()
        assert "call 5" not in str([request.messages for request in provider.requests])
        assert "7" not in json.dumps(result.output)
        assert json.dumps(result.output).count("[N]") == (1 if kind == "chain" else 2)
        assert "7" not in heard
        assert "[N]" in heard


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (guard(scanner="numberz"), "did you mean 'numbers'"),
        (guard(upperr=True), "upperr"),
        (guard(on_error="maybe"), "on_error"),
        (guard("sideways"), "sideways|input"),
        (guard(action="delete"), "action"),
        (guard("input", scanner="no_refusal"), "outputs only"),
        (guard("output", scanner="judge", stream="window"), "needs the whole output"),
    ],
)
async def test_a_guard_that_cannot_be_is_refused(wrong: dict[str, Any], said: str) -> None:
    async with guarded([]) as (engine, _, _provider):
        with pytest.raises(DefinitionError, match=said):
            await engine.agents.create("Other", config={"type": "simple", "prompt_id": "Prompt"}, guardrails=[wrong])


async def test_two_guards_of_one_id_are_refused() -> None:
    async with guarded([]) as (engine, _, _provider):
        with pytest.raises(DefinitionError, match="two guards have the id 'g'"):
            await engine.agents.create(
                "Other", config={"type": "simple", "prompt_id": "Prompt"}, guardrails=[guard(id="g"), guard(id="g")]
            )


def test_a_spec_is_checked_when_it_is_made() -> None:
    assert GuardrailSpec("input", "malicious_url").scanner_type == "malicious_urls"
    with pytest.raises(DefinitionError):
        GuardrailSpec("input", "pii", action="delete")  # type: ignore[arg-type]


def test_the_error_is_public() -> None:
    assert GuardrailBlockedError.code == "guardrail_blocked"


async def test_a_scanner_is_built_once_and_never_on_the_loop() -> None:
    built: list[int] = []

    class Slow(Numbers):
        def build(self, config: Mapping[str, Any]) -> NumbersScanner:
            built.append(threading.get_ident())
            return super().build(config)

    async with guarded([guard()], scanner=Slow()) as (engine, agent, provider):
        await engine.agents.create_guardrail(agent.id, "output", "numbers", "log")
        await engine.agents.execute(agent.id, {"text": "call 12"})
        assert provider.requests[0].messages[-1].content == "call [N]"
    assert len(built) == 1
    assert threading.get_ident() not in built
