"""Files and functions stay short enough to be read at once."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

CHECK = "tools/checks/sizes.py"


def run(script: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, str(script)], capture_output=True, text=True, check=False)


def test_nothing_is_too_long(repo_root: Path) -> None:
    done = run(repo_root / CHECK)
    assert done.returncode == 0, done.stdout


def test_the_check_sees_what_is_too_long(repo_root: Path, tmp_path: Path) -> None:
    script = tmp_path / CHECK
    script.parent.mkdir(parents=True)
    script.write_text((repo_root / CHECK).read_text(encoding="utf-8"), encoding="utf-8")
    long_function = "async def long():\n" + "    pass\n" * 60
    for folder in ("promptrails_engine", "tests"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "functions.py").write_text(long_function, encoding="utf-8")
        (tmp_path / folder / "lines.py").write_text("x = 1\n" * 401, encoding="utf-8")
        (tmp_path / folder / "fits.py").write_text("x = 1\n" * 400, encoding="utf-8")
    done = run(script)
    assert done.returncode == 1
    breaches = [line.removeprefix(f"{tmp_path}/") for line in done.stdout.splitlines()]
    assert breaches == [
        "promptrails_engine/functions.py:1: long has 61 lines, at most 60",
        "promptrails_engine/lines.py: 401 lines, at most 400",
        "tests/lines.py: 401 lines, at most 400",
    ]
