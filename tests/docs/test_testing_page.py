"""The test on the page of testing passes under pytest, fails when it should, and the tables are those of the code."""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import MISSING, fields
from pathlib import Path

import pytest

from promptrails_engine.testing import Reply
from tests.repo.documents import ROOT, blocks

PAGE = (ROOT / "docs/testing.md").read_text(encoding="utf-8")
TEST = next(block.code for block in blocks(PAGE) if block.info == "python")


def pytest_of(code: str, folder: Path) -> str:
    """What pytest prints at its end for a file with this code, in a project of its own."""
    (folder / "pyproject.toml").write_text("[tool.pytest.ini_options]\n", encoding="utf-8")
    (folder / "test_triage.py").write_text(code, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_triage.py"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )
    return done.stdout + done.stderr


@pytest.mark.parametrize(
    ("change", "wrong", "says"),
    [
        ("", "", "1 passed"),
        ("mail | trim", "mail", "Money back!"),
        ('ScriptedProvider(["refund"])', 'ScriptedProvider(["refund", "order"])', "1 of 2 scripted replies"),
        ('ScriptedProvider(["refund"])', "ScriptedProvider([])", "the script has no reply left"),
    ],
)
def test_the_test_on_the_page(tmp_path: Path, change: str, wrong: str, says: str) -> None:
    assert change in TEST
    out = pytest_of(TEST.replace(change, wrong) if change else TEST, tmp_path)
    assert says in out
    assert ("1 passed" in out and "error" not in out and "failed" not in out) is (not change)


def test_the_fields_of_a_reply_are_those_of_the_code() -> None:
    shown = re.findall(r"^\| `(\w+)` \| `([^|]+)` \|", PAGE, re.MULTILINE)
    assert shown == [(f.name, repr(f.default)) for f in fields(Reply) if f.default is not MISSING]
