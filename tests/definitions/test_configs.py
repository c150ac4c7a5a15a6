"""The five typed configs: what they take, what they refuse, and what they emit."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptrails_engine.definitions.checked import checked_agent
from promptrails_engine.definitions.configs import (
    AGENT_TYPES,
    ChainAgentConfig,
    CompositeAgentConfig,
    MultiAgentConfig,
    PromptLink,
    SimpleAgentConfig,
    WorkflowAgentConfig,
    parse_config,
    prompt_refs,
)
from promptrails_engine.definitions.graph_nodes import CompositeStep, WorkflowNode
from promptrails_engine.errors import DefinitionError

LINKS = [{"prompt_id": "p1", "role": "a", "sort_order": 1}, {"prompt_id": "p2", "role": "b", "sort_order": 2}]
MEDIA = {"node_type": "media", "media_provider": "x", "media_type": "tts", "media_model": "m"}

EMITTED = [
    (SimpleAgentConfig("p"), {"type": "simple", "prompt_id": "p", "approval_required": False}),
    (
        SimpleAgentConfig("p", True, "look", 5, 0.5, "openai/x"),
        {
            "type": "simple", "prompt_id": "p", "approval_required": True, "approval_checkpoint_name": "look",
            "max_tokens": 5, "temperature": 0.5, "llm_model_id": "openai/x",
        },
    ),
    (
        ChainAgentConfig([PromptLink("p1", "a", 1), PromptLink("p2", "b", 2)]),
        {"type": "chain", "prompt_ids": LINKS, "approval_required": False},
    ),
    (
        MultiAgentConfig([PromptLink("p1", "a", 1), PromptLink("p2", "b", 2)]),
        {"type": "multi_agent", "prompt_ids": LINKS},
    ),
    (
        MultiAgentConfig(
            [PromptLink("p1", "a", 1), PromptLink("p2", "b", 2)], aggregation="prompt", aggregator_prompt_id="p3",
            failure_policy="quorum", quorum=2, router_prompt_id="p4",
        ),
        {
            "type": "multi_agent", "prompt_ids": LINKS, "aggregation": "prompt", "aggregator_prompt_id": "p3",
            "failure_policy": "quorum", "quorum": 2, "router_prompt_id": "p4",
        },
    ),
    (
        MultiAgentConfig([PromptLink("p1", "a", 1), PromptLink("p2", "b", 2)], aggregation="vote", vote_field="x"),
        {"type": "multi_agent", "prompt_ids": LINKS, "aggregation": "vote", "vote_field": "x"},
    ),
    (
        WorkflowAgentConfig([WorkflowNode("a", prompt_id="p"), WorkflowNode("b", ["a"], **MEDIA)]),
        {
            "type": "workflow",
            "nodes": [{"id": "a", "depends_on": [], "prompt_id": "p"}, {"id": "b", "depends_on": ["a"], **MEDIA}],
        },
    ),
    (
        CompositeAgentConfig([CompositeStep("s", "agent"), CompositeStep("t", "agent", ["s"], {"x": "{{ s }}"})]),
        {
            "type": "composite",
            "steps": [
                {"id": "s", "agent_id": "agent", "depends_on": []},
                {"id": "t", "agent_id": "agent", "depends_on": ["s"], "input_mapping": {"x": "{{ s }}"}},
            ],
        },
    ),
]  # fmt: skip


@pytest.mark.parametrize(("config", "data"), EMITTED, ids=lambda value: str(getattr(value, "type", "")))
def test_emitted_as_the_hosted_api_has_it_and_read_back(config: Any, data: dict[str, Any]) -> None:
    assert config.to_dict() == data
    assert parse_config(data) == config
    assert parse_config(config) == config
    assert parse_config({key: value for key, value in data.items() if key != "type"}, data["type"]) == config


def test_every_type_is_covered() -> None:
    assert {data["type"] for _, data in EMITTED} == set(AGENT_TYPES)


def test_older_keys() -> None:
    old = {
        "type": "chain", "checkpoint_name": "look",
        "prompt_ids": [{"prompt_version_id": "p1", "role": "a", "sort_order": 1}],
    }  # fmt: skip
    read = parse_config(old)
    assert isinstance(read, ChainAgentConfig)
    assert (read.prompt_ids[0].prompt_id, read.approval_checkpoint_name) == ("p1", "look")
    assert "checkpoint_name" in old


REFUSED: dict[str, tuple[Any, str]] = {
    "no type": ({"prompt_id": "p"}, "unknown agent type None"),
    "unknown type": ({"type": "swarm"}, "simple, chain"),
    "missing field": ({"type": "simple"}, "prompt_id"),
    "unknown field": ({"type": "simple", "prompt_id": "p", "promt": 1}, "promt"),
    "empty reference": ({"type": "simple", "prompt_id": ""}, "prompt_id"),
    "wrong type": ({"type": "simple", "prompt_id": 5}, "prompt_id"),
    "no tokens": ({"type": "simple", "prompt_id": "p", "max_tokens": 0}, "max_tokens"),
    "cold": ({"type": "simple", "prompt_id": "p", "temperature": -1}, "temperature"),
    "no links": ({"type": "chain", "prompt_ids": []}, "must not be empty"),
    "same place": ({"type": "chain", "prompt_ids": [LINKS[0], LINKS[0]]}, "sort_order 1 is used twice"),
    "same role": (
        {"type": "multi_agent", "prompt_ids": [LINKS[0], {**LINKS[1], "role": "a"}]}, "role 'a' is used twice",
    ),
    **{
        f"multi_agent: {words}": ({"type": "multi_agent", "prompt_ids": LINKS, **more}, words)
        for more, words in [
            ({"aggregation": "average"}, "aggregation"),
            ({"aggregation": "prompt"}, "aggregation 'prompt' needs aggregator_prompt_id"),
            ({"aggregator_prompt_id": "p"}, "aggregator_prompt_id is for aggregation 'prompt' only"),
            ({"aggregation": "prompt", "aggregator_prompt_id": ""}, "aggregator_prompt_id"),
            ({"vote_field": "x"}, "vote_field is for aggregation 'vote' only"),
            ({"aggregation": "vote", "vote_field": ""}, "vote_field"),
            ({"failure_policy": "ignore"}, "failure_policy"),
            ({"failure_policy": "quorum"}, "failure_policy 'quorum' needs quorum"),
            ({"quorum": 1}, "quorum is for failure_policy 'quorum' only"),
            ({"failure_policy": "quorum", "quorum": 0}, "quorum"),
            ({"failure_policy": "quorum", "quorum": 3}, "a quorum of 3 is more than the 2 prompts"),
            ({"failure_policy": "quorum", "quorum": 1.5}, "quorum"),
            ({"aggregation": "first_valid", "failure_policy": "settle"}, "leave failure_policy out"),
            ({"router_prompt_id": ""}, "router_prompt_id"),
            ({"failure_policy": "settle", "prompt_ids": [{**LINKS[0], "role": "errors"}]}, "no role may be 'errors'"),
        ]
    },
    "no nodes": ({"type": "workflow", "nodes": []}, "must not be empty"),
    "node without prompt": ({"type": "workflow", "nodes": [{"id": "a"}]}, "needs a prompt_id"),
    "media without model": ({"type": "workflow", "nodes": [{"id": "a", "node_type": "media"}]}, "media_model"),
    "same node": ({"type": "workflow", "nodes": [{"id": "a", "prompt_id": "p"}] * 2}, "'a' is used twice"),
    "unknown parent": (
        {"type": "workflow", "nodes": [{"id": "a", "prompt_id": "p", "depends_on": ["b"]}]}, "'b', which does not",
    ),
    "its own parent": (
        {"type": "workflow", "nodes": [{"id": "a", "prompt_id": "p", "depends_on": ["a"]}]}, "circle",
    ),
    "a circle": (
        {"type": "composite", "steps": [
            {"id": "a", "agent_id": "x", "depends_on": ["b"]}, {"id": "b", "agent_id": "x", "depends_on": ["a"]},
        ]}, "circle: .*a -> b|circle: .*b -> a",
    ),
    "links that are none": ({"type": "chain", "prompt_ids": ["p"]}, "prompt_ids"),
}  # fmt: skip


@pytest.mark.parametrize(("data", "said"), REFUSED.values(), ids=REFUSED.keys())
def test_refused(data: dict[str, Any], said: str) -> None:
    with pytest.raises(DefinitionError, match=said):
        parse_config(data)


def test_a_type_that_disagrees() -> None:
    for config in ({"type": "simple", "prompt_id": "p"}, SimpleAgentConfig("p")):
        with pytest.raises(DefinitionError, match="chain"):
            parse_config(config, "chain")


def test_a_config_spoilt_after_it_was_made_is_refused() -> None:
    config = MultiAgentConfig([PromptLink("p", "a", 1)])
    config.prompt_ids.clear()
    with pytest.raises(DefinitionError, match="empty"):
        parse_config(config)


def test_the_prompts_that_a_config_links_to() -> None:
    both = ["p1", "p2"]
    assert [prompt_refs(config) for config, _ in EMITTED] == [
        ["p"], ["p"], both, both, [*both, "p3", "p4"], both, ["p"], [],
    ]  # fmt: skip


def test_an_extension_at_its_default_is_as_if_it_had_not_been_given() -> None:
    plain = {"type": "multi_agent", "prompt_ids": LINKS}
    said = parse_config({**plain, "aggregation": "mapping", "failure_policy": "fail_fast"})
    assert said.to_dict() == plain
    assert isinstance(said, MultiAgentConfig)
    assert (said.aggregation, said.failure_policy) == ("mapping", "fail_fast")


def test_the_first_valid_output_needs_a_schema_to_be_valid_under() -> None:
    config = {"type": "multi_agent", "prompt_ids": LINKS, "aggregation": "first_valid"}
    with pytest.raises(DefinitionError, match="give the agent one"):
        checked_agent({"config": config}, None)
    assert checked_agent({"config": config, "output_schema": {"type": "object"}}, None)["config"] == config


NODES = st.lists(st.tuples(st.integers(0, 6), st.lists(st.integers(0, 6), max_size=3)), max_size=7)


@given(edges=NODES)
def test_a_graph_is_taken_exactly_if_it_can_be_run_in_some_order(edges: list[tuple[int, list[int]]]) -> None:
    nodes = [{"id": f"n{i}", "prompt_id": "p", "depends_on": [f"n{j}" for j in parents]} for i, parents in edges]
    done: set[int] = set()
    left = dict(edges)
    while ready := [i for i, parents in left.items() if set(parents) <= done]:
        done.update(ready)
        for i in ready:
            del left[i]
    runnable = bool(edges) and not left and len({i for i, _ in edges}) == len(edges)
    try:
        parse_config({"type": "workflow", "nodes": nodes})
    except DefinitionError:
        assert not runnable
    else:
        assert runnable
