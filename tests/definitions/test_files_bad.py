"""Files that cannot be used: each gives one error that names the file, the line and the way out."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from promptrails_engine.definitions.files import AgentFile, PromptFile, read_folder
from promptrails_engine.errors import DefinitionError

P = "kind: prompt\nname: a\n"
A = "kind: agent\nname: a\ntype: simple\n"

BAD = {
    "empty file": ("", 1, "empty"),
    "only a comment": ("# nothing\n", 1, "empty"),
    "a list": ("- a\n", 1, "mapping"),
    "a text": ("hello\n", 1, "mapping"),
    "no kind": ("name: a\n", 1, "prompt or agent"),
    "unknown kind": ("name: a\nkind: tool\n", 2, "'tool'"),
    "no name": ("kind: prompt\nuser_prompt: x\n", 1, "`name` is missing"),
    "empty name": ("kind: prompt\nname: ' '\n", 2, "`name` is missing"),
    "long name": (f"kind: prompt\nname: {'a' * 201}\nuser_prompt: x\n", 2, "200"),
    "empty label": (P + "version: ' '\nuser_prompt: x\n", 3, "`version` is empty"),
    "unknown field": (P + "user_prompt: x\nuser_promt: y\n", 4, "unknown field 'user_promt'.*user_prompt_file"),
    "agent field in a prompt": (P + "tools: []\n", 3, "unknown field 'tools'"),
    "same key twice": (P + "user_prompt: x\nname: b\n", 4, "'name' is given twice, first in line 2"),
    "same key twice inside": (P + "user_prompt: x\nconfig:\n  a: 1\n  a: 2\n", 6, "'a' is given twice"),
    "two texts": (P + "user_prompt: x\nuser_prompt_file: x.j2\n", 4, "both given"),
    "two models": (P + "user_prompt: x\nmodel: a/b\nllm_model_id: a/c\n", 5, "`llm_model_id` and `model` are both"),
    "wrong type": (P + "user_prompt: x\ntemperature: hot\n", 4, "temperature"),
    "number as text": (P + "user_prompt: x\nmax_tokens: '5'\n", 4, "max_tokens"),
    "out of range": (P + "user_prompt: x\ntop_p: 2\n", 4, "top_p"),
    "a list as text": (P + "user_prompt: [x]\n", 3, "`user_prompt` must be text"),
    "labels as text": (P + "labels: a\nuser_prompt: x\n", 3, "list of strings"),
    "labels as numbers": (P + "labels: [1.0]\nuser_prompt: x\n", 3, "quotes"),
    "bad schema": (P + "user_prompt: x\ninput_schema: {type: strange}\n", 4, "input_schema: .*/type"),
    "no template": (P, 1, "user_prompt"),
    "not a number": (P + "user_prompt: x\ntemperature: .nan\n", 4, "JSON"),
    "infinity": (P + "user_prompt: x\nconfig:\n  a: -.inf\n", 5, "JSON"),
    "too large a number": (P + "user_prompt: x\nconfig: {a: 1e999}\n", 4, "too large"),
    "too long a number": (P + f"user_prompt: x\nconfig: {{a: {'9' * 5000}}}\n", 4, "too many digits"),
    "bad syntax": (P + "config: {a: [1\n", 4, "not valid YAML"),
    "tab indent": (P + "config:\n\ta: 1\n", 4, "not valid YAML"),
    "python tag": (P + "user_prompt: !!python/object/apply:os.system [x]\n", 3, "plain data"),
    "own tag": (P + "user_prompt: !env HOME\n", 3, "plain data"),
    "two documents": (P + "user_prompt: x\n---\n" + P, 4, "second document"),
    "merge key": (P + "user_prompt: x\nconfig:\n  <<: {a: 1}\n", 5, "merge keys"),
    "unknown alias": (P + "user_prompt: *x\n", 3, "not valid YAML|alias"),
    "alias to itself": (P + "user_prompt: x\nconfig: &c {a: *c}\n", 4, "alias"),
    "control character": (P + "user_prompt: a\x07\n", 3, "U\\+0007"),
    "half a character": (P + 'user_prompt: "\\ud800"\n', 3, "surrogate"),
    "odd key": (P + "user_prompt: x\nconfig: {[a]: 1}\n", 4, "key"),
    "no config": (A, 1, "needs a `config`"),
    "config of another type": (A + "config: {type: chain, prompt: a}\n", 3, "chain"),
    "unknown config field": (A + "config: {prompt: a, temprature: 1}\n", 4, "temprature"),
    "link twice": (A + "config: {prompt: a, prompt_id: b}\n", 4, "both given"),
    "link is a number": (A + "config: {prompt: 007, max_tokens: 0}\n", 4, "max_tokens"),
    "unknown type": ("kind: agent\nname: a\ntype: swarm\nconfig: {prompt: a}\n", 3, "swarm"),
    "bad budget": (A + "config: {prompt: a}\nrun_budget: {max_cots: 1}\n", 5, "max_cots"),
    "bad tool": (A + "config: {prompt: a}\ntools: [{nam: x}]\n", 5, "tools"),
    "same tool twice": (A + "config: {prompt: a}\ntools: [x, x]\n", 5, "'x'"),
    "reference out": (P + "user_prompt_file: ../../etc/passwd\n", 3, "out of the folder"),
    "reference absolute": (P + "user_prompt_file: /etc/passwd\n", 3, "relative"),
    "reference with backslash": (P + "user_prompt_file: a\\b.j2\n", 3, "relative"),
    "reference to nothing": (P + "user_prompt_file: no.j2\n", 3, "No such file"),
    "reference to a folder": (P + "user_prompt_file: ./\n", 3, "."),
}


@pytest.mark.parametrize(("text", "line", "said"), BAD.values(), ids=BAD.keys())
def test_a_bad_yaml_file(tmp_path: Path, text: str, line: int, said: str) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "bad.yaml").write_text(text)
    (tmp_path / "good.yaml").write_text("kind: prompt\nname: good\nuser_prompt: x\n")
    with pytest.raises(DefinitionError, match=said) as caught:
        read_folder(tmp_path)
    assert caught.value.message.startswith(f"sub/bad.yaml:{line}: ")
    [detail] = caught.value.details["errors"]
    assert (detail["path"], detail["line"]) == ("sub/bad.yaml", line)


BAD_JSON = {
    "cut": ('{"kind": "prompt",\n "name": ', 2, "not valid JSON"),
    "a list": ("[]", 1, "object"),
    "same key twice": ('{"kind": "prompt",\n "name": "a",\n "name": "b"}', 3, "twice, first in line 2"),
    "same key twice inside": ('{"kind": "prompt", "name": "a",\n "config": {"a": 1, "a": 2}}', 2, "'a' is given twice"),
    "not a number": ('{"kind": "prompt",\n "temperature": NaN}', 2, "NaN"),
    "too large": ('{"kind": "prompt",\n "temperature": 1e999}', 2, "too large"),
    "trailing text": ('{"kind": "prompt"}\n{}', 1, "after the end"),
    "half a character": ('{"kind": "prompt", "name": "a",\n "user_prompt": "\\ud800"}', 2, "surrogate"),
    "unknown field": ('{"kind": "prompt",\n"name": "a",\n"x": 1}', 3, "unknown field 'x'"),
    "deep": ('{"kind": "prompt", "name": "a", "config": ' + "[" * 5000, 1, "deeper|JSON"),
    "deep and whole": ('{"config": ' + "[" * 100 + "]" * 100 + "}", 1, "deeper"),
    "a text in place of the key": ("{kind: 1}", 1, "JSON"),
}


@pytest.mark.parametrize(("text", "line", "said"), BAD_JSON.values(), ids=BAD_JSON.keys())
def test_a_bad_json_file(tmp_path: Path, text: str, line: int, said: str) -> None:
    (tmp_path / "bad.json").write_text(text)
    with pytest.raises(DefinitionError, match=said) as caught:
        read_folder(tmp_path)
    assert caught.value.message.startswith(f"bad.json:{line}: ")


def test_other_bytes_than_utf8(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_bytes(b"kind: prompt\nname: \xff\n")
    with pytest.raises(DefinitionError, match=r"^a\.yaml:2: not UTF-8"):
        read_folder(tmp_path)


def _bomb() -> str:
    pairs = zip("abcdefgh", "bcdefghi", strict=True)
    lines = [f"{name}: &{name} [{', '.join([f'*{before}'] * 10)}]" for before, name in pairs]
    return "\n".join(["a: &a [x, x, x, x, x, x, x, x, x, x]", *lines])


@pytest.mark.parametrize("text", ["x: " + "[" * 100_000, _bomb()], ids=["deep", "bomb"])
def test_nested_too_deep_or_too_much(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.yaml").write_text(text)
    with pytest.raises(DefinitionError, match=r"deeper than|more than 50000 values"):
        read_folder(tmp_path)


def test_too_large(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(P + "user_prompt: " + "x" * 1024 * 1024)
    with pytest.raises(DefinitionError, match="more than 1048576 bytes"):
        read_folder(tmp_path)


def test_all_faulty_files_are_named_at_once(tmp_path: Path) -> None:
    for name in "abc":
        (tmp_path / f"{name}.yaml").write_text(f"kind: {name}\n")
    with pytest.raises(DefinitionError) as caught:
        read_folder(tmp_path)
    assert [error["path"] for error in caught.value.details["errors"]] == ["a.yaml", "b.yaml", "c.yaml"]
    assert all(f"{name}.yaml:1: " in caught.value.message for name in "abc")


def test_one_name_in_two_files(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("kind: prompt\nname: x\nuser_prompt: x\n")
    (tmp_path / "b.json").write_text('{"kind": "prompt", "name": "x", "user_prompt": "y"}')
    (tmp_path / "c.yaml").write_text("kind: agent\nname: x\ntype: simple\nconfig: {prompt: x}\n")
    with pytest.raises(DefinitionError, match=r"b\.json:1: prompt 'x' is already defined in a\.yaml"):
        read_folder(tmp_path)


@pytest.mark.skipif(sys.platform == "win32", reason="links need rights there")
def test_links_that_leave_the_folder(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    (tmp_path / "secret.j2").write_text("secret")
    (tmp_path / "secret.yaml").write_text("kind: prompt\nname: s\nuser_prompt: secret\n")
    (folder / "a.yaml").write_text("kind: prompt\nname: a\nuser_prompt_file: link.j2\n")
    (folder / "link.j2").symlink_to(tmp_path / "secret.j2")
    with pytest.raises(DefinitionError, match=r"^a\.yaml:3: .*out of the folder"):
        read_folder(folder)
    (folder / "link.j2").unlink()
    (folder / "a.yaml").unlink()
    (folder / "b.yaml").symlink_to(tmp_path / "secret.yaml")
    with pytest.raises(DefinitionError, match=r"^b\.yaml:1: .*out of the folder"):
        read_folder(folder)
    (folder / "b.yaml").unlink()
    (folder / "sub").symlink_to(tmp_path, target_is_directory=True)
    assert read_folder(folder) == []


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes there")
def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.yaml")
    with pytest.raises(DefinitionError, match="not a regular file"):
        read_folder(tmp_path)


@pytest.mark.parametrize("name", ["missing", "file.txt"])
def test_no_folder(tmp_path: Path, name: str) -> None:
    (tmp_path / "file.txt").touch()
    with pytest.raises(DefinitionError, match=name):
        read_folder(tmp_path / name)


def test_what_yaml_would_change_stays_as_written(tmp_path: Path) -> None:
    (tmp_path / "a.yml").write_text(
        "kind: prompt\nname: 007\nversion: 1.10\nmessage: no\nuser_prompt: 2024-01-01\ndescription: null\n"
        "labels: [yes, on, 12:30, 0o17]\n"
        "config: {a: [no, off, 1_000, 010, 2001-12-14, 0x1F, ~, true, 1e2, -0.5, +3], 5: y, yes: 1}\n"
    )
    [file] = read_folder(tmp_path)
    assert isinstance(file, PromptFile)
    assert (file.name, file.version, file.message, file.description) == ("007", "1.10", "no", None)
    assert file.labels == ("yes", "on", "12:30", "0o17")
    assert file.content["user_prompt"] == "2024-01-01"
    assert file.content["config"] == {
        "a": ["no", "off", "1_000", "010", "2001-12-14", "0x1F", None, True, 100.0, -0.5, 3], "5": "y", "yes": 1,
    }  # fmt: skip


def test_line_ends_and_byte_order_marks_make_no_difference(tmp_path: Path) -> None:
    text = "kind: prompt\nname: {}\nsystem_prompt: |\n  a\n  b\nuser_prompt_file: {}.j2\n"
    (tmp_path / "a.yaml").write_bytes(text.format("a", "a").encode())
    (tmp_path / "a.j2").write_bytes(b"x\ny\n")
    (tmp_path / "b.yaml").write_bytes(b"\xef\xbb\xbf" + text.format("b", "b").replace("\n", "\r\n").encode())
    (tmp_path / "b.j2").write_bytes(b"\xef\xbb\xbfx\r\ny\r\n")
    one, two = read_folder(tmp_path)
    assert one.digest == two.digest
    assert one.content["user_prompt"] == "x\ny\n"


def test_anchors_and_other_files_are_fine(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(
        "kind: agent\nname: a\nconfig:\n  type: multi_agent\n  prompt_ids:\n"
        "  - &link {prompt: p, role: x, sort_order: 1}\nmodel_config: {model: a/b, temperature: 1}\n"
    )
    (tmp_path / "README.md").write_text("# not a definition")
    (tmp_path / ".hidden.yaml").write_text("[")
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git" / "x.json").write_text("[")
    [file] = read_folder(tmp_path)
    assert isinstance(file, AgentFile)
    assert file.type == "multi_agent"
    assert file.content["model_config"] == {"model_id": "a/b", "temperature": 1.0}
    assert file.content["config"]["prompt_ids"] == [{"prompt_id": "p", "role": "x", "sort_order": 1}]
