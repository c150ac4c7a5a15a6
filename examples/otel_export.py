"""Runs in the host's OpenTelemetry: below its current span, and without texts unless they are asked for.

Needs opentelemetry-sdk, which is the host's; the engine itself uses opentelemetry-api alone (extra `otel`).
"""

from collections.abc import Iterable
from typing import Any

from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from promptrails_engine import Engine, OTelSink, SimpleAgentConfig
from promptrails_engine.testing import ScriptedProvider


def traced(content: bool) -> tuple[ReadableSpan, ...]:
    """The spans of one request to the host."""
    exporter = InMemorySpanExporter()
    host = TracerProvider()
    host.add_span_processor(SimpleSpanProcessor(exporter))
    provider = ScriptedProvider(["It arrives on Friday."])
    with Engine(providers=[provider], sinks=[OTelSink(host, content=content)], model="scripted/any") as engine:
        prompt = engine.prompts.create("Parcels", user_prompt="{{ question }}")
        engine.agents.create("Parcels", config=SimpleAgentConfig(prompt_id=prompt.id))
        with host.get_tracer("my-service").start_as_current_span("GET /parcels/17"):
            engine.agents.execute("Parcels", {"question": "When?"}, session_id="s-1")
    return exporter.get_finished_spans()


def main() -> None:
    spans = traced(content=False)
    names = {span.context.span_id: span.name for span in spans if span.context}
    for span in spans:
        print(f"{span.name}  (below {names[span.parent.span_id] if span.parent else 'nothing'})")
    print("the call of the model:", attributes(spans))
    print("and with content=True:", attributes(traced(content=True))["gen_ai.output.messages"])


def attributes(spans: Iterable[ReadableSpan]) -> dict[str, Any]:
    """What OpenTelemetry is told of the call of the model, in the words of its conventions for generative AI."""
    chat = next(span for span in spans if span.name == "chat any")
    return {name: value for name, value in (chat.attributes or {}).items() if name.startswith("gen_ai.")}


if __name__ == "__main__":
    main()
