"""The command line as a whole: help, usage errors, exit codes, encodings."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from promptrails_engine import __version__
from promptrails_engine.cli.output import dollars, printable
from tests.cli.conftest import Ended
from tests.warm.python import Child

Cli = Callable[..., Ended]
_COMMANDS = ("demo", "render", "run", "worker", "recover", "version", "executions", "traces", "approvals")


def test_version(cli: Cli) -> None:
    assert cli("version") == Ended(0, f"promptrails-engine {__version__}\n", "")


def test_help_names_every_command(cli: Cli) -> None:
    ended = cli("--help")
    assert ended.code == 0
    assert all(name in ended.out for name in _COMMANDS)


def test_every_command_explains_itself(cli: Cli) -> None:
    for command in (
        ("demo",),
        ("run",),
        ("render",),
        ("executions", "list"),
        ("worker",),
        ("recover",),
        ("executions", "get"),
        ("executions", "resume"),
        ("executions", "doubts"),
        ("executions", "resolve"),
        ("executions", "cancel"),
        ("traces", "show"),
    ):
        ended = cli(*command, "--help")
        assert ended.code == 0
        assert "Usage: promptrails-engine " + " ".join(command) in ended.out


@pytest.mark.parametrize(
    "arguments",
    [
        ("nonsense",),
        ("run", "a", "--nonsense"),
        ("run",),
        ("demo", "--seconds", "-1"),
        ("executions", "list"),
        ("render", "a", "--from", ".", "--output", "xml"),
    ],
)
def test_wrong_usage_is_two_and_says_so_on_stderr(cli: Cli, arguments: tuple[str, ...]) -> None:
    ended = cli(*arguments)
    assert (ended.code, ended.out) == (2, "")
    assert ended.err.strip()
    assert "Traceback" not in ended.err


def test_nothing_is_loaded_before_it_is_used() -> None:
    loaded = "[name for name in ('typer', 'rich') if name in sys.modules]"
    code = f"import promptrails_engine.cli, sys, json; print(json.dumps({loaded}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == []


def test_an_unknown_name_in_the_package_is_an_attribute_error() -> None:
    code = "import promptrails_engine.cli as c; print(hasattr(c, 'nonsense'), 'main' in dir(c))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "True"]


def test_a_reader_that_leaves_early_is_no_crash(
    launch: Callable[..., Child], definitions: Path, tmp_path: Path
) -> None:
    much = tmp_path / "input.json"
    much.write_text(json.dumps({"who": "x" * 1_000_000}), encoding="utf-8")  # more than a pipe holds
    with launch("run", "greeter", "--from", definitions, "--input-file", much) as process:
        process.stdout.close()
        complaint = process.stderr.read()
    assert process.returncode != 0
    assert "Traceback" not in complaint
    assert "Exception" not in complaint


def test_text_of_others_has_no_power_over_the_terminal() -> None:
    assert printable("a\x1b[2Jb\u202ec\nd\te") == "a\\x1b[2Jb\\u202ec\nd\te"
    assert printable("Grüße, 你好") == "Grüße, 你好"


def test_an_unknown_cost_is_not_zero() -> None:
    assert [dollars(None), dollars(0.0), dollars(0.0000125)] == ["unknown", "$0", "$0.000013"]


@pytest.mark.skipif(os.name == "nt", reason="a pseudo-terminal is needed")
@pytest.mark.parametrize(("no_color", "coloured"), [("", True), ("1", False)])
def test_colours_are_for_terminals_that_want_them(
    launch: Callable[..., Child],
    shell: Callable[..., Ended],
    definitions: Path,
    tmp_path: Path,
    no_color: str,
    coloured: bool,
) -> None:
    store = tmp_path / "app.db"
    ran = shell("run", "greeter", "--from", definitions, "--store", store, "-i", '{"who": "Ada"}', "-o", "json")
    execution = json.loads(ran.out)["execution_id"]
    code = (
        "import os, pty, sys\n"
        "os.environ.update(TERM='xterm-256color', COLUMNS='200')\n"
        "sys.exit(os.waitstatus_to_exitcode(pty.spawn(sys.argv[1:])))"
    )
    command = [
        str(Path(sys.executable).parent / "promptrails-engine"),
        "traces",
        "show",
        execution,
        "--store",
        str(store),
    ]
    env = {**os.environ, "NO_COLOR": no_color}
    if not no_color:
        env.pop("NO_COLOR")
    done = subprocess.run(
        [sys.executable, "-c", code, *command], capture_output=True, stdin=subprocess.DEVNULL, env=env, check=False
    )
    assert done.returncode == 0, done.stdout
    assert "greeter" in done.stdout.decode()
    assert (b"\x1b[1;36m" in done.stdout or b"\x1b[36m" in done.stdout or b";36m" in done.stdout) is coloured
