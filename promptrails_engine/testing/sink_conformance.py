"""The tests that every sink must pass.

Subclass it in a test module and run it with pytest (or call the `test_*` methods):

    class TestMySink(SinkConformance):
        def make(self) -> Sink:
            return MySink(...)
"""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

from promptrails_engine.ports.provider import Message
from promptrails_engine.ports.sink import SPAN_KINDS, Sink, Span, TraceInfo
from promptrails_engine.tracing.hub import SinkHub

_MOMENT = 1_767_225_600.123456
_ODD_TEXTS = (
    "\x00",
    "\ud800 alone",
    "\x1b[2J",
    "[red]markup[/red]",
    "line\r\nline",
    "\u202eright to left",
    "日本 🙂",
    "",
)
_BATCHES_AT_ONCE = 50


def make_trace(trace_id: str = "0af7651916cd43dd8448eb211c80319c", **fields: Any) -> TraceInfo:
    """What the spans of one made-up execution share."""
    values: dict[str, Any] = {
        "execution_id": "execution",
        "workspace_id": "workspace",
        "agent_id": "agent",
        "agent_name": "Agent",
        "agent_type": "simple",
        "session_id": "session",
        "user_id": "user",
    }
    return TraceInfo(trace_id, **{**values, **fields})


def make_span(trace: TraceInfo, number: int, parent: int = 0, **fields: Any) -> Span:
    """A finished span that lasts a second; `parent` 0 makes it a root."""
    values: dict[str, Any] = {
        "name": f"span {number}",
        "kind": "agent" if parent == 0 else "tool",
        "started_at": _MOMENT + number / 1000,
        "ended_at": _MOMENT + 1,
    }
    return Span(trace, f"{number:016x}", f"{parent:016x}" if parent else "", **{**values, **fields})


def example_trace(trace: TraceInfo | None = None) -> list[Span]:
    """The spans of one run as the engine hands them on, children first: agent > (prompt, llm > tool)."""
    trace = trace or make_trace()
    return [
        make_span(trace, 2, 1, kind="prompt", name="Prompt", output=[Message("user", "What is 6 times 7?")]),
        make_span(trace, 4, 3, name="calculator", input={"expression": "6 * 7"}, output="42"),
        make_span(
            trace,
            3,
            1,
            kind="llm",
            name="openai/gpt-4o-mini",
            model_name="openai/gpt-4o-mini",
            input=[Message("user", "What is 6 times 7?")],
            output={"content": "42", "finish_reason": "stop"},
            attributes={"provider": "openai", "model": "gpt-4o-mini", "temperature": 0.5},
            prompt_tokens=12,
            completion_tokens=3,
            total_tokens=15,
            cost=0.000012,
            completion_start_time=_MOMENT + 0.5,
        ),
        make_span(trace, 1, kind="agent", name="Agent", input={"n": 6}, output={"content": "42", "type": "text"}),
    ]


class SinkConformance(ABC):
    """What the port promises: any finished span is taken, in any batches, and left as it was."""

    @abstractmethod
    def make(self) -> Sink:
        """A new sink, ready for spans."""

    # -------------------------------------------------------------- the tests

    def test_it_is_a_sink(self) -> None:
        sink = self.make()
        assert isinstance(sink, Sink)
        sink.close()

    def test_a_trace_in_one_batch(self) -> None:
        self._export([example_trace()])

    def test_a_trace_in_many_batches(self) -> None:
        self._export([[span] for span in example_trace()])

    def test_an_empty_batch(self) -> None:
        self._export([[], example_trace(), ()])

    def test_several_traces_in_one_batch(self) -> None:
        self._export([[*example_trace(make_trace("1" * 32)), *example_trace(make_trace("2" * 32))]])

    def test_every_kind_of_span(self) -> None:
        trace = make_trace()
        spans = [make_span(trace, number, 1, kind=kind) for number, kind in enumerate(SPAN_KINDS, 2)]
        self._export([[*spans, make_span(trace, 1)]])

    def test_spans_with_errors(self) -> None:
        trace = make_trace()
        failed = make_span(
            trace,
            2,
            1,
            status="error",
            level="error",
            error_type="rate_limited",
            error_message="slow down",
            error_stack="Traceback (most recent call last):\n  ...",
        )
        self._export([[failed, make_span(trace, 1, status="error", level="error")]])

    def test_spans_with_hardly_anything(self) -> None:
        bare = TraceInfo("3" * 32, "", "", "", "", "")
        self._export([[Span(bare, "1" * 16, "", "", "agent", _MOMENT)]])

    def test_odd_text_everywhere(self) -> None:
        for text in _ODD_TEXTS:
            trace = make_trace(agent_name=text, session_id=text, user_id=text)
            payload = {text: [text, {"deep": text}]}
            odd = make_span(
                trace,
                1,
                name=text,
                input=payload,
                output=text,
                attributes={text or "empty": text},
                tags=(text,),
                model_name=text,
                prompt_name=text,
                status="error",
                error_type=text,
                error_message=text,
                error_stack=text,
            )
            self._export([[odd]])

    def test_payloads_that_are_not_json_or_very_large(self) -> None:
        trace = make_trace()
        deep: Any = "bottom"
        for _ in range(2000):
            deep = [deep]
        payloads: list[Any] = [object(), {1: {2, 3}}, b"\xff", float("nan"), 10**5000, deep, "x" * 1_000_000]
        for payload in payloads:
            self._export([[make_span(trace, 1, input=payload, output=[payload], attributes={"payload": payload})]])

    def test_a_parent_that_never_comes(self) -> None:
        self._export([[make_span(make_trace(), 2, 1), make_span(make_trace(), 3, 3)]])

    def test_more_spans_than_a_batch_usually_has(self) -> None:
        trace = make_trace()
        self._export([[*(make_span(trace, number, 1) for number in range(2, 1500)), make_span(trace, 1)]])

    def test_flush_between_batches_and_before_any(self) -> None:
        sink = self.make()
        sink.flush()
        for span in example_trace():
            sink.export([span])
            sink.flush()
        sink.close()

    def test_close_without_spans(self) -> None:
        self.make().close()

    def test_batches_from_one_thread_after_another(self) -> None:
        sink = self.make()
        for span in example_trace():
            thread = threading.Thread(target=sink.export, args=([span],))
            thread.start()
            thread.join()
        sink.close()

    def test_behind_the_hub_nothing_is_lost_or_refused(self) -> None:
        hub = SinkHub([self.make()])
        for number in range(_BATCHES_AT_ONCE):
            hub.publish(example_trace(make_trace(f"{number + 1:032x}", ambient=hub.capture())))
        assert hub.flush(timeout_s=30), "flush took longer than 30 s"
        assert hub.close(timeout_s=30), "close took longer than 30 s"
        (stats,) = hub.stats()
        assert (stats.exported, stats.dropped, stats.errors) == (4 * _BATCHES_AT_ONCE, 0, 0)

    def _export(self, batches: Sequence[Sequence[Span]]) -> None:
        """Exports, and looks whether batches and spans are still as they were."""
        sink = self.make()
        given = [list(batch) for batch in batches]
        before = [[_snapshot(span) for span in batch] for batch in given]
        for batch in given:
            sink.export(batch)
        sink.flush()
        sink.close()
        assert [[_snapshot(span) for span in batch] for batch in given] == before, "a sink may not change spans"


def _snapshot(span: Span) -> str:
    try:
        return repr(span)
    except (RecursionError, ValueError):  # too deep, or a number too large to write
        return f"{span.name} {sorted(span.attributes)} {span.status} {span.tags}"
