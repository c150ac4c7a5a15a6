"""Code in documents and examples runs as printed."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.docs.pages import PAGES
from tests.repo.documents import ROOT, absent, blocks, documents, name_of
from tests.warm.python import GUARD, warm_packages

RUNNER = Path(__file__).with_name("run_snippets.py")
LIMIT_S = 110
EXAMPLES = sorted((ROOT / "examples").glob("*.py"))
# Python blocks that cannot run here, as (file, first line of the block): why not.
NOT_RUN: dict[tuple[str, str], str] = {}


def with_python(path: Path) -> bool:
    return any(block.info == "python" for block in blocks(path.read_text(encoding="utf-8")))


DOCUMENTS = [path for path in documents() if with_python(path)]
# The code of these runs where what it prints is compared with what they promise.
COMPARED = [path for path in DOCUMENTS if path in PAGES]


def run(file: Path, *arguments: Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run in an empty folder, without a key and without the network; packages of others are loaded already."""
    env = {name: value for name, value in os.environ.items() if not name.endswith("_API_KEY")}
    env |= {"PYTHONPATH": str(GUARD), "LITELLM_LOCAL_MODEL_COST_MAP": "True", "COLUMNS": "120"}
    return warm_packages().run_file(file, *arguments, cwd=cwd, env=env, timeout=LIMIT_S)


def skip_without_packages(path: Path) -> None:
    if missing := absent(path.read_text(encoding="utf-8")):
        pytest.skip(f"not installed: {missing}")


def test_the_readme_shows_code() -> None:
    assert "README.md" in [name_of(path) for path in DOCUMENTS]


def test_each_page_that_is_compared_shows_code() -> None:
    assert [path for path in documents() if path in PAGES] == COMPARED


@pytest.mark.parametrize("document", [path for path in DOCUMENTS if path not in COMPARED], ids=name_of)
def test_snippets_run(document: Path, tmp_path: Path) -> None:
    skip_without_packages(document)
    done = run(RUNNER, document, cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("document", documents(), ids=name_of)
def test_only_listed_blocks_do_not_run(document: Path) -> None:
    left_out = [
        (name_of(document), block.code.partition("\n")[0])
        for block in blocks(document.read_text(encoding="utf-8"))
        if block.info.startswith("py") and block.info != "python"
    ]
    assert [entry for entry in left_out if entry not in NOT_RUN] == []


def test_there_are_examples() -> None:
    assert EXAMPLES


@pytest.mark.parametrize("example", EXAMPLES, ids=name_of)
def test_examples_run(example: Path, tmp_path: Path) -> None:
    skip_without_packages(example)
    done = run(example, cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.strip(), "an example shows something"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("```python\nx = 1\n```\ntext\n```python\nassert x == 2\n```\n", "line 6"),
        ("```python\nimport asyncio\nawait asyncio.sleep(0)\nassert False\n```\n", "line 4"),
        ("1. item\n\n   ```python\n   raise KeyError('indented')\n   ```\n", "line 4"),
    ],
)
def test_the_runner_names_the_line_that_fails(tmp_path: Path, text: str, shown: str) -> None:
    document = tmp_path / "document.md"
    document.write_text(text, encoding="utf-8")
    done = run(RUNNER, document, cwd=tmp_path)
    assert done.returncode == 1
    assert f'document.md", {shown}' in done.stderr
