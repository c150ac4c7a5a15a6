"""Pictures of agents: what they show, before and after a run."""

from __future__ import annotations

import asyncio
import re
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest

from promptrails_engine import (
    ChainAgentConfig,
    CompositeAgentConfig,
    CompositeStep,
    ConfigurationError,
    LLMModel,
    MissingExtraError,
    MultiAgentConfig,
    NotFoundError,
    PromptLink,
    SimpleAgentConfig,
    WorkflowAgentConfig,
    WorkflowNode,
)
from promptrails_engine import require as requirement
from promptrails_engine.testing import Reply
from tests.engine.flows import node, prompts, workflow

FLOW = (
    node("a"),
    node("b", "a", condition="{{ a == 'never' }}"),
    node("c", "a", map_over="[1, 2]", join="always"),
    node("sum", "b", "c", tool="add", input_mapping={"a": 1, "b": 2}),
)


def add(a: int, b: int) -> int:
    """Adds."""
    return a + b


def templates() -> dict[str, Any]:
    return {"a": "a", "b": "b", "c": "c{{ item }}"}


async def test_a_workflow_is_drawn_as_mermaid():
    async with prompts(templates(), [], tools=[add]) as (engine, _):
        drawing = await engine.agents.draw(await workflow(engine, *FLOW))
        assert drawing.text == (
            "flowchart TD\n"
            '    input(["input"])\n'
            '    n0["a<br/>prompt a"]\n'
            '    n1["b<br/>prompt b<br/>if a == #39;never#39;"]\n'
            '    n2["c<br/>prompt c<br/>for each of #91;1, 2#93;<br/>join always"]\n'
            '    n3[["sum<br/>tool add"]]\n'
            '    output(["output"])\n'
            "    input --> n0\n"
            "    n0 --> n1\n"
            "    n0 --> n2\n"
            "    n1 --> n3\n"
            "    n2 --> n3\n"
            "    n3 --> output\n"
        )
        assert str(drawing) == drawing.text


async def test_a_run_shows_what_became_of_each_part():
    async with prompts(templates(), lambda request: "ok", tools=[add]) as (engine, _):
        await engine.llm_models.register(LLMModel("mine", "scripted", "m", input_price=1_000_000.0, output_price=0.0))
        agent = await workflow(engine, *FLOW)
        result = await engine.agents.execute(agent, {})
        text = (await engine.agents.draw(agent, execution_id=result.execution_id)).text
        assert re.search(r'n0\["a<br/>prompt a<br/>done, \d+ ms, 1 USD"\]', text)
        assert re.search(r'n1\["b<br/>.*<br/>skipped"\]', text)
        assert re.search(r'n2\["c<br/>.*<br/>done, \d+ ms, 2 USD"\]', text)
        assert re.search(r'n3\[\["sum<br/>tool add<br/>done, \d+ ms, 0 USD"\]\]', text)
        assert "class n0,n2,n3 done" in text
        assert "class n1 skipped" in text


async def test_a_run_that_failed_shows_where():
    def replies(request: Any) -> Any:
        return Reply(refusal="no") if request.messages[-1].content == "b" else "ok"

    async with prompts({"a": "a", "b": "b", "c": "c"}, replies) as (engine, _):
        agent = await workflow(engine, node("a"), node("b", "a"), node("c", "b"))
        result = await engine.agents.execute(agent, {})
        text = (await engine.agents.draw(agent, execution_id=result.execution_id)).text
        assert "class n0 done" in text
        assert "class n1 failed" in text
        assert "class n2 not_run" in text
        assert "cost unknown" in text


async def test_a_run_is_drawn_with_the_version_that_it_ran():
    async with prompts({"a": "a"}) as (engine, _):
        agent = await workflow(engine, node("a"))
        result = await engine.agents.execute(agent, {})
        await engine.agents.create_version(
            agent, config=WorkflowAgentConfig([node("new", prompt_id="a")]), set_current=True
        )
        assert '"new<br/>' in (await engine.agents.draw(agent)).text
        assert '"a<br/>' in (await engine.agents.draw(agent, execution_id=result.execution_id)).text
        assert '"a<br/>' in (await engine.agents.draw(agent, version_id="v1")).text
        other = await engine.agents.create("Other", config=SimpleAgentConfig("a"))
        with pytest.raises(NotFoundError, match="'Other' has no execution"):
            await engine.agents.draw(other.id, execution_id=result.execution_id)


async def test_agents_of_every_type_are_drawn():
    async with prompts({"a": "a", "b": "b"}, lambda request: "ok") as (engine, _):
        links = [PromptLink("b", "same", 2), PromptLink("a", "same", 1)]
        simple = await engine.agents.create("Simple", config=SimpleAgentConfig("a"))
        chain = await engine.agents.create("Chain", config=ChainAgentConfig(links))
        multi = MultiAgentConfig([PromptLink("a", "one", 1), PromptLink("b", "two", 2)])
        await engine.agents.create("Multi", config=multi)
        steps = [CompositeStep("s", simple.id), CompositeStep("t", chain.id, depends_on=["s"])]
        await engine.agents.create("Composite", config=CompositeAgentConfig(steps))
        assert 'n0["Simple<br/>prompt a"]' in (await engine.agents.draw("Simple")).text
        text = (await engine.agents.draw("Chain")).text
        assert '    n0["same<br/>prompt a"]\n    n1["same<br/>prompt b"]\n' in text
        assert "input --> n0\n    n0 --> n1\n    n1 --> output" in text
        assert (
            "input --> n0\n    input --> n1\n    n0 --> output\n    n1 --> output"
            in (await engine.agents.draw("Multi")).text
        )
        text = (await engine.agents.draw("Composite")).text
        assert '    n0("s<br/>agent Simple")\n    n1("t<br/>agent Chain")\n' in text
        for name, boxes in (("Simple", "n0"), ("Chain", "n0,n1")):
            result = await engine.agents.execute(name, {})
            assert f"class {boxes} done" in (await engine.agents.draw(name, execution_id=result.execution_id)).text


async def test_svg_and_png_are_drawn_and_saved(tmp_path: Path):
    pytest.importorskip("pygraphviz")
    async with prompts({"a": "a"}) as (engine, _):
        agent = await workflow(engine, node("a"), node('<b>&\\N"x', "a", prompt_id="a"))
        result = await engine.agents.execute(agent, {})
        svg, png = await asyncio.gather(
            engine.agents.draw(agent, "svg", execution_id=result.execution_id), engine.agents.draw(agent, "png")
        )
        words = "".join(ET.fromstring(svg.text).itertext())
        assert "prompt a" in words
        assert '<b>&\\N"x' in words
        assert "done, " in words
        assert svg._repr_svg_() == svg.text
        assert png.data.startswith(b"\x89PNG")
        assert png._repr_png_() == png.data
        with pytest.raises(ConfigurationError, match="a PNG is no text"):
            assert png.text
        assert str(png) == f"PNG of {len(png.data)} bytes"
        png.save(tmp_path / "a.png")
        assert (tmp_path / "a.png").read_bytes() == png.data


async def test_what_a_name_holds_is_no_syntax():
    async with prompts({"a": "a"}) as (engine, _):
        hostile = 'x"]; click n0 call alert() %% `md` <script>#\n-->'
        text = (await engine.agents.draw(await workflow(engine, node(hostile, prompt_id="a")))).text
        line = next(line for line in text.splitlines() if line.startswith("    n0"))
        label = line.removeprefix('    n0["').removesuffix('"]').replace("<br/>", "")
        assert not set(label) & set('"<>[]`%{}|')


async def test_formats_and_extras_that_are_not_there_say_so(monkeypatch: pytest.MonkeyPatch):
    async with prompts({"a": "a"}) as (engine, _):
        agent = await workflow(engine, WorkflowNode("a", prompt_id="a"))
        with pytest.raises(ConfigurationError, match="mermaid, svg, png"):
            await engine.agents.draw(agent, "gif")  # type: ignore[arg-type]
        monkeypatch.setattr(requirement, "find_spec", lambda name: None)
        with pytest.raises(MissingExtraError, match=r"promptrails-engine\[drawing\]"):
            await engine.agents.draw(agent, "svg")
        assert (await engine.agents.draw(agent)).format == "mermaid"
