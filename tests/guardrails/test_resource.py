"""`engine.guardrails`: guards are part of versions, scanners are told, tried and measured."""

from __future__ import annotations

import asyncio
import gzip
import json
import re
from pathlib import Path
from typing import Any

import pytest

from promptrails_engine import (
    AsyncEngine,
    DefinitionError,
    Engine,
    MissingExtraError,
    NotFoundError,
    PromptRailsError,
    ValidationError,
    diff_versions,
)
from promptrails_engine.guardrails import scanners
from tests.guardrails.kit import Numbers, guard, guarded


async def test_guards_come_and_go_with_versions() -> None:
    async with guarded([]) as (engine, agent, _):
        made = await engine.guardrails.create(agent.id, "output", "numbers", "redact", {"replacement": "#"})
        assert (made.id, made.action, made.config) == (f"{agent.id}:output-numbers", "redact", {"replacement": "#"})
        assert (await engine.agents.execute(agent.id, {"text": "x"})).text == "answer #"
        with_guard = (await engine.agents.get_version("Agent")).id
        changed = await engine.guardrails.update(made.id, config={"replacement": "?"}, sort_order=4)
        assert (changed.config, changed.sort_order) == ({"replacement": "?"}, 4)
        assert (await engine.agents.execute(agent.id, {"text": "x"})).text == "answer ?"
        assert (await engine.agents.execute(agent.id, {"text": "x"}, version_id=with_guard)).text == "answer #"
        assert [one.id for one in await engine.guardrails.list("Agent")] == [made.id]
        await engine.guardrails.delete(made.id)
        assert await engine.guardrails.list(agent.id) == []
        assert (await engine.agents.execute(agent.id, {"text": "x"})).text == "answer 7"
        for unknown in (made.id, f"{agent.id}:", "nothing", "no:agent"):
            with pytest.raises(NotFoundError):
                await engine.guardrails.delete(unknown)
        with pytest.raises(DefinitionError):
            await engine.guardrails.create(agent.id, "input", "numbers", config={"nonsense": 1})


async def test_agents_list_and_make_guards_too() -> None:
    async with guarded([]) as (engine, agent, _):
        made = await engine.agents.create_guardrail(
            "Agent", "output", "numbers", "redact", {"replacement": "#"}, is_active=False, sort_order=3
        )
        other = await engine.guardrails.create(agent.id, "input", "judge")
        assert await engine.agents.list_guardrails(agent.id) == await engine.guardrails.list(agent.id)
        assert [one.id for one in await engine.agents.list_guardrails("Agent")] == [made.id, other.id]
        assert (await engine.guardrails.get(other.id)).scanner_type == "judge"
        got = await engine.guardrails.get(made.id)
        assert (got.type, got.scanner_type, got.action, got.config, got.is_active, got.sort_order) == (
            "output", "numbers", "redact", {"replacement": "#"}, False, 3,
        )  # fmt: skip
        assert (await engine.agents.execute(agent.id, {"text": "x"})).text == "answer 7"
        for unknown in ("nothing", f"{agent.id}:nothing", "nobody:nothing"):
            with pytest.raises(NotFoundError):
                await engine.guardrails.get(unknown)
        with pytest.raises(NotFoundError):
            await engine.agents.list_guardrails("nobody")


async def test_changes_at_once_from_two_engines_all_stay(tmp_path: Path) -> None:
    store = f"sqlite:///{tmp_path / 'guards.db'}"
    async with guarded([], store=store) as (one, agent, _), AsyncEngine(store, scanners=[Numbers()]) as other:
        engines = [one, other] * 6
        add = [each.guardrails.create(agent.id, "input", "numbers", "log") for each in engines]
        made = [guard.id for guard in await asyncio.gather(*add)]
        assert len(set(made)) == 12
        assert {guard.id for guard in await one.guardrails.list("Agent")} == set(made)
        changes = [
            each.guardrails.update(guard_id, action="redact") if at % 3 else each.guardrails.delete(guard_id)
            for at, (each, guard_id) in enumerate(zip(engines, made, strict=True))
        ]
        await asyncio.gather(*changes)
        left = await other.guardrails.list(agent.id)
        assert {guard.id for guard in left} == {guard_id for at, guard_id in enumerate(made) if at % 3}
        assert {guard.action for guard in left} == {"redact"}


async def test_a_difference_of_guards_is_told() -> None:
    async with guarded([guard()]) as (engine, agent, _):
        old = await engine.agents.get_version(agent.id)
        await engine.guardrails.create(agent.id, "output", "judge")
        await engine.guardrails.update(f"{agent.id}:input-numbers", action="log")
        diff = diff_versions(old, await engine.agents.get_version(agent.id))
        assert [(change.part, change.kind) for change in diff.changes] == [
            ("guardrails", "added"), ("guardrails", "changed"),
        ]  # fmt: skip


async def test_scanners_are_told_and_tried() -> None:
    async with guarded([]) as (engine, _, _provider):
        told = {one.type: one.redacts for one in await engine.guardrails.list_scanners()}
        assert (told["numbers"], told["judge"]) == ("spans", "never")
        shipped = {one.type: (one.category, one.enabled) for one in await engine.guardrails.list_scanners()}
        assert shipped["pii"] == ("privacy", True)
        assert {category for category, _ in shipped.values()} >= {"privacy", "security", "safety", "quality", "custom"}
        verdict = await engine.guardrails.scan("numbers", "call 5", {"replacement": "#", "on_error": "allow"})
        assert (verdict.triggered, verdict.redacted) == (True, "call #")
        with pytest.raises(DefinitionError, match="numbers"):
            await engine.guardrails.scan("number", "call 5")


class NeedsMore:
    """An entry point whose module cannot be loaded here."""

    def __init__(self, error: Exception) -> None:
        self.value = "elsewhere:scanner"
        self._error = error

    def load(self) -> Any:
        raise self._error


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (MissingExtraError("pip install promptrails-engine[embed]"), "pip install promptrails-engine[embed]"),
        (ImportError("No module named 'torch'"), "No module named 'torch'"),
        (RuntimeError("broken"), "RuntimeError: broken"),
    ],
)
async def test_a_scanner_that_cannot_be_loaded_is_told_as_such(
    error: Exception, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scanners, "_entry_points", lambda: {"far": NeedsMore(error)})
    async with guarded([]) as (engine, agent, _):
        told = {one.type: one for one in await engine.guardrails.list_scanners()}
        assert (told["far"].enabled, told["numbers"].enabled) == (False, True)
        assert reason in told["far"].disabled_reason
        if isinstance(error, ImportError):
            with pytest.raises(PromptRailsError, match=re.escape(reason)):
                await engine.guardrails.create(agent.id, "input", "far")


ROWS = [
    {"text": "call 5", "label": True},
    {"text": "call me", "label": False},
    {"text": "number 7", "label": False},
    {"text": "call FIVE", "label": 1},
    {"text": "call SIX", "label": 1, "options": {"upper": True}},
]


@pytest.mark.parametrize("form", ["rows", "jsonl", "gz"])
def test_a_scanner_is_measured_on_labelled_texts(form: str, tmp_path: Path) -> None:
    lines = "\n".join(map(json.dumps, ROWS)) + "\n\n"
    path = tmp_path / ("rows.jsonl.gz" if form == "gz" else "rows.jsonl")
    path.write_bytes(gzip.compress(lines.encode()) if form == "gz" else lines.encode())
    with Engine(scanners=[Numbers()]) as engine:
        found = engine.guardrails.evaluate("numbers", ROWS if form == "rows" else path)
    assert (found.rows, found.positives) == (5, 3)
    assert found.precision == pytest.approx(2 / 3)
    assert found.recall == pytest.approx(2 / 3)
    assert found.f1 == pytest.approx(2 / 3)
    assert found.false_positive_rate == 0.5
    assert [(row.row, row.label, row.types) for row in found.disagreements] == [(3, False, ("NUMBER",)), (4, True, ())]
    assert [(point.threshold, point.recall) for point in found.curve][-1] == (1.0, pytest.approx(2 / 3))


def test_a_dataset_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    broken = tmp_path / "broken.jsonl"
    broken.write_text('{"text": "a", "label": 1}\nnothing\n')
    with Engine(scanners=[Numbers()]) as engine:
        for dataset, said in (
            (broken, "line 2"), (tmp_path / "none.jsonl", "none.jsonl"), ([], "no rows"), ([{"text": 1}], "row 1"),
        ):  # fmt: skip
            with pytest.raises(ValidationError, match=said):
                engine.guardrails.evaluate("numbers", dataset)  # type: ignore[arg-type]
