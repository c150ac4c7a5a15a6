"""`executions` and `traces`: what a store keeps."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from promptrails_engine import Engine, SimpleAgentConfig
from promptrails_engine.errors import ContextOverflowError
from promptrails_engine.ports.provider import ModelRequest
from promptrails_engine.testing.scripted import AnyReply, ScriptedProvider
from tests.cli.conftest import Ended

Cli = Callable[..., Ended]


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """A store with two runs of one agent: the older failed, the newer completed."""
    path = tmp_path / "app.db"

    def reply(request: ModelRequest) -> AnyReply:
        text = request.messages[-1].content
        return ContextOverflowError("too long for the model") if "fail" in text else "\x1b[2Jfine\ttoo"

    with Engine(str(path), providers=[ScriptedProvider(reply)], model="scripted/m") as engine:
        engine.prompts.create("ask", user_prompt="{{ text }}")
        engine.agents.create("asker", config=SimpleAgentConfig(prompt_id="ask"))
        engine.agents.execute("asker", {"text": "fail"})
        engine.agents.execute("asker", {"text": "go"})
    return path


def test_list_is_newest_first_in_plain_lines(cli: Cli, store: Path) -> None:
    ended = cli("executions", "list", "--store", store)
    assert ended.code == 0
    head, *rows = [line.split("\t") for line in ended.out.splitlines()]
    assert [row[head.index("status")] for row in rows] == ["completed", "failed"]
    assert [row[head.index("agent")] for row in rows] == ["asker", "asker"]
    assert rows[1][head.index("answer")] == "[context_overflow] too long for the model"


def test_answers_cannot_break_the_lines(cli: Cli, store: Path) -> None:
    ended = cli("executions", "list", "--store", store)
    assert "\x1b" not in ended.out
    assert "\\x1b[2Jfine too" in ended.out


def test_list_filters(cli: Cli, store: Path) -> None:
    found = json.loads(cli("executions", "list", "--store", store, "--status", "failed", "-o", "json").out)
    assert [execution["status"] for execution in found] == ["failed"]
    assert len(json.loads(cli("executions", "list", "--store", store, "--limit", "1", "-o", "json").out)) == 1
    ended = cli("executions", "list", "--store", store, "--agent", "nobody")
    assert (ended.code, ended.out) == (2, "")
    assert "error [not_found]" in ended.err


def test_get_shows_one_run(cli: Cli, store: Path) -> None:
    newest, oldest = json.loads(cli("executions", "list", "--store", store, "-o", "json").out)
    pairs = dict(line.split("\t") for line in cli("executions", "get", oldest["id"], "--store", store).out.splitlines())
    assert (pairs["status"], json.loads(pairs["input"])) == ("failed", {"text": "fail"})
    assert pairs["error"] == "[context_overflow] too long for the model"
    assert json.loads(cli("executions", "get", newest["id"], "--store", store, "-o", "json").out) == newest


def test_diff_shows_where_two_runs_part(cli: Cli, store: Path) -> None:
    newest, oldest = json.loads(cli("executions", "list", "--store", store, "-o", "json").out)
    ended = cli("executions", "diff", oldest["id"], newest["id"], "--store", store)
    assert ended.code == 0
    assert ended.out.splitlines()[0] == f"execution {oldest['id']} -> {newest['id']}: they part at prompt/prompt"
    assert '~ input text: "fail" -> "go"' in ended.out
    assert "\x1b" not in ended.out
    data = json.loads(cli("executions", "diff", oldest["id"], newest["id"], "--store", store, "-o", "json").out)
    assert [data["a"]["status"], data["b"]["status"]] == ["failed", "completed"]
    assert "no differences but times" not in ended.out
    same = cli("executions", "diff", newest["id"], newest["id"], "--store", store)
    assert "the same execution" in same.out.splitlines()[0]


@pytest.mark.parametrize("known_first", [True, False])
def test_diff_with_an_unknown_id_is_two(cli: Cli, store: Path, known_first: bool) -> None:
    known = json.loads(cli("executions", "list", "--store", store, "-o", "json").out)[0]["id"]
    ids = (known, "no-such-id") if known_first else ("no-such-id", known)
    ended = cli("executions", "diff", *ids, "--store", store)
    assert (ended.code, ended.out) == (2, "")
    assert ended.err.startswith("error [not_found]")
    assert "no-such-id" in ended.err


def test_a_trace_is_found_by_its_id_and_by_that_of_its_run(cli: Cli, store: Path) -> None:
    newest, oldest = json.loads(cli("executions", "list", "--store", store, "-o", "json").out)
    by_trace = cli("traces", "show", newest["trace_id"], "--store", store)
    by_run = cli("traces", "show", newest["id"], "--store", store)
    assert by_trace == by_run
    assert [word in by_run.out for word in ("asker", "llm scripted/m", "tokens")] == [True] * 3
    spans = json.loads(cli("traces", "show", oldest["id"], "--store", store, "-o", "json").out)
    assert {span["trace_id"] for span in spans} == {oldest["trace_id"]}
    assert sum(not span["parent_span_id"] for span in spans) == 1


@pytest.mark.parametrize("command", [("executions", "get"), ("traces", "show")])
def test_an_unknown_id_is_two(cli: Cli, store: Path, command: tuple[str, ...]) -> None:
    ended = cli(*command, "no-such-id", "--store", store)
    assert (ended.code, ended.out) == (2, "")
    assert ended.err.startswith("error [not_found]")
    assert len(ended.err.splitlines()) == 1


@pytest.mark.parametrize("command", [("executions", "list"), ("executions", "get", "x"), ("traces", "show", "x")])
def test_a_store_that_is_not_there_is_two_and_not_made(cli: Cli, tmp_path: Path, command: tuple[str, ...]) -> None:
    path = tmp_path / "nowhere.db"
    ended = cli(*command, "--store", path)
    assert (ended.code, ended.out) == (2, "")
    assert "nowhere.db" in ended.err
    assert not path.exists()


def test_a_file_that_is_no_store_is_two_and_left_alone(cli: Cli, tmp_path: Path) -> None:
    path = tmp_path / "notes.db"
    path.write_text("not a database" * 100, encoding="utf-8")
    ended = cli("executions", "list", "--store", path)
    assert (ended.code, ended.out) == (2, "")
    assert ended.err.startswith("error [store_corrupt]")
    assert path.read_text(encoding="utf-8") == "not a database" * 100


def test_an_unknown_kind_of_url_is_two(cli: Cli) -> None:
    ended = cli("executions", "list", "--store", "nonsense://there")
    assert (ended.code, ended.out) == (2, "")
    assert ended.err.startswith("error [")
