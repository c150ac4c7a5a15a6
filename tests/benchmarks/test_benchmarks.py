"""The benchmarks run; how fast they are is no matter of tests."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path


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
