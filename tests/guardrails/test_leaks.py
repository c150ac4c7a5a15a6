"""What a guard has found stands in no error, span, event or log line."""

from __future__ import annotations

import json
import logging
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from promptrails_engine import SimpleAgentConfig
from promptrails_engine.ports.scanner import Verdict
from promptrails_engine.testing import Reply, ToolUse
from tests.guardrails.kit import Numbers, NumbersScanner, guard, guarded

VALUE = "5550123"


class Chatty(NumbersScanner):
    """Says in its reason what it has found, whatever the port asks of it."""

    def scan(self, text: str) -> Verdict:
        verdict = super().scan(text)
        if not verdict.triggered:
            return verdict
        return Verdict(True, 1.0, verdict.findings, verdict.redacted, reason=f"found {VALUE}")


class Raises(NumbersScanner):
    """Raises what it was given."""

    def scan(self, text: str) -> Verdict:
        if VALUE in text:
            raise ValueError(f"cannot read {text!r}")
        return super().scan(text)

    def settled(self, text: str) -> int | None:
        if VALUE in text:
            raise ValueError(f"cannot read {text!r}")
        return super().settled(text)


KINDS = {"plain": NumbersScanner, "chatty": Chatty, "raises": Raises}


def give() -> dict[str, Any]:
    """Give it."""
    return {"data": {f"call {VALUE}": f"or {VALUE}"}}


def reply_of(place: str) -> Any:
    def reply(request: Any) -> Any:
        if place == "output":
            return Reply(f"it is {VALUE} now", chunks=["it is ", VALUE[:3], VALUE[3:], " now"])
        if place == "tool_results" and request.messages[-1].role != "tool":
            return ToolUse("give", {})
        return "done"

    return reply


@pytest.mark.parametrize("stored", [False, True])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("place", ["input", "output", "tool_results"])
@pytest.mark.parametrize("action", ["block", "redact", "log"])
async def test_nothing_repeats_what_was_found(
    action: str, place: str, kind: str, stored: bool, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    numbers = Numbers()
    numbers.kind = KINDS[kind]  # type: ignore[misc]
    store = f"sqlite:///{tmp_path / 'app.db'}" if stored else None
    stream = {"stream": "window"} if place == "output" and action != "log" else {}
    rule = guard("output" if place == "output" else "input", action, apply_to=[place], **stream)
    with caplog.at_level(logging.DEBUG):
        async with guarded([], reply_of(place), scanner=numbers, store=store, tools=[give]) as (engine, _, _provider):
            agent = await engine.agents.create(
                "Calls", config=SimpleAgentConfig("Prompt"), tools=["give"], guardrails=[rule]
            )
            running = engine.agents.stream(agent.id, {"text": f"call {VALUE}" if place == "input" else "go"})
            events = [asdict(event) async for event in running]  # type: ignore[call-overload]
            result = await running.result()
            row = await engine.executions.get(result.execution_id)
            spans = await engine.traces.get_by_trace_id(result.trace_id)
    said = [result.error, row.error, caplog.text, [span.attributes for span in spans if span.kind == "guardrail"]]
    said += [[span.error_message, span.error_stack] for span in spans]
    passes = action == "log"
    if not passes:
        shown = [span for span in spans if place != "output" or span.kind != "llm"]  # which the model has said
        said += [events, [[one.input, one.output, one.attributes] for one in shown]]
    assert VALUE not in json.dumps(said, default=str)
    assert result.status == ("completed" if passes or (action == "redact" and kind != "raises") else "failed")


async def test_a_blocked_input_is_stored_as_earlier_guards_have_left_it() -> None:
    guards = [guard("input", "redact", sort_order=1), guard("input", "block", upper=True, sort_order=2)]
    async with guarded(guards) as (engine, agent, _):
        result = await engine.agents.execute(agent.id, {"text": f"{VALUE} HELP"})
        stored = await engine.executions.get(result.execution_id)
        assert (stored.status, stored.input) == ("failed", {"text": "[N] HELP"})


async def test_a_blocked_input_keeps_no_value_that_had_a_label() -> None:
    guards = [
        guard("input", "redact", "labels", sort_order=1),
        guard("input", "block", upper=True, sort_order=2),
    ]
    async with guarded(guards) as (engine, agent, _):
        result = await engine.agents.execute(agent.id, {"text": f"{VALUE} help"})
        stored = await engine.executions.get(result.execution_id)
        assert (stored.status, stored.input) == ("failed", {"text": "[A] help"})
