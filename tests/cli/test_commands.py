"""The command line, as a shell sees it: output, exit codes, one line an error."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

COMMAND = [sys.executable, "-c", "from promptrails_engine.cli import main; main()"]


def call(*arguments: str, folder: Path, **environment: str) -> subprocess.CompletedProcess[bytes]:
    """The finished command, run in `folder` with no key in its environment."""
    kept = {name: value for name, value in os.environ.items() if not name.endswith("_API_KEY")}
    return subprocess.run(
        [*COMMAND, *arguments], cwd=folder, env={**kept, **environment}, capture_output=True, timeout=100, check=False
    )


def test_the_scripted_demo_answers_every_message_and_keeps_what_happened(tmp_path: Path):
    done = call("demo", "--model", "scripted", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    out = tmp_path / "demo-output"
    rows = [json.loads(line) for line in (out / "results.jsonl").read_text("utf-8").splitlines()]
    assert len(rows) >= 24
    assert {row["status"] for row in rows} == {"completed"}
    assert all(row["answer"] for row in rows)
    assert any(row["lookups"] for row in rows)
    spans = [json.loads(line) for line in (out / "trace.jsonl").read_text("utf-8").splitlines()]
    assert {span["trace_id"] for span in spans} == {row["trace_id"] for row in rows}
    text = done.stdout.decode()
    assert "support-desk" in text
    assert "cost" in text
    listed = call("executions", "list", "--store", "demo-output/demo.db", "--output", "json", folder=tmp_path)
    assert listed.returncode == 0, listed.stderr
    assert rows[-1]["execution_id"] in listed.stdout.decode()
    shown = call("traces", "show", rows[0]["trace_id"], "--store", "demo-output/demo.db", folder=tmp_path)
    assert "look_up" in shown.stdout.decode()


def test_the_demo_runs_again_over_what_it_left(tmp_path: Path):
    for _ in range(2):
        assert call("demo", "--model", "scripted", "--seconds", "0", folder=tmp_path).returncode == 0
    results = (tmp_path / "demo-output" / "results.jsonl").read_text("utf-8").splitlines()
    assert len(results) == 1


@pytest.mark.parametrize(
    ("model", "code"),
    [("openai/gpt-4o-mini", "auth"), ("no-slash", "model_not_served"), ("local/none", "model_not_served")],
)
def test_a_model_that_is_not_there_is_one_clear_line(model: str, code: str, tmp_path: Path):
    done = call("demo", "--model", model, folder=tmp_path)
    assert done.returncode in (2, 3)
    lines = done.stderr.decode().strip().splitlines()
    assert "Traceback" not in done.stderr.decode()
    assert f"[{code}]" in lines[-1]


def test_the_demo_prints_in_the_encoding_of_the_console(tmp_path: Path):
    done = call("demo", "--model", "scripted", folder=tmp_path, PYTHONIOENCODING="cp1252", PYTHONUTF8="0")
    assert done.returncode == 0, done.stderr


@pytest.mark.skipif(os.name != "posix", reason="signals")
def test_an_interrupted_demo_says_where_the_finished_rows_are(tmp_path: Path):
    script = (
        "import os, signal, promptrails_engine.cli.demo_rows as rows\n"
        "original = rows.answered\n"
        "def answered(*args):\n"
        "    os.kill(os.getpid(), signal.SIGINT)\n"
        "    return original(*args)\n"
        "import promptrails_engine.cli.demo_desk as desk\n"
        "desk.answered = answered\n"
        "from promptrails_engine.cli import main; main(['demo', '--model', 'scripted'])\n"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, capture_output=True, timeout=100, check=False)
    assert done.returncode in (130, -signal.SIGINT), done.stderr
    assert "Traceback" not in done.stderr.decode()


def definitions(folder: Path) -> None:
    (folder / "prompt.yaml").write_text("kind: prompt\nname: hello\nuser_prompt: Hello {{ name }}\nmodel: openai/x\n")
    (folder / "agent.yaml").write_text("kind: agent\nname: greeter\ntype: simple\nconfig: {prompt: hello}\n")


def test_render_shows_what_would_be_sent(tmp_path: Path):
    definitions(tmp_path)
    done = call("render", "greeter", "--from", ".", "--input", '{"name": "Ada"}', "--output", "json", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "Hello Ada" in done.stdout.decode()


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (("render", "nobody", "--from", "."), "nobody"),
        (("render", "greeter", "--from", ".", "--input", "{broken"), "JSON"),
        (("run", "greeter", "--from", "missing"), "missing"),
        (("executions", "list", "--store", "missing/app.db"), "missing"),
        (("nonsense",), "nonsense"),
    ],
)
def test_bad_calls_end_with_code_2_and_one_line(arguments: tuple[str, ...], word: str, tmp_path: Path):
    definitions(tmp_path)
    done = call(*arguments, folder=tmp_path)
    assert done.returncode == 2, (done.stdout, done.stderr)
    assert word in done.stderr.decode()
    assert "Traceback" not in done.stderr.decode()


def test_a_run_without_its_key_fails_and_says_which(tmp_path: Path):
    definitions(tmp_path)
    done = call("run", "greeter", "--from", ".", "--input", '{"name": "Ada"}', folder=tmp_path)
    assert done.returncode in (2, 3)
    assert "OPENAI_API_KEY" in done.stderr.decode() + done.stdout.decode()


def test_the_version_is_the_librarys(tmp_path: Path):
    from_library = subprocess.run(
        [sys.executable, "-c", "import promptrails_engine as p; print(p.__version__)"], capture_output=True, check=True
    )
    assert from_library.stdout.strip() in call("version", folder=tmp_path).stdout


def test_the_demo_answers_with_the_local_model(tmp_path: Path):
    pytest.importorskip("xllamacpp")
    done = call("demo", "--seconds", "0", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    (row,) = [json.loads(line) for line in (tmp_path / "demo-output" / "results.jsonl").read_text("utf-8").splitlines()]
    assert row["status"] == "completed"
    assert row["answer"]
    assert row["tokens"]["total_tokens"] > 0
    assert row["cost"] == 0.0
    assert "--all" in done.stdout.decode() + done.stderr.decode()
