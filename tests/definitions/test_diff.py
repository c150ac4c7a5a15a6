"""Diffs of versions: what is found, how it reads, and which changes break somebody."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptrails_engine.definitions.content import content_of
from promptrails_engine.definitions.diff import Change, VersionDiff, diff_versions
from promptrails_engine.definitions.diff_text import line_hunks, word_edits
from promptrails_engine.definitions.digest import content_digest
from promptrails_engine.definitions.records import AgentVersion, PromptVersion
from promptrails_engine.errors import DefinitionError


def prompt(version: str = "1", **content: Any) -> PromptVersion:
    return PromptVersion(id=version, prompt_id="p", version=version, **content)


def agent(version: str = "1", **content: Any) -> AgentVersion:
    return AgentVersion(id=version, agent_id="a", version=version, **content)


def of_prompts(old: dict[str, Any], new: dict[str, Any]) -> VersionDiff:
    return diff_versions(prompt("1", **old), prompt("2", **new))


def of_agents(old: dict[str, Any], new: dict[str, Any]) -> VersionDiff:
    return diff_versions(agent("1", **old), agent("2", **new))


def told(diff: VersionDiff) -> list[tuple[str, str, str, str, bool]]:
    return [(c.part, c.path, c.kind, c.aspect, c.breaking) for c in diff.changes]


def test_a_prompt_edit_reads_like_a_patch() -> None:
    old = prompt(
        "1.0",
        system_prompt="You are helpful.\nAnswer {{ name }} briefly.\nThanks.",
        user_prompt="{{ question }}\n",
        temperature=0.2,
        input_schema={"type": "object", "properties": {"name": {"type": "string"}}},
    )
    new = prompt(
        "1.1",
        system_prompt="You are helpful.\nAnswer {{ name }} at length.\nThanks.\n",
        user_prompt="{{ question }}\n{{ language }}\n",
        temperature=0.7,
        llm_model_id="openai/gpt-4o",
        input_schema={"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]},
    )
    assert str(diff_versions(old, new)) == "\n".join([
        "prompt version 1.0 -> 1.1: 6 changes, 1 breaking",
        "",
        "template",
        "  ~ system_prompt changed: 2 lines out, 2 in",
        "--- system_prompt 1.0",
        "+++ system_prompt 1.1",
        "@@ -1,3 +1,3 @@",
        " You are helpful.",
        "-Answer {{ name }} briefly.",
        "-Thanks.",
        "\\ no newline at the end",
        "+Answer {{ name }} at length.",
        "+Thanks.",
        "  ~ user_prompt changed: 0 lines out, 1 in",
        "--- user_prompt 1.0",
        "+++ user_prompt 1.1",
        "@@ -1 +1,2 @@",
        " {{ question }}",
        "+{{ language }}",
        "",
        "variables",
        "  + language is used now",
        "",
        "input schema",
        "  ~ name: became required  [breaking]",
        "",
        "parameters",
        '  + llm_model_id: "openai/gpt-4o"',
        "  ~ temperature: 0.2 -> 0.7",
    ])  # fmt: skip


def test_words_inside_a_line() -> None:
    diff = of_prompts({"user_prompt": "a\nsay {{ one }} now\nb"}, {"user_prompt": "a\nsay {{ two }} now\nb"})
    [hunk] = diff.changes[0].hunks
    assert (hunk.old_start, hunk.new_start) == (2, 2)
    assert [(edit.op, edit.text) for edit in hunk.words[0]] == [
        ("equal", "say {{ "), ("removed", "one"), ("added", "two"), ("equal", " }} now\n"),
    ]  # fmt: skip


@given(old=st.text(alphabet="ab {}\n\r\u2028", max_size=40), new=st.text(alphabet="ab {}\n\r\u2028", max_size=40))
def test_hunks_turn_the_old_text_into_the_new(old: str, new: str) -> None:
    lines = old.split("\n")
    lines = [f"{line}\n" for line in lines[:-1]] + [line for line in lines[-1:] if line]
    for hunk in reversed(list(line_hunks(old, new))):
        assert tuple(lines[hunk.old_start - 1 : hunk.old_start - 1 + len(hunk.old_lines)]) == hunk.old_lines
        lines[hunk.old_start - 1 : hunk.old_start - 1 + len(hunk.old_lines)] = hunk.new_lines
    assert "".join(lines) == new
    edits = list(word_edits(old, new))
    assert "".join(edit.text for edit in edits if edit.op != "added") == old
    assert "".join(edit.text for edit in edits if edit.op != "removed") == new


CONTENT = st.fixed_dictionaries({}, optional={
    "system_prompt": st.sampled_from(["a", "a\n", "{{ x }}", "{% if %}"]),
    "user_prompt": st.sampled_from(["", "b", "{{ x }} {{ y }}"]),
    "temperature": st.sampled_from([0.0, 1.0, 1]),
    "cache_timeout": st.sampled_from([0, 5]),
    "config": st.sampled_from([
        {}, {"strict": True}, {"strict": False}, {"a": {"b": 1}}, {"a": {"b": None}}, {"a": {}},
    ]),
    "input_schema": st.sampled_from([
        {}, {"type": "object"}, {"type": ["object"]}, {"properties": {"x": {}}}, {"properties": {"x": True}},
        {"required": ["x"]}, {"required": ["x", "y"]}, {"required": ["y", "x"]}, {"enum": [1]}, {"enum": [1.0]},
        {"const": 1},
    ]),
    "output_schema": st.sampled_from([None, {"type": "object"}, {"type": "object", "title": "t"}]),
})  # fmt: skip


@given(old=CONTENT, new=CONTENT)
def test_a_diff_is_empty_only_between_equal_contents(old: dict[str, Any], new: dict[str, Any]) -> None:
    diff = of_prompts(old, new)
    assert diff.is_empty == (content_digest(content_of(prompt(**old))) == content_digest(content_of(prompt(**new))))
    assert json.loads(json.dumps(diff.to_dict()))["breaking"] == diff.breaking
    assert str(diff)


def test_nothing_changed() -> None:
    same = {"user_prompt": "x", "config": {"a": 1}}
    diff = diff_versions(prompt("1", message="m", **same), prompt("2", message="n", digest="x", **same))
    assert (diff.is_empty, diff.breaking, str(diff)) == (True, False, "prompt version 1 -> 2: no changes")


def test_invisible_characters_are_shown() -> None:
    text = str(of_prompts({"user_prompt": "a"}, {"user_prompt": "a\u202e\x1b[2J\u200b\u2028b"}))
    assert "+a\\u202e\\x1b[2J\\u200b\\u2028b" in text.splitlines()


def test_a_variable_that_inputs_need_not_bring_breaks_a_strict_prompt() -> None:
    schema = {"type": "object", "properties": {"a": {}, "b": {}}, "required": ["a"]}
    old = {"user_prompt": "x", "input_schema": schema}
    lax = of_prompts(old, {**old, "user_prompt": "{{ a }} {{ b }}"})
    assert told(lax)[1:] == [("variables", "a", "added", "", False), ("variables", "b", "added", "", False)]
    strict = {**old, "config": {"strict": True}}
    found = of_prompts(strict, {**strict, "user_prompt": "{{ a }} {{ b }}"})
    assert told(found)[1:] == [("variables", "a", "added", "", False), ("variables", "b", "added", "", True)]
    now = of_prompts({**old, "user_prompt": "{{ b }}"}, {**strict, "user_prompt": "{{ b }}"})
    assert [(change.path, change.breaking) for change in now.changes] == [("config", True)]
    assert "need not bring: b" in now.changes[0].summary
    safe = of_prompts({**old, "user_prompt": "{{ a }}"}, {**strict, "user_prompt": "{{ a }}"})
    assert not safe.breaking


def test_variables_of_a_broken_template_are_left_out() -> None:
    assert told(of_prompts({"user_prompt": "{{ a }}"}, {"user_prompt": "{% if"})) == [
        ("template", "user_prompt", "changed", "", False)
    ]


def test_parameters_down_to_the_key() -> None:
    diff = of_prompts(
        {"config": {"reasoning": {"effort": "low", "x": 1}}}, {"config": {"reasoning": {"effort": "high"}}}
    )
    assert told(diff) == [
        ("parameters", "config.reasoning.effort", "changed", "", False),
        ("parameters", "config.reasoning.x", "removed", "", False),
    ]


# ------------------------------------------------------------------ agents


def link(prompt_id: str, role: str, order: int) -> dict[str, Any]:
    return {"prompt_id": prompt_id, "role": role, "sort_order": order}


def test_a_chain_with_a_step_more_and_another_order() -> None:
    old = {"type": "chain", "prompt_ids": [link("a", "x", 1), link("b", "y", 2)], "approval_required": False}
    new = {"type": "chain", "prompt_ids": [link("b", "y", 1), link("a", "z", 2), link("a", "x", 3)]}
    diff = of_agents({"config": old}, {"config": new})
    assert [(c.path, c.kind, c.summary) for c in diff.changes] == [
        ("config.approval_required", "removed", "config.approval_required: was false"),
        ("prompt_ids[a#2]", "added", "prompt 'a#2' added"),
        ("prompt_ids", "changed", "prompts reordered: 'a', 'b' -> 'b', 'a'"),
        ("prompt_ids[a].role", "changed", 'prompt_ids[a].role: "x" -> "z"'),
    ]
    assert not diff.breaking


def test_a_role_that_is_gone_is_missed_by_consumers() -> None:
    old = {"type": "multi_agent", "prompt_ids": [link("a", "x", 1), link("b", "y", 2)]}
    new = {"type": "multi_agent", "prompt_ids": [link("a", "x", 1), link("c", "z", 2)]}
    diff = of_agents({"config": old}, {"config": new})
    assert told(diff)[0] == ("output_schema", "", "changed", "keys", True)
    more = of_agents({"config": old}, {"config": {**old, "prompt_ids": [*old["prompt_ids"], link("c", "z", 3)]}})
    assert [(c.part, c.kind, c.breaking) for c in more.changes] == [
        ("output_schema", "changed", False), ("links", "added", False),
    ]  # fmt: skip
    swapped = of_agents({"config": old}, {"config": {**old, "prompt_ids": [link("d", "x", 1), link("b", "y", 2)]}})
    assert [(c.path, c.summary) for c in swapped.changes] == [
        ("prompt_ids[x].prompt_id", 'prompt_ids[x].prompt_id: "a" -> "d"')
    ]


@pytest.mark.parametrize(
    ("old", "new", "said", "breaking"),
    [
        ({}, {"failure_policy": "settle"}, "'a' -> 'a?', 'errors?'", True),
        ({"failure_policy": "settle"}, {}, "'a?', 'errors?' -> 'a'", True),
        ({}, {"router_prompt_id": "r"}, "'a' -> 'a?'", True),
        ({"router_prompt_id": "r"}, {}, "'a?' -> 'a'", False),
        ({}, {"aggregation": "vote"}, "'a' -> 'counts', 'value', 'votes'", True),
        ({}, {"aggregation": "prompt", "aggregator_prompt_id": "p"}, "'a' -> nothing (one text)", True),
        (
            {"aggregation": "vote"},
            {"aggregation": "vote", "failure_policy": "settle"},
            "'votes' -> 'counts', 'err",
            False,
        ),
    ],
)
def test_a_multi_agent_whose_output_gets_another_form(
    old: dict[str, Any], new: dict[str, Any], said: str, breaking: bool
) -> None:
    base = {"type": "multi_agent", "prompt_ids": [link("p", "a", 1)]}
    found = of_agents({"config": {**base, **old}}, {"config": {**base, **new}}).changes
    (keys,) = [change for change in found if change.aspect == "keys"]
    assert said in keys.summary
    assert keys.breaking is breaking


def test_a_workflow_whose_sinks_change() -> None:
    node = {"prompt_id": "p", "depends_on": []}
    old = {"type": "workflow", "nodes": [{"id": "a", **node}, {"id": "b", **node, "depends_on": ["a"]}]}
    new = {"type": "workflow", "nodes": [{"id": "a", **node}, {"id": "b", **node}]}
    diff = of_agents({"config": old}, {"config": new})
    assert [(c.part, c.path, c.breaking) for c in diff.changes] == [
        ("output_schema", "", True), ("links", "nodes[b].depends_on", False),
    ]  # fmt: skip
    schema = {"output_schema": {"type": "object"}}
    assert not of_agents({"config": old, **schema}, {"config": new, **schema}).breaking


def test_settings_and_tools_of_an_agent() -> None:
    config = {"type": "simple", "prompt_id": "p"}
    old = {
        "config": config,
        "tools": [{"name": "a"}, {"name": "b"}],
        "run_budget": {"max_cost": 1.0},
        "cache_timeout": 0,
    }
    new = {
        "config": {**config, "prompt_id": "q"},
        "tools": [{"name": "b"}, {"name": "c"}, {"name": "a"}],
        "model_config": {"temperature": 0.5},
        "run_budget": {"max_cost": 2.0, "max_depth": 1},
    }
    assert told(of_agents(old, new)) == [
        ("parameters", "model_config", "added", "", False),
        ("parameters", "run_budget.max_cost", "changed", "", False),
        ("parameters", "run_budget.max_depth", "added", "", False),
        ("parameters", "cache_timeout", "removed", "", False),
        ("links", "prompt_id", "changed", "", False),
        ("tools", "c", "added", "", False),
        ("tools", "", "changed", "", False),
    ]


@pytest.mark.parametrize("order", [[1, 2], [5, 9]])
def test_numbering_alone_is_still_a_change(order: list[int]) -> None:
    old = {"type": "chain", "prompt_ids": [link("a", "x", 1), link("b", "y", 2)]}
    new = {"type": "chain", "prompt_ids": [link("b", "y", order[1]), link("a", "x", order[0])]}
    diff = of_agents({"config": old}, {"config": new})
    assert not diff.is_empty
    assert not diff.breaking


def test_another_type_is_breaking() -> None:
    diff = of_agents({"config": {"type": "simple", "prompt_id": "p"}}, {"config": {"type": "chain", "prompt_ids": []}})
    assert diff.breaking


def test_only_versions_of_one_kind_are_compared() -> None:
    with pytest.raises(DefinitionError, match="same kind"):
        diff_versions(prompt(), agent())  # type: ignore[call-overload] # the mistake that is tested


def test_a_change_is_data() -> None:
    change = Change("parameters", "x", "changed", 1, 2, False, "x: 1 -> 2")
    assert change.to_dict() == {
        "part": "parameters", "path": "x", "kind": "changed", "old": 1, "new": 2, "breaking": False,
        "summary": "x: 1 -> 2", "aspect": "",
    }  # fmt: skip
