"""`scan`: what it prints of a text, of labelled rows and of scanners, and how it ends."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.conftest import Ended

Cli = Callable[..., Ended]
PII = ("-s", "pii", "-c", '{"engine": "builtin"}')
"""The scanner without Presidio, which takes longer to load than all else here together."""
MAIL = "Write to ann.berg@example.org."
ROWS = [
    {"text": MAIL, "label": 1},
    {"text": "Order 4711 has left.", "label": 0},
    {"text": "My badge is 00-1234-X.", "label": 1},
]


@pytest.fixture
def mail(tmp_path: Path) -> Path:
    path = tmp_path / "mail.txt"
    path.write_text(MAIL, encoding="utf-8")
    return path


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    path = tmp_path / "rows.jsonl"
    path.write_text("\n".join(map(json.dumps, ROWS)), encoding="utf-8")
    return path


def test_what_is_found_is_told_by_kind_and_place(cli: Cli, mail: Path) -> None:
    ended = cli("scan", mail, "--scanner", "pii")
    assert ended.code == 3
    assert ended.out.splitlines() == ["type\tfrom\tto\tscore", "EMAIL_ADDRESS\t9\t29\t1.00"]
    assert "found, score 1.00" in ended.err
    assert "berg" not in ended.out + ended.err


def test_a_text_without_findings_ends_well(cli: Cli, tmp_path: Path) -> None:
    path = tmp_path / "clean.txt"
    path.write_text("Order 4711 has left.", encoding="utf-8")
    ended = cli("scan", path, *PII)
    assert (ended.code, ended.out) == (0, "")
    assert "nothing found" in ended.err


def test_the_command_reads_stdin(shell: Cli) -> None:
    ended = shell("scan", *PII, "--redact", given=MAIL + "\n")
    assert (ended.code, ended.out, ended.err) == (3, "Write to [EMAIL_REDACTED].\n", "")
    ended = shell("scan", "-", *PII, "-o", "json", given=MAIL)
    found = json.loads(ended.out)
    assert (ended.code, found["triggered"], found["truncated"]) == (3, True, False)
    assert found["findings"] == [{"start": 9, "end": 29, "type": "EMAIL_ADDRESS", "score": 1.0}]
    assert shell("scan", *PII, given="Nothing here.").code == 0


def test_the_command_measures_rows_of_stdin(shell: Cli) -> None:
    ended = shell("scan", *PII, "--evaluate", "-o", "json", given="\n".join(map(json.dumps, ROWS)))
    found = json.loads(ended.out)
    assert (ended.code, found["rows"], found["recall"]) == (0, 3, 0.5)


def test_options_are_those_of_the_scanner_and_of_a_guard(cli: Cli, mail: Path) -> None:
    config = json.dumps({"entities": ["phone"], "on_error": "allow"})
    assert cli("scan", mail, "-s", "pii", "-c", config).code == 0
    config = json.dumps({"substrings": ["write"]})
    assert (
        cli("scan", mail, "-s", "ban_substrings", "-c", config, "--redact").out == "[REDACTED] to ann.berg@example.org."
    )


def test_rows_are_measured(cli: Cli, rows: Path, tmp_path: Path) -> None:
    ended = cli("scan", rows, *PII, "--evaluate")
    assert ended.code == 0
    assert "3 rows, 2 to be found; precision 1.000, recall 0.500" in ended.out
    assert "missed" in ended.out
    packed = tmp_path / "rows.jsonl.gz"
    packed.write_bytes(gzip.compress(rows.read_bytes()))
    assert cli("scan", packed, *PII, "--evaluate").out == ended.out


def test_scanners_are_listed(cli: Cli) -> None:
    lines = cli("scan").out.splitlines()
    assert lines[0].startswith("scanner")
    assert any(line.startswith("prompt_injection") for line in lines)
    listed = {one["type"]: one for one in json.loads(cli("scan", "-o", "json").out)}
    assert listed["secrets"]["category"] == "security"
    assert listed["secrets"]["enabled"] is True
    assert "threshold" in listed["secrets"]["config_fields"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["none.txt", "-s", "pii"], "'none.txt' cannot be read"),
        (["MAIL"], "name a scanner with --scanner"),
        (["--redact"], "name a scanner"),
        (["MAIL", "-s", "pi"], "did you mean 'pii'?"),
        (["MAIL", "-s", "pii", "-c", '{"entity": ["email"]}'], "did you mean 'entities'?"),
        (["MAIL", "-s", "pii", "-c", '{"threshold": 7}'], "threshold"),
        (["MAIL", "-s", "pii", "-c", "{"], "--config is not a JSON object"),
        (["MAIL", "-s", "pii", "-c", "[]"], "--config is not a JSON object"),
        (["BINARY", "-s", "pii"], "is not UTF-8 text"),
        (["MAIL", "-s", "harmful", "--redact"], "takes nothing out of a text"),
        (["MAIL", "-s", "pii", "--redact", "-o", "json"], "--redact prints a text"),
        (["MAIL", "-s", "pii", "--plot", "curve.png"], "--plot draws what --evaluate measures"),
        (["MAIL", "-s", "pii", "--evaluate"], "mail.txt, line 1: not JSON"),
        (["BINARY", "-s", "pii", "--evaluate"], "is not UTF-8"),
        (["none.jsonl", "-s", "pii", "--evaluate"], "cannot be read"),
        (["EMPTY", "-s", "pii", "--evaluate"], "no rows"),
        (["BROKEN", "-s", "pii", "--evaluate"], "cannot be read"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line(
    cli: Cli, mail: Path, tmp_path: Path, arguments: list[str], said: str
) -> None:
    contents = {"BINARY": b"\xff\xfe\x00\x81", "EMPTY": b"", "BROKEN": gzip.compress(b"{}")[:-6]}
    files = {"MAIL": mail}
    for name, data in contents.items():
        files[name] = tmp_path / (f"{name}.gz" if name == "BROKEN" else name)
        files[name].write_bytes(data)
    ended = cli("scan", *(files.get(part, part) for part in arguments))
    assert (ended.code, ended.out) == (2, "")
    assert said in ended.err
    assert len(ended.err.splitlines()) == 1
    assert "berg" not in ended.err


def test_the_installed_command_reads_and_writes_every_character(shell: Cli) -> None:
    text = "café 日本 🙂 ann@example.org\r\n"
    ended = shell("scan", *PII, "--redact", given=text, PYTHONIOENCODING="utf-8")
    assert ended.out.replace("\r\n", "\n") == "café 日本 🙂 [EMAIL_REDACTED]\n"
