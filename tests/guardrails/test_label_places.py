"""Where labels can be: on rows, on the input, on what tools return."""

from __future__ import annotations

import pytest

from promptrails_engine import (
    DefinitionError,
    MemoryDataSource,
    WorkflowAgentConfig,
    WorkflowNode,
)
from promptrails_engine.testing import ToolUse
from tests.guardrails.vault_kit import ANN, BEN, CAT, agent_of, anonymize, desk, everything_told, read

# ------------------------------------------------------------------ rows


async def test_rows_get_labels_and_queries_get_values() -> None:
    rows = MemoryDataSource("people", {"people": [{"mail": ANN, "boss": BEN}, {"mail": BEN, "boss": CAT}]})
    nodes = [
        WorkflowNode(
            "rows",
            node_type="datasource",
            data_source="people",
            query="SELECT boss FROM people WHERE mail = :mail",
            input_mapping={"mail": "{{ input.text }}"},
        ),
        WorkflowNode("say", ["rows"], prompt_id="Say"),
    ]
    engine, provider = desk(None, lambda request: request.messages[-1].content, data_sources=[rows])
    async with engine:
        await engine.prompts.create("Say", user_prompt="{{ text }} {{ rows | tojson }}")
        agent = await engine.agents.create("Flow", config=WorkflowAgentConfig(nodes), guardrails=[anonymize()])
        result = await engine.agents.execute(agent.id, {"text": ANN})
        assert read(provider) == ['[EMAIL_1] [{"boss": "[EMAIL_2]"}]']
        assert result.text == f'{ANN} [{{"boss": "{BEN}"}}]'
        assert "example.org" not in await everything_told(engine, result.trace_id)


# ------------------------------------------------------------------ where labels can be


@pytest.mark.parametrize("places", [["tool_results"], ["input", "output"], ["input", "tool_arguments"]])
async def test_labels_begin_at_the_input(places: list[str]) -> None:
    engine, _ = desk(None, "x")
    async with engine:
        with pytest.raises(DefinitionError, match="labels the input"):
            await agent_of(engine, anonymize(apply_to=places))


async def test_labels_can_be_for_the_input_alone() -> None:
    def look_up() -> str:
        """Look it up."""
        return f"it is {BEN}"

    engine, provider = desk(
        None,
        lambda request: "done" if request.messages[-1].role == "tool" else ToolUse("look_up", {}),
        tools=[look_up],
    )
    async with engine:
        agent = await agent_of(engine, anonymize(apply_to=["input"]), tools=["look_up"])
        await engine.agents.execute(agent, {"text": ANN})
        assert read(provider) == ["[EMAIL_1]", f"it is {BEN}"]


async def test_a_vault_is_for_guards_whose_labels_come_back() -> None:
    engine, _ = desk(None, "x")
    async with engine:
        with pytest.raises(DefinitionError, match="keeps no values"):
            await agent_of(engine, {"type": "input", "scanner_type": "pii", "config": {"vault": "session"}})
