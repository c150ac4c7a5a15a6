"""The benchmarks run; how fast they are is no matter of tests."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.once


def test_a_case_prints_its_row(repo_root: Path, tmp_path: Path) -> None:
    figures = tmp_path / "figures.json"
    command = [sys.executable, "benchmarks/run.py", "--quick", "--case", "simple", "--json", str(figures)]
    done = subprocess.run(command, cwd=repo_root, capture_output=True, text=True, check=False, timeout=100)
    assert done.returncode == 0, done.stderr
    assert "| simple run " in done.stdout
    assert "<= 3.5x" in done.stdout
    [row] = json.loads(figures.read_text(encoding="utf-8"))["rows"]
    assert row["case"] == "simple run"
    assert row["floor"] > 0
    assert row["ours"] > 0


def test_a_case_that_fails_fails_the_whole(repo_root: Path) -> None:
    program = (
        "import sys; sys.path.insert(0, 'benchmarks'); sys.argv = ['run.py', '--quick', '--case', 'simple']\n"
        "import run, worker; run.measure = lambda case, quick: 'output 3 is wrong'; sys.exit(run.main())"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=repo_root, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "simple: output 3 is wrong" in done.stderr


@pytest.mark.parametrize("case", ["guarded", "guarded-stream", "scanners-first"])
def test_cases_of_guards_and_scanners_print_their_rows(repo_root: Path, tmp_path: Path, case: str) -> None:
    figures = tmp_path / "figures.json"
    command = [sys.executable, "benchmarks/run.py", "--quick", "--case", case, "--json", str(figures)]
    done = subprocess.run(command, cwd=repo_root, capture_output=True, text=True, check=False, timeout=100)
    assert done.returncode == 0, done.stderr
    rows = json.loads(figures.read_text(encoding="utf-8"))["rows"]
    assert rows
    assert all(row["ours"] > 0 for row in rows)


def test_scanners_stand_beside_what_is_installed_and_the_rest_is_named(repo_root: Path, tmp_path: Path) -> None:
    figures, script = tmp_path / "figures.json", repo_root / "benchmarks/scanners.py"
    command = [sys.executable, str(script), "--quick", "--kind", "language", "--json", str(figures)]
    environment = os.environ | {"PROMPTRAILS_SCANNER_DATA": str(labelled(tmp_path))}
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=100, env=environment)
    assert done.returncode == 0, done.stderr
    assert "Not installed, so not measured: lingua, py3langid" in done.stdout
    [row] = json.loads(figures.read_text(encoding="utf-8"))["rows"]
    assert (row["scanner"], row["f1"], row["false_alarms"]) == ("promptrails", 1.0, 0.0)
    assert row["p50_ms"] > 0


def labelled(folder: Path) -> Path:
    """A folder with labelled rows for one scanner, which all of them are told right."""
    texts = {"Das Wetter ist heute schön, und wir gehen in den Park.": 1, "The weather is fine, so we go out.": 0}
    rows = [
        {"text": f"{text} {number}", "label": label, "options": {"valid_languages": ["en"]}}
        for number in range(400)
        for text, label in texts.items()
    ]
    (folder / "language.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    return folder
