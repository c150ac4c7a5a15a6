"""`executions fork` and `executions migrate` from a shell."""

from __future__ import annotations

import json
from collections.abc import Callable
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from promptrails_engine import Engine, SimpleAgentConfig
from promptrails_engine.catalog import serving
from tests.cli.conftest import Ended

Cli = Callable[..., Ended]


@pytest.fixture
def store(tmp_path: Path, plugins: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A store with an agent whose model, found by entry point, answers `Good` and what it was told."""
    monkeypatch.syspath_prepend(str(plugins))
    found = EntryPoint("plugged", "plugged_provider:create", serving.ENTRY_POINT_GROUP)
    monkeypatch.setattr(serving, "_entry_points", lambda: {"plugged": found})
    path = tmp_path / "app.db"
    with Engine(str(path)) as engine:
        prompt = engine.prompts.create("greet", user_prompt="Greet {{ who }}", model="plugged/echo")
        engine.agents.create("greeter", config=SimpleAgentConfig(prompt.id))
        engine.prompts.create_version("greet", user_prompt="Bow to {{ who }}", model="plugged/echo")
        engine.agents.execute("greeter", {"who": "Ada"})
        engine.agents.execute("greeter", {"who": "Bob"}, sync=False)
    return path


def newest(store: Path, status: str) -> str:
    with Engine(str(store)) as engine:
        return engine.executions.list(status=status)[0].id


def forked(cli: Cli, store: Path, *arguments: object) -> str:
    ended = cli("executions", "fork", newest_source(store), "--store", store, "-o", "json", *arguments)
    assert ended.code == 0, ended.err
    return json.loads(ended.out)["output"]["content"]


def newest_source(store: Path) -> str:
    with Engine(str(store)) as engine:
        return next(one.id for one in engine.executions.list(status="completed") if not one.metadata)


def test_a_fork_changes_what_it_is_told_to(cli: Cli, store: Path, tmp_path: Path) -> None:
    template = tmp_path / "other.txt"
    template.write_text("Hail {{ who }}", encoding="utf-8")
    assert forked(cli, store) == "Good Greet Ada"
    assert forked(cli, store, "--at", "prompt", "--prompt-file", template) == "Good Hail Ada"
    assert forked(cli, store, "--prompt-version", "v2") == "Good Bow to Ada"
    assert forked(cli, store, "--input", '{"who": "Eve"}') == "Good Greet Eve"


def test_a_fork_is_shown_as_a_run_is(cli: Cli, store: Path) -> None:
    ended = cli("executions", "fork", newest_source(store), "--store", store, "--system", "Be kind.")
    assert ended.code == 0
    assert dict(line.split("\t") for line in ended.out.splitlines())["answer"] == "Good Greet Ada"


def test_a_fork_that_fails_ends_with_its_code(cli: Cli, store: Path) -> None:
    ended = cli("executions", "fork", newest_source(store), "--store", store, "--model", "plugged/broken")
    assert ended.code == 3
    assert "context" in ended.err


def test_wrong_use_is_said(cli: Cli, store: Path, tmp_path: Path) -> None:
    source = newest_source(store)
    for arguments, said in (
        (("--at", "steps[7]"), "there are: prompt, prompt/llm[0]"),
        (("--prompt-version", "v2", "--system", "x"), "goes with neither"),
        (("--prompt-file", tmp_path / "none.txt"), "cannot be read"),
    ):
        ended = cli("executions", "fork", source, "--store", store, *arguments)
        assert ended.code == 2
        assert said in ended.err


def test_a_migration_is_shown_and_then_applied(cli: Cli, store: Path) -> None:
    with Engine(str(store)) as engine:
        engine.prompts.promote_version("greet", "v2")
    queued = newest(store, "pending")
    shown = cli("executions", "migrate", queued, "--store", store)
    assert (shown.code, "v1 -> v2" in shown.out, "--apply" in shown.err) == (0, True, True)
    done = cli("executions", "migrate", queued, "--store", store, "--apply", "-o", "json")
    assert json.loads(done.out)["applied"] is True
    with Engine(str(store)) as engine:
        assert engine.executions.resume(queued).text == "Good Bow to Bob"
    ended = cli("executions", "migrate", queued, "--store", store)
    assert (ended.code, "has ended" in ended.err) == (2, True)
