"""Loading a folder: what becomes a version, what is left alone, and what is a conflict."""

from __future__ import annotations

import asyncio
import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from promptrails_engine.catalog.folder_memory import STATE_FILE
from promptrails_engine.catalog.folder_report import SyncReport
from promptrails_engine.errors import DefinitionError


def prompt(text: str, name: str = "support", more: str = "") -> str:
    return f"kind: prompt\nname: {name}\n{more}user_prompt: {text}\n"


def outcomes(report: SyncReport) -> dict[str, str]:
    return {f"{entry.kind}/{entry.name}": entry.outcome for entry in report.entries}


async def test_files_become_definitions_and_links_by_name_become_ids(space: Any) -> None:
    space.put("prompts/a.yaml", prompt("one", more="description: d\nlabels: [x]\nversion: 1.10\nmessage: first\n"))
    space.put("agents/z.json", json.dumps({"kind": "agent", "name": "all", "type": "composite",
        "config": {"steps": [{"id": "s", "agent": "inner"}]}}))  # fmt: skip
    space.put("agents/inner.yaml", "kind: agent\nname: inner\ntype: simple\nconfig: {prompt: support}\n")
    report = await space.load()
    assert outcomes(report) == {"prompt/support": "created", "agent/inner": "created", "agent/all": "created"}
    made = await space.prompts.get("support")
    assert (made.description, made.labels, made.current_version.version) == ("d", ["x"], "1.10")
    assert (made.current_version.user_prompt, made.current_version.message) == ("one", "first")
    inner = await space.agents.get("inner")
    assert inner.current_version.config["prompt_id"] == made.id
    assert (await space.agents.get("all")).current_version.config["steps"][0]["agent_id"] == inner.id
    again = await space.load()
    assert set(outcomes(again).values()) == {"unchanged"}
    assert len(await space.prompts.list_versions("support")) == 1


async def test_an_edit_becomes_a_promoted_version_and_an_undone_edit_promotes_the_old_one(space: Any) -> None:
    space.put("a.yaml", prompt("one"))
    await space.load()
    space.put("a.yaml", prompt("two"))
    report = await space.load()
    assert [(entry.outcome, entry.version) for entry in report.entries] == [("updated", "v2")]
    assert await space.current("support") == "two"
    space.put("a.yaml", prompt("one"))
    report = await space.load()
    assert [(entry.outcome, entry.version) for entry in report.entries] == [("updated", "v1")]
    assert await space.current("support") == "one"
    assert len(await space.prompts.list_versions("support")) == 2


async def test_a_comment_is_no_change(space: Any) -> None:
    space.put("a.yaml", prompt("one"))
    await space.load()
    space.put("a.yaml", "# said\n" + prompt('"one"'))
    assert outcomes(await space.load()) == {"prompt/support": "unchanged"}


async def test_without_promotion_versions_wait(space: Any) -> None:
    space.put("a.yaml", prompt("one"))
    report = await space.load(promote=False)
    assert outcomes(report) == {"prompt/support": "created"}
    assert (await space.prompts.get("support")).current_version is None
    assert outcomes(await space.load(promote=False)) == {"prompt/support": "unchanged"}
    await space.load()
    assert await space.current("support") == "one"
    space.put("a.yaml", prompt("two"))
    await space.load(promote=False)
    await space.load(promote=False)
    assert await space.current("support") == "one"
    assert len(await space.prompts.list_versions("support")) == 2
    # Somebody else promotes it, and the file is edited again: nobody has touched the store behind the file's back.
    await space.prompts.promote_version("support", "v2")
    space.put("a.yaml", prompt("three"))
    assert outcomes(await space.load()) == {"prompt/support": "updated"}
    assert await space.current("support") == "three"


async def test_a_newer_store_is_not_rolled_back(space: Any) -> None:
    space.put("a.yaml", prompt("one"))
    await space.load()
    await space.prompts.create_version("support", {"user_prompt": "by hand"}, set_current=True)
    report = await space.load()
    assert outcomes(report) == {"prompt/support": "behind"}
    assert report.behind[0].version == "v1"
    assert await space.current("support") == "by hand"


async def test_both_sides_changed_is_a_conflict_that_stops_nobody_else(space: Any) -> None:
    space.put("a.yaml", prompt("one"))
    space.put("b.yaml", prompt("one", "other"))
    await space.load()
    await space.prompts.create_version("support", {"user_prompt": "by hand"}, set_current=True)
    space.put("a.yaml", prompt("two"))
    space.put("b.yaml", prompt("two", "other"))
    for _ in range(2):
        report = await space.load()
        assert "both the file and the store" in report.conflicts[0].reason
        assert await space.current("support") == "by hand"
        assert await space.current("other") == "two"
    assert len(await space.prompts.list_versions("support")) == 2
    report = await space.load(file_wins=["prompt/support"])
    assert outcomes(report) == {"prompt/support": "updated", "prompt/other": "unchanged"}
    assert await space.current("support") == "two"
    assert outcomes(await space.load())["prompt/support"] == "unchanged"


async def test_both_sides_changed_to_the_same_is_agreement(space: Any) -> None:
    space.put("a.yaml", prompt("one"))
    await space.load()
    await space.prompts.create_version("support", {"user_prompt": "two"}, set_current=True)
    space.put("a.yaml", prompt("two"))
    assert outcomes(await space.load()) == {"prompt/support": "unchanged"}


async def test_a_definition_made_by_hand_is_not_taken_over(space: Any) -> None:
    await space.prompts.create("support", content={"user_prompt": "by hand"}, description="mine")
    space.put("a.yaml", prompt("one"))
    report = await space.load()
    assert "never agreed" in report.conflicts[0].reason
    space.put("a.yaml", prompt("by hand", more="description: yours\n"))
    assert "description" in (await space.load()).conflicts[0].reason
    space.put("a.yaml", prompt("by hand"))
    assert outcomes(await space.load()) == {"prompt/support": "unchanged"}


async def test_a_fresh_checkout_updates_what_nobody_touched(space: Any, tmp_path: Path) -> None:
    space.put("a.yaml", prompt("one"))
    await space.load()
    fresh = tmp_path / "fresh"
    shutil.copytree(space.folder, fresh, ignore=shutil.ignore_patterns(STATE_FILE))
    (fresh / "a.yaml").write_text(prompt("two"))
    assert outcomes(await space.load(fresh)) == {"prompt/support": "updated"}
    # The first folder has not been edited: it is an old checkout now, and does not roll back.
    assert outcomes(await space.load()) == {"prompt/support": "behind"}
    (space.folder / STATE_FILE).unlink()
    assert outcomes(await space.load()) == {"prompt/support": "behind"}
    assert await space.current("support") == "two"
    await space.prompts.create_version("support", {"user_prompt": "by hand"}, set_current=True)
    (fresh / STATE_FILE).unlink()
    (fresh / "a.yaml").write_text(prompt("three"))
    assert outcomes(await space.load(fresh)) == {"prompt/support": "conflict"}


async def test_one_folder_serves_two_stores(space: Any, other_space: Any) -> None:
    space.put("a.yaml", prompt("one"))
    await space.load()
    assert outcomes(await other_space.load()) == {"prompt/support": "created"}
    space.put("a.yaml", prompt("two"))
    assert outcomes(await space.load()) == {"prompt/support": "updated"}
    assert outcomes(await other_space.load()) == {"prompt/support": "updated"}


async def test_nothing_is_written_where_nothing_is_to_be_remembered(space: Any) -> None:
    space.put("a.yaml", prompt("one"))
    report = await space.load(remember=False)
    assert not report.remembered
    assert [path.name for path in space.folder.iterdir()] == ["a.yaml"]


async def test_a_label_of_another_content_is_a_conflict(space: Any) -> None:
    space.put("a.yaml", prompt("one", more="version: v7\n"))
    await space.load()
    space.put("a.yaml", prompt("two", more="version: v7\n"))
    report = await space.load()
    assert "'v7'" in report.conflicts[0].reason
    assert await space.current("support") == "one"
    space.put("a.yaml", prompt("two", more="version: v8\n"))
    assert [(e.outcome, e.version) for e in (await space.load()).entries] == [("updated", "v8")]


async def test_all_prompts_of_a_multi_agent_are_found_by_name(space: Any) -> None:
    body = (
        "kind: agent\nname: side\nconfig:\n  type: multi_agent\n  prompt_ids: [{prompt: one, role: r, sort_order: 1}]\n"
        "  aggregation: prompt\n  aggregator_prompt: join\n  router_prompt: pick\n"
    )
    space.put("a.yaml", prompt("x", "one"))
    space.put("b.yaml", prompt("x", "join"))
    space.put("side.yaml", body)
    with pytest.raises(DefinitionError, match="'pick'"):
        await space.load()
    space.put("c.yaml", prompt("x", "pick"))
    assert set(outcomes(await space.load()).values()) == {"created"}
    config = (await space.agents.get("side")).current_version.config
    names = ("aggregator_prompt_id", "router_prompt_id")
    assert [config[name] for name in names] == [(await space.prompts.get(name)).id for name in ("join", "pick")]
    assert set(outcomes(await space.load()).values()) == {"unchanged"}


async def test_archived_deleted_renamed_and_retyped(space: Any) -> None:
    space.put("a.yaml", prompt("one"))
    space.put("b.yaml", prompt("one", "gone"))
    space.put("c.yaml", prompt("one", "old name"))
    space.put("d.yaml", "kind: agent\nname: agent\ntype: simple\nconfig: {prompt: support}\n")
    await space.load()
    await space.prompts.update("support", status="archived")
    await space.prompts.delete("gone")
    await space.prompts.update("old name", name="new name")
    space.put("d.yaml", "kind: agent\nname: agent\ntype: multi_agent\n"
              "config: {prompt_ids: [{prompt: support, role: r, sort_order: 1}]}\n")  # fmt: skip
    report = await space.load()
    assert [(entry.name, entry.outcome) for entry in report.entries] == [
        ("support", "conflict"), ("gone", "conflict"), ("old name", "conflict"), ("agent", "conflict"),
    ]  # fmt: skip
    for entry, word in zip(report.entries, ["archived", "deleted", "renamed to 'new name'", "'simple'"], strict=True):
        assert word in entry.reason
    report = await space.load(file_wins=["prompt/support", "prompt/gone"])
    assert [entry.outcome for entry in report.entries] == ["updated", "created", "conflict", "conflict"]
    assert (await space.prompts.get("support")).status == "active"
    assert [entry.outcome for entry in (await space.load()).entries][:2] == ["unchanged", "unchanged"]


async def test_description_and_labels_are_compared_three_ways_too(space: Any) -> None:
    space.put("a.yaml", prompt("one", more="description: a\nlabels: [x]\n"))
    await space.load()
    space.put("a.yaml", prompt("one", more="description: b\nlabels: [x]\n"))
    await space.prompts.update("support", labels=["y"])
    report = await space.load()
    assert outcomes(report) == {"prompt/support": "updated"}
    made = await space.prompts.get("support")
    assert (made.description, made.labels) == ("b", ["y"])
    assert len(await space.prompts.list_versions("support")) == 1
    await space.prompts.update("support", description="c")
    space.put("a.yaml", prompt("two", more="description: d\n"))
    assert "description" in (await space.load()).conflicts[0].reason
    assert await space.current("support") == "one"


@pytest.mark.parametrize(
    ("path", "text", "said"),
    [
        ("z.yaml", "kind: prompt\nname: z\nuser_prompt: '{% if'\n", "z.yaml"),
        ("z.yaml", "kind: prompt\nname: z\n", "user_prompt"),
        ("z.yaml", "kind: agent\nname: z\ntype: simple\nconfig: {prompt: nobody}\n", "nobody"),
        ("z.yaml", "kind: agent\nname: z\ntype: composite\nconfig: {steps: [{id: s, agent: z}]}\n", "circle"),
    ],
)
async def test_nothing_is_applied_if_any_file_is_invalid(space: Any, path: str, text: str, said: str) -> None:
    space.put("a.yaml", prompt("one"))
    space.put(path, text)
    with pytest.raises(DefinitionError, match=said):
        await space.load()
    assert await space.prompts.list(offset=0, limit=1) == ([], 0)
    assert not (space.folder / STATE_FILE).exists()


async def test_processes_that_load_the_same_folder_at_once_make_one_version(space: Any) -> None:
    space.put("a.yaml", prompt("one"))
    space.put("b.yaml", "kind: agent\nname: b\ntype: simple\nconfig: {prompt: support}\n")
    await asyncio.gather(*(space.load(remember=False) for _ in range(5)))
    assert len(await space.prompts.list_versions("support")) == 1
    assert len(await space.agents.list_versions("b")) == 1


async def test_a_damaged_record_says_what_to_do(space: Any) -> None:
    space.put("a.yaml", prompt("one"))
    space.put(STATE_FILE, "<<<<<<< HEAD")
    with pytest.raises(DefinitionError, match="delete it"):
        await space.load()


async def test_a_misspelt_file_wins_is_refused(space: Any) -> None:
    space.put("a.yaml", prompt("one"))
    with pytest.raises(DefinitionError, match="prompt/suport"):
        await space.load(file_wins=["prompt/suport"])


async def test_the_report_reads_well(space: Any) -> None:
    space.put("a.yaml", prompt("one"))
    report = await space.load()
    assert str(report) == "1 created\n  created prompt 'support' v1 (a.yaml)"
    assert json.loads(json.dumps(report.to_dict()))["entries"][0]["outcome"] == "created"


async def test_agents_are_loaded_after_those_that_their_models_call(space: Any) -> None:
    space.put("p.yaml", "kind: prompt\nname: p\nuser_prompt: x\n")
    space.put("a.yaml", "kind: agent\nname: first\ntype: simple\nconfig: {prompt: p}\nsub_agents: [{agent: last}]\n")
    space.put("z.yaml", "kind: agent\nname: last\ntype: simple\nconfig: {prompt: p}\n")
    report = await space.load()
    assert {entry.name: entry.outcome for entry in report.entries} == {n: "created" for n in ("p", "first", "last")}
    last = await space.agents.get("last")
    first = await space.agents.get("first")
    assert first.current_version.sub_agents == [{"agent_id": last.id}]
    assert {entry.outcome for entry in (await space.load()).entries} == {"unchanged"}
    assert {entry.outcome for entry in (await space.save()).entries} == {"unchanged"}


async def test_agents_that_call_each_other_in_a_circle_are_refused(space: Any) -> None:
    space.put("p.yaml", "kind: prompt\nname: p\nuser_prompt: x\n")
    for name, other in (("one", "two"), ("two", "one")):
        text = f"kind: agent\nname: {name}\ntype: simple\nconfig: {{prompt: p}}\nsub_agents: [{{agent: {other}}}]\n"
        space.put(f"{name}.yaml", text)
    with pytest.raises(DefinitionError, match="circle"):
        await space.load()
