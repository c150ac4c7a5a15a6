"""The repository speaks of the project alone: of no machine, no index, nobody's to-do list."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

# Written so that this file does not match itself.
FOREIGN = {
    "a folder of somebody's machine": r"(?<![\w.~-])/(?:wor[k]|roo[t]|User[s])/",
    "the host of a package index": r"py[p]i\.(?:org|python)|pythonh[o]sted|registry\.n[p]mjs|deb\.debia[n]\.org",
    "a task left undone": r"\b(?:TOD[O]|FIXM[E])\b",
    "a branch or issue number": r"\b[iI]ssue[ ]#\d|\bGH-\d",
    "the author's tools": r"\b(?:chat[g]pt(?!\")|clau[d]e code|cop[i]lot)\b",
}
TEXT = {".py", ".md", ".toml", ".txt", ".sh", ".cfg", ".ini", ".json", ".yaml", ".yml", ".j2", ".mako", ""}
TABLES = {"scanners/promptrails_scanners/links/domains.txt", "scanners/promptrails_scanners/credentials/tokens.txt"}
"""What scanners look for: these tables have to name hosts and products of others."""
NAMED_THERE = {"the host of a package index", "the author's tools"}
SKIPPED = {".git", "dist", "build", "demo-output", "__pycache__"}


def files(root: Path) -> list[Path]:
    """The files that belong to the repository, by git where there is one."""
    command = ["git", "-C", str(root), "ls-files", "--cached", "--others", "--exclude-standard"]
    if (root / ".git").exists():
        listed = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
        paths = [root / line for line in listed]
    else:
        paths = [path for path in root.rglob("*") if not SKIPPED & set(path.relative_to(root).parts)]
    return [path for path in paths if path.is_file() and path.suffix in TEXT]


@pytest.mark.parametrize("what", FOREIGN)
def test_nothing_foreign_is_said(repo_root: Path, what: str) -> None:
    pattern = re.compile(FOREIGN[what])
    found = [
        f"{path.relative_to(repo_root)}:{number}: {line.strip()[:100]}"
        for path in files(repo_root)
        if what not in NAMED_THERE or path.relative_to(repo_root).as_posix() not in TABLES
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1)
        if pattern.search(line)
    ]
    assert found == []


@pytest.mark.parametrize(
    ("what", "line"),
    [
        ("a folder of somebody's machine", "see /" + "work/main/README.md"),
        ("the host of a package index", "https://py" + "pi.org/simple"),
        ("a task left undone", "# TO" + "DO: later"),
        ("a branch or issue number", "fixes issue" + " #12"),
    ],
)
def test_the_patterns_match_what_they_are_for(what: str, line: str) -> None:
    assert re.search(FOREIGN[what], line)


def test_the_repository_has_files(repo_root: Path) -> None:
    assert {"pyproject.toml", "Makefile"} <= {path.name for path in files(repo_root)}
