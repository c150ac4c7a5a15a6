"""Single parts of a run, each against the bare library below it."""

from __future__ import annotations

import queue
import threading
from collections import deque
from typing import Any

import fakes
import floors
import jsonschema_rs
import work
from case_runs import executed
from harness import Contender, Row, Size, cpu_row, in_turns, in_turns_sync

from promptrails_engine import AsyncEngine, MemorySink, OTelSink, Span
from promptrails_engine.ports.sink import TraceInfo
from promptrails_engine.run.render import compile_template, render_all
from promptrails_engine.schema import check_input, compile_schema
from promptrails_engine.tracing.hub import SinkHub

BATCHES_OF_SPANS = 500
RUNS_A_BATCH = 500
"""Fewer spans than a sink's queue holds, so that none is dropped."""


async def template(size: Size) -> list[Row]:
    ours_template, bare = compile_template(work.LOOP), floors.ENVIRONMENT.from_string(work.LOOP)

    async def ours_once(i: int) -> str:
        [text] = await render_all((ours_template,), {"items": work.items(i)})
        return text

    async def floor_once(i: int) -> str:
        return bare.render({"items": work.items(i)})

    ours, floor = Contender("ours", ours_once, work.loop), Contender("floor", floor_once, work.loop)
    await in_turns([floor, ours], size)
    return [cpu_row("template, a loop over 50 items", floor, ours, note="both make the items anew")]


def validation(size: Size) -> list[Row]:
    item = {
        "type": "object",
        "properties": {"name": {"type": "string"}, "price": {"type": "integer", "minimum": 0}},
        "required": ["name", "price"],
    }
    listed = {"type": "object", "properties": {"items": {"type": "array", "items": item}}, "required": ["items"]}
    cases: list[tuple[str, dict[str, Any], Any]] = [
        ("input check, two strings", work.SIMPLE_SCHEMA, fakes.simple_input(1)),
        ("input check, 50 objects", listed, {"items": work.items(1)}),
    ]
    return [checked(case, schema, data, size) for case, schema, data in cases]


def checked(case: str, schema: dict[str, Any], data: dict[str, Any], size: Size) -> Row:
    validator, bare = compile_schema(schema), jsonschema_rs.validator_for(schema)
    ours = Contender("ours", lambda i: check_input(validator, data, what="input"), lambda i: data)
    floor = Contender("floor", lambda i: bare.is_valid(data), lambda i: True)
    in_turns_sync([floor, ours], size, warm=2000)
    return cpu_row(case, floor, ours)


# ------------------------------------------------------------------ spans


def span_publish(size: Size) -> list[Row]:
    """The three spans of a simple run, from the run to a MemorySink on its thread."""
    trace = TraceInfo("t" * 32, "e", "default", "a", "agent", "simple")
    spans = [Span(trace, f"{k:016x}", "", "span", "llm", 1.0, 2.0) for k in range(3)]
    sink = MemorySink(max_spans=3 * BATCHES_OF_SPANS)
    hub = SinkHub([sink])

    def ours_once(i: int) -> int:
        sink.clear()
        for _ in range(BATCHES_OF_SPANS):
            hub.publish(spans)
        assert hub.flush()
        return len(sink.spans)

    floor_once = bare_lane(spans)
    ours = Contender("ours", ours_once, lambda i: 3 * BATCHES_OF_SPANS)
    floor = Contender("floor", floor_once, lambda i: 3 * BATCHES_OF_SPANS)
    in_turns_sync([floor, ours], size)
    hub.close()
    note = "the floor is a queue and a thread that fills a deque"
    return [cpu_row("publishing the spans of a run", floor, ours, per=BATCHES_OF_SPANS, note=note)]


def bare_lane(spans: list[Span]) -> Any:
    """Spans through a queue to a thread, and an event at the end."""
    kept: deque[Span] = deque(maxlen=3 * BATCHES_OF_SPANS)
    waiting: queue.SimpleQueue[Any] = queue.SimpleQueue()

    def work_off() -> None:
        while True:
            item = waiting.get()
            if isinstance(item, threading.Event):
                item.set()
            else:
                kept.extend(item)

    threading.Thread(target=work_off, daemon=True).start()

    def once(i: int) -> int:
        kept.clear()
        for _ in range(BATCHES_OF_SPANS):
            waiting.put(tuple(spans))
        done = threading.Event()
        waiting.put(done)
        done.wait()
        return len(kept)

    return once


async def otel(size: Size) -> list[Row]:
    """What the OpenTelemetry sink adds to a run, against making the same spans by hand."""
    from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415  an extra; the other cases run without it
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor  # noqa: PLC0415
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter  # noqa: PLC0415

    provider, exporter = TracerProvider(), InMemorySpanExporter()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    settings: dict[str, Any] = {"providers": [fakes.InstantModel()], "model": fakes.MODEL}
    traced = AsyncEngine(sinks=[OTelSink(provider)], **settings)
    async with traced, AsyncEngine(**settings) as plain:
        once = executed(traced, await fakes.simple_agent(traced), fakes.simple_input)
        await once(0)
        await traced.flush()
        made = exporter.get_finished_spans()
        assert len(made) == 3, made
        exporter.clear()

        async def settle() -> None:
            await traced.flush()
            assert len(exporter.get_finished_spans()) % 3 == 0
            exporter.clear()

        ours = Contender("traced", once, work.simple, settle)
        bare = Contender("untraced", executed(plain, await fakes.simple_agent(plain), fakes.simple_input), work.simple)
        floor = Contender("floor", by_hand(provider.get_tracer("floor"), made), lambda i: 3, cleared(exporter))
        await in_turns([floor, bare, ours], size, most=RUNS_A_BATCH)
    note = "the floor makes the same three spans, with the same attributes, by hand"
    return [Row("OpenTelemetry sink, added to a run", ours.cpu_us() - bare.cpu_us(), floor.cpu_us(), note=note)]


def cleared(exporter: Any) -> Any:
    async def settle() -> None:
        exporter.clear()

    return settle


def by_hand(tracer: Any, made: Any) -> Any:
    """Spans with these names and attributes, the last of them around the others."""
    *children, root = made

    async def once(i: int) -> int:
        with tracer.start_as_current_span(root.name, attributes=dict(root.attributes)):
            for child in children:
                tracer.start_span(child.name, attributes=dict(child.attributes)).end()
        return len(made)

    return once
