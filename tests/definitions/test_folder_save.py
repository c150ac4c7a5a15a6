"""Saving the store into a folder: what is written, what is left alone, and what is a conflict."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from promptrails_engine.catalog.folder_memory import STATE_FILE
from promptrails_engine.catalog.folder_report import SyncReport
from promptrails_engine.definitions.configs import ChainAgentConfig, CompositeAgentConfig, PromptLink
from promptrails_engine.errors import DefinitionError

PROMPT = "kind: prompt\nname: support\nuser_prompt: {}\n"


def outcomes(report: SyncReport) -> dict[str, str]:
    return {f"{entry.kind}/{entry.name}": entry.outcome for entry in report.entries}


def contents(folder: Path) -> dict[str, tuple[bytes, int]]:
    return {
        str(path.relative_to(folder)): (path.read_bytes(), path.stat().st_mtime_ns)
        for path in folder.rglob("*")
        if path.is_file() and path.name != STATE_FILE
    }


async def fill(space: Any) -> None:
    await space.prompts.create(
        "support", content={"user_prompt": "{{ q }}", "system_prompt": "a\nb\n", "temperature": 1}
    )
    await space.prompts.create("polish", content={"user_prompt": "x"}, description="d", labels=["l"])
    links = [PromptLink("support", "draft", 1), PromptLink("polish", "final", 2)]
    await space.agents.create("triage", content={"config": ChainAgentConfig(links), "tools": ["t"]})
    steps = {"type": "composite", "steps": [{"id": "s", "agent_id": "triage"}]}
    await space.agents.create("all", content={"config": steps})
    await space.prompts.create("draft only")


async def test_a_store_moves_through_files_into_another_store_unchanged(space: Any, other_space: Any) -> None:
    await fill(space)
    report = await space.save()
    assert outcomes(report) == {
        "prompt/polish": "created", "prompt/support": "created", "agent/all": "created", "agent/triage": "created",
    }  # fmt: skip
    assert set(contents(space.folder)) == {
        "prompts/polish.yaml", "prompts/support.yaml", "agents/all.yaml", "agents/triage.yaml",
    }  # fmt: skip
    assert set(outcomes(await other_space.load()).values()) == {"created"}
    for name in ("support", "polish"):
        here, there = [(await s.prompts.get(name)) for s in (space, other_space)]
        assert here.current_version.digest == there.current_version.digest
        assert (here.description, here.labels) == (there.description, there.labels)
    before = contents(space.folder)
    for each in (space, other_space):
        assert set(outcomes(await each.save()).values()) == {"unchanged"}
        assert set(outcomes(await each.load()).values()) == {"unchanged"}
    assert contents(space.folder) == before


async def test_links_are_written_by_name(space: Any) -> None:
    await fill(space)
    await space.save()
    text = (space.folder / "agents/triage.yaml").read_text()
    assert "  - prompt: support\n    role: draft\n    sort_order: 1\n" in text
    assert "agent: triage" in (space.folder / "agents/all.yaml").read_text()


async def test_a_newer_store_rewrites_its_file_and_no_other(space: Any) -> None:
    await fill(space)
    await space.save()
    before = contents(space.folder)
    await space.prompts.create_version("support", {"user_prompt": "new"}, set_current=True)
    assert outcomes(await space.load())["prompt/support"] == "behind"
    report = await space.save()
    assert [entry.name for entry in report.updated] == ["support"]
    after = contents(space.folder)
    assert {path for path in before if before[path] != after[path]} == {"prompts/support.yaml"}
    assert set(outcomes(await space.load()).values()) == {"unchanged"}
    assert await space.current("support") == "new"


async def test_an_edited_file_is_not_overwritten(space: Any) -> None:
    await fill(space)
    await space.save()
    space.put("prompts/support.yaml", PROMPT.format("edited"))
    before = contents(space.folder)
    report = await space.save()
    assert "edited since" in report.conflicts[0].reason
    await space.prompts.create_version("support", {"user_prompt": "by hand"}, set_current=True)
    report = await space.save()
    assert "both the file and the store" in report.conflicts[0].reason
    assert outcomes(await space.load())["prompt/support"] == "conflict"
    assert contents(space.folder) == before
    report = await space.save(store_wins=["prompt/support"])
    assert [entry.name for entry in report.updated] == ["support"]
    assert "by hand" in (space.folder / "prompts/support.yaml").read_text()
    assert set(outcomes(await space.load()).values()) == {"unchanged"}


async def test_an_edited_description_is_not_overwritten(space: Any) -> None:
    await fill(space)
    await space.save()
    path = space.folder / "prompts/polish.yaml"
    path.write_text(path.read_text().replace("description: d", "description: mine"))
    await space.prompts.update("polish", labels=["other"])
    assert outcomes(await space.save())["prompt/polish"] == "conflict"
    assert outcomes(await space.load())["prompt/polish"] == "updated"
    assert outcomes(await space.save())["prompt/polish"] == "updated"
    assert "other" in path.read_text()
    assert (await space.prompts.get("polish")).description == "mine"


async def test_a_file_without_record_is_replaced_only_if_some_version_has_its_content(space: Any) -> None:
    await space.prompts.create("support", content={"user_prompt": "one"})
    await space.prompts.create_version("support", {"user_prompt": "two"}, set_current=True)
    space.put("s.yaml", PROMPT.format("unknown"))
    assert outcomes(await space.save()) == {"prompt/support": "conflict"}
    space.put("s.yaml", PROMPT.format("one"))
    assert outcomes(await space.save()) == {"prompt/support": "updated"}
    assert (space.folder / "s.yaml").read_text() == PROMPT.format("two")


async def test_a_deleted_file_is_not_made_again(space: Any, tmp_path: Path) -> None:
    await fill(space)
    await space.save()
    (space.folder / "prompts/polish.yaml").unlink()
    report = await space.save()
    assert "was deleted" in report.conflicts[0].reason
    assert not (space.folder / "prompts/polish.yaml").exists()
    assert set(outcomes(await space.save(tmp_path / "elsewhere")).values()) == {"created"}
    assert outcomes(await space.save(store_wins=["prompt/polish"]))["prompt/polish"] == "created"


async def test_a_rename_in_the_store_reaches_its_file_and_the_links(space: Any, other_space: Any) -> None:
    await fill(space)
    await space.save()
    await space.prompts.update("support", name="helpdesk")
    assert outcomes(await space.load())["prompt/support"] == "conflict"
    report = await space.save()
    assert {entry.name for entry in report.updated} == {"helpdesk", "triage"}
    assert (space.folder / "prompts/support.yaml").read_text().startswith("kind: prompt\nname: helpdesk\n")
    assert set(outcomes(await space.load()).values()) == {"unchanged"}
    assert set(outcomes(await other_space.load()).values()) == {"created"}


async def test_the_style_of_a_file_is_kept(space: Any) -> None:
    space.put("s.json", '{"kind": "prompt", "name": "support", "version": "1.0", "user_prompt_file": "t.j2"}')
    space.put("t.j2", "one\n")
    await space.load()
    await space.prompts.create_version("support", {"user_prompt": "two\n"}, label="2.0", set_current=True)
    await space.save()
    assert (space.folder / "t.j2").read_text() == "two\n"
    assert '"version": "2.0"' in (space.folder / "s.json").read_text()
    assert outcomes(await space.load()) == {"prompt/support": "unchanged"}


async def test_a_template_shared_by_two_prompts_is_not_rewritten_for_one(space: Any) -> None:
    for name in ("a", "b"):
        space.put(f"{name}.yaml", f"kind: prompt\nname: {name}\nsystem_prompt_file: t.j2\nuser_prompt: x\n")
    space.put("t.j2", "one\n")
    await space.load()
    await space.prompts.create_version("a", {"user_prompt": "x", "system_prompt": "two\n"}, set_current=True)
    assert outcomes(await space.save()) == {"prompt/a": "updated", "prompt/b": "unchanged"}
    assert (space.folder / "t.j2").read_text() == "one\n"
    assert set(outcomes(await space.load()).values()) == {"unchanged"}
    assert (await space.prompts.get_version("a")).system_prompt == "two\n"


async def test_templates_go_to_files_if_asked(space: Any) -> None:
    await fill(space)
    await space.save(templates="files", format="json")
    assert (space.folder / "prompts/support.system.j2").read_text() == "a\nb\n"
    assert (space.folder / "prompts/support.json").exists()


async def test_archived_definitions_are_left_alone(space: Any) -> None:
    await fill(space)
    await space.agents.update("all", status="archived")
    report = await space.save()
    assert "agent/all" not in outcomes(report)


async def test_nothing_is_written_if_a_file_is_invalid(space: Any) -> None:
    await fill(space)
    space.put("bad.yaml", "kind: nonsense\n")
    with pytest.raises(DefinitionError, match=r"bad\.yaml:1"):
        await space.save()
    assert set(contents(space.folder)) == {"bad.yaml"}


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write anywhere")
async def test_a_read_only_folder_can_be_loaded(space: Any) -> None:
    space.put("a.yaml", PROMPT.format("one"))
    space.folder.chmod(0o555)
    report = await space.load()
    space.folder.chmod(0o755)
    assert outcomes(report) == {"prompt/support": "created"}
    assert not report.remembered


async def test_a_record_that_cannot_be_written_fails_nothing(space: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    space.put("a.yaml", PROMPT.format("one"))
    monkeypatch.setattr(os, "replace", full)
    report = await space.load()
    assert outcomes(report) == {"prompt/support": "created"}
    assert not report.remembered
    assert [path.name for path in space.folder.iterdir()] == ["a.yaml"]


async def test_a_stale_copy_of_the_folder_does_not_undo_the_store(space: Any, tmp_path: Path) -> None:
    await fill(space)
    await space.save()
    copy = tmp_path / "copy"
    shutil.copytree(space.folder, copy)
    space.put("prompts/support.yaml", PROMPT.format("newer"))
    await space.load()
    report = await space.load(copy)
    assert [entry.name for entry in report.behind] == ["support"]
    assert await space.current("support") == "newer"
    assert [entry.name for entry in (await space.save(copy)).updated] == ["support"]


async def test_agents_in_a_circle_in_the_store_can_still_be_saved(space: Any) -> None:
    await fill(space)
    plain = {"type": "composite", "steps": [{"id": "s", "agent_id": "triage"}]}
    await space.agents.create("more", content={"config": plain})
    for name, other in (("all", "more"), ("more", "all")):
        steps = {"type": "composite", "steps": [{"id": "s", "agent_id": other}]}
        await space.agents.create_version(name, {"config": steps}, label="loop")
    for name in ("all", "more"):
        await space.agents.promote_version(name, "loop")
    found = outcomes(await space.save())
    assert (found["agent/all"], found["agent/more"]) == ("created", "created")
    assert isinstance(CompositeAgentConfig, type)
