"""`render` and `run`: definitions of a folder or a store, with one input."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.conftest import Ended

Cli = Callable[..., Ended]
ADA = '{"who": "Ada"}'


def errors(ended: Ended) -> list[str]:
    return [line for line in ended.err.splitlines() if line.startswith("error [")]


def test_render_shows_what_would_be_sent(shell: Cli, definitions: Path) -> None:
    ended = shell("render", "greeter", "--from", definitions, "--input", ADA)
    assert ended.code == 0
    assert "plugged/echo" in ended.out
    assert "[user]\nGreet Ada\n" in ended.out


def test_render_as_json_is_one_object_a_call(cli: Cli, definitions: Path) -> None:
    ended = cli(
        "render", "bare", "--kind", "prompt", "--from", definitions, "-i", ADA, "-m", "openai/gpt-4o", "-o", "json"
    )
    (call,) = json.loads(ended.out)
    assert call["messages"] == [{"role": "user", "content": "Say Ada"}]
    assert (call["model"], call["max_tokens"]) == ("openai/gpt-4o", 9)


def test_a_name_of_both_kinds_has_to_be_decided(cli: Cli, definitions: Path) -> None:
    ended = cli("render", "bare", "--from", definitions, "-i", ADA, "-m", "openai/gpt-4o")
    assert (ended.code, ended.out) == (2, "")
    assert "--kind" in errors(ended)[0]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--input", "{"), "not JSON"),
        (("--input", "[1]"), "object of named values"),
        (("--input", ADA, "--input-file", "x.json"), "both given"),
        (("--input-file", "no-such.json"), "no-such.json"),
        (("--input", '{"who": 3}', "-m", "openai/gpt-4o"), "/who"),
        (("--input", "{}"), "who"),
    ],
)
def test_an_input_that_cannot_be_used_is_one_line(
    cli: Cli, definitions: Path, arguments: tuple[str, ...], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (definitions / "greet.yaml").write_text(
        (definitions / "greet.yaml").read_text(encoding="utf-8").replace("plugged/echo", "openai/gpt-4o"),
        encoding="utf-8",
    )
    ended = cli("render", "greeter", "--from", definitions, *arguments)
    assert (ended.code, ended.out) == (2, "")
    assert said in errors(ended)[0]
    assert "Traceback" not in ended.err


def test_a_faulty_file_is_named_with_its_line(cli: Cli, definitions: Path) -> None:
    (definitions / "bad.yaml").write_text("kind: prompt\nname: bad\nuser_promt: x\n", encoding="utf-8")
    ended = cli("render", "greeter", "--from", definitions, "-i", ADA)
    assert ended.code == 2
    assert "bad.yaml:3" in errors(ended)[0]


def test_unknown_agents_models_and_folders_are_two(cli: Cli, definitions: Path, tmp_path: Path) -> None:
    for arguments, code in (
        (("nobody", "--from", definitions), "not_found"),
        (("bare", "--kind", "agent", "--from", definitions, "-i", ADA), "model_not_served"),
        (("bare", "--kind", "agent", "--from", definitions, "-i", ADA, "-m", "nonsense"), "model_not_served"),
        (("greeter", "--from", tmp_path / "nowhere"), "definition_invalid"),
        (("greeter",), "usage"),
    ):
        ended = cli("render", *arguments)
        assert ended.code == 2
        assert [line.split("]")[0] for line in errors(ended)] == [f"error [{code}"]


def test_run_prints_the_answer_and_its_figures(shell: Cli, definitions: Path) -> None:
    ended = shell("run", "greeter", "--from", definitions, "--input", ADA)
    assert ended.code == 0
    pairs = dict(line.split("\t") for line in ended.out.splitlines())
    assert (pairs["answer"], pairs["status"], pairs["cost"]) == ("Good Greet Ada", "completed", "unknown")


def test_run_as_json_is_the_result(shell: Cli, definitions: Path) -> None:
    result = json.loads(shell("run", "greeter", "--from", definitions, "-i", ADA, "-o", "json").out)
    assert result["output"] == {"content": "Good Greet Ada", "type": "text"}
    assert result["cost"] is None


def test_run_takes_its_input_from_a_file_or_a_pipe(shell: Cli, definitions: Path, tmp_path: Path) -> None:
    file = tmp_path / "input.json"
    file.write_text('\ufeff{"who": "Zoë"}', encoding="utf-8")
    assert "Greet Zoë" in shell("run", "greeter", "--from", definitions, "--input-file", file).out
    piped = shell("run", "greeter", "--from", definitions, "--input-file", "-", given='{"who": "Bo"}')
    assert "Greet Bo" in piped.out


def test_a_stream_is_the_text_alone_on_stdout(shell: Cli, definitions: Path) -> None:
    ended = shell("run", "greeter", "--from", definitions, "-i", ADA, "--stream")
    assert ended.out == "Good Greet Ada\n"
    assert "status completed" in ended.err


def test_a_stream_as_json_is_one_event_a_line(shell: Cli, definitions: Path) -> None:
    ended = shell("run", "greeter", "--from", definitions, "-i", ADA, "--stream", "-o", "json")
    events = [json.loads(line) for line in ended.out.splitlines()]
    assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
    assert (events[0]["type"], events[-1]["type"]) == ("execution", "done")
    assert "".join(event["content"] for event in events if event["type"] == "content") == "Good Greet Ada"


@pytest.mark.parametrize("stream", [(), ("--stream",)])
def test_a_run_that_fails_is_three(shell: Cli, definitions: Path, stream: tuple[str, ...]) -> None:
    ended = shell("run", "bare", "--from", definitions, "-i", ADA, "-m", "plugged/broken", *stream)
    assert ended.code == 3
    assert errors(ended) == ["error [context_overflow]: the prompt is too long"]


def test_tools_come_from_a_file(shell: Cli, definitions: Path, tmp_path: Path) -> None:
    (definitions / "clerk.yaml").write_text(
        "kind: agent\nname: clerk\ntype: simple\nconfig: {prompt: bare}\ntools: [{name: look_up}]\n", encoding="utf-8"
    )
    tools = tmp_path / "my_tools.py"
    tools.write_text(
        "from promptrails_engine import tool\n\n@tool\ndef look_up(words: str) -> str:\n"
        '    """Look something up."""\n    return f"found {words}"\n',
        encoding="utf-8",
    )
    order = ("run", "clerk", "--from", definitions, "-i", '{"who": "order 4021"}', "-m", "plugged/scripted")
    without = shell(*order)
    assert (without.code, without.out) == (2, "")
    assert "look_up" in errors(without)[0]
    assert "found 4021" in shell(*order, "--tools", tools).out


@pytest.mark.parametrize("text", ["x = 1\n", "import no_such_module\n", "def f(:\n"])
def test_a_file_without_usable_tools_is_two(cli: Cli, definitions: Path, tmp_path: Path, text: str) -> None:
    tools = tmp_path / "my_tools.py"
    tools.write_text(text, encoding="utf-8")
    for path in (tools, tmp_path / "none.py"):
        ended = cli("render", "greeter", "--from", definitions, "-i", ADA, "--tools", path)
        assert (ended.code, ended.out) == (2, "")
        assert path.name in errors(ended)[0]
