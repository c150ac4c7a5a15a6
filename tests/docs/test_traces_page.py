"""What the page of traces says of kinds and sinks is so."""

from __future__ import annotations

import inspect
import re

from promptrails_engine import (
    AsyncEngine,
    ChainAgentConfig,
    ConsoleSink,
    GuardrailSpec,
    JsonlSink,
    MemoryDataSource,
    MemorySink,
    OTelSink,
    PromptLink,
    SimpleAgentConfig,
    WorkflowAgentConfig,
    WorkflowNode,
)
from promptrails_engine.ports.sink import SPAN_KINDS
from promptrails_engine.testing import ScriptedMediaProvider, ScriptedProvider, ToolUse
from promptrails_engine.tracing.hub import QUEUE_SIZE
from tests.repo.documents import ROOT

PAGE = (ROOT / "docs/traces.md").read_text(encoding="utf-8")
ANY_OBJECT = {"type": "object"}


def table_kinds() -> list[str]:
    table = PAGE.split("| kind |")[1].split("\n\n")[0]
    return [
        kind for row in re.findall(r"^\| (`[^|]+`) \|", table, re.MULTILINE) for kind in re.findall(r"`(\w+)`", row)
    ]


def test_the_kinds_are_those_of_the_format() -> None:
    others = " ".join(PAGE.split()).split("The kinds ")[1].split(" are part")[0]
    assert sorted(table_kinds() + re.findall(r"`(\w+)`", others)) == sorted(SPAN_KINDS)


async def test_the_kinds_in_the_table_are_those_that_runs_leave() -> None:
    replies: list[ToolUse | str] = [ToolUse("calculator", {"expression": "1+1"}), "{}", "a", "b", "c"]
    media = ScriptedMediaProvider(lambda _: b"asset")
    shop = MemoryDataSource("shop", {"orders": [{"id": 1}]})
    provider = ScriptedProvider(replies)
    async with AsyncEngine(providers=[provider], data_sources=[shop], media=[media], model="scripted/any") as engine:
        prompt = await engine.prompts.create("P", user_prompt="x")
        links = [PromptLink(prompt_id=prompt.id, role=role, sort_order=n) for n, role in enumerate("ab")]
        await engine.agents.create(
            "Simple",
            config=SimpleAgentConfig(prompt_id=prompt.id),
            tools=["calculator"],
            guardrails=[GuardrailSpec("output", "pii", "log")],
            input_schema=ANY_OBJECT,
            output_schema=ANY_OBJECT,
        )
        await engine.agents.create("Chain", config=ChainAgentConfig(prompt_ids=links))
        nodes = [
            WorkflowNode("n", prompt_id=prompt.id),
            WorkflowNode("q", node_type="datasource", data_source="shop", query="SELECT id FROM orders"),
            *(
                WorkflowNode(
                    kind,
                    node_type="media",
                    media_provider="scripted",
                    media_model="m",
                    media_type=kind,
                    input_mapping={"prompt": "x"},
                )
                for kind in ("tts", "image_gen", "video_gen")
            ),
        ]
        await engine.agents.create("Workflow", config=WorkflowAgentConfig(nodes=nodes))
        for name in ("Simple", "Chain", "Workflow"):
            (await engine.agents.execute(name, {})).raise_for_status()
        spans = await engine.traces.list(limit=100)
    assert {span.kind for span in spans} == set(table_kinds())


def test_the_signatures_of_the_sinks_are_those_of_the_code() -> None:
    for sink in (MemorySink, JsonlSink, ConsoleSink, OTelSink):
        shown = re.search(rf"`{sink.__name__}\((.*?)\)`", PAGE)
        assert shown is not None
        arguments = [
            name if parameter.default is inspect.Parameter.empty else f"{name}={parameter.default!r}"
            for name, parameter in inspect.signature(sink).parameters.items()
        ]
        assert shown[1].replace("_000", "000").split(", ") == arguments
    assert f"beyond {QUEUE_SIZE}" in PAGE
