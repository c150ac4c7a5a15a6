"""The pages for users: there, linked, short, and their outputs are what their code prints."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.docs.pages import EXAMPLES, PAGES, agrees, shown_outputs
from tests.repo.documents import ROOT, blocks, name_of, prose
from tests.repo.test_snippets import run, skip_without_packages

CAPTURE = Path(__file__).with_name("capture.py")
MAX_LINES, MAX_PROSE = 190, 90

on_every_page = pytest.mark.parametrize("page", PAGES, ids=name_of)


@on_every_page
def test_a_page_is_linked_from_the_readme_and_short(page: Path) -> None:
    assert f"](docs/{page.name})" in (ROOT / "README.md").read_text(encoding="utf-8")
    text = page.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= MAX_LINES
    assert len(prose(text).splitlines()) <= MAX_PROSE


@on_every_page
def test_the_code_runs_and_prints_what_the_page_says(page: Path, tmp_path: Path) -> None:
    shown = shown_outputs(page)
    assert shown, "a page shows what its code prints"
    skip_without_packages(page)
    done = run(CAPTURE, page, cwd=tmp_path)  # as tests/repo/test_snippets.py runs the other documents
    assert done.returncode == 0, done.stdout + done.stderr
    printed: list[str] = json.loads(done.stdout)
    wrong = [
        f"{name_of(page)}, line {item.code.line}\n--- promised\n{item.output}--- printed\n{printed[item.number]}"
        for item in shown
        if not agrees(item.output, printed[item.number])
    ]
    assert not wrong, "\n".join(wrong)


@on_every_page
def test_every_output_belongs_to_code(page: Path) -> None:
    texts = [block for block in blocks(page.read_text(encoding="utf-8")) if block.info == "text"]
    assert len(texts) == len(shown_outputs(page)), "a text block stands right below the code that prints it"


def test_every_example_is_named_on_a_page() -> None:
    text = "".join(page.read_text(encoding="utf-8") for page in PAGES)
    assert [name for path in EXAMPLES if (name := f"examples/{path.name}") not in text] == []


@pytest.mark.parametrize(
    ("promised", "printed", "same"),
    [
        ("done\n", "done\n", True),
        ("done\n", "failed\n", False),
        ("a ... d\n", "a b c d\n", True),
        ("a ... d\n", "a b c\n", False),
        ("3MT4rCYO6G6AiiN9s7S8IuVGLWV took 3 ms", "3MT4rTx3wYFwuB2k5WwJb3WXaVb took 12 ms", True),
        ("cost 0.1", "cost 0.2", False),
        ("a.c", "abc", False),
    ],
)
def test_outputs_are_compared_but_for_what_changes_each_time(promised: str, printed: str, same: bool) -> None:
    assert agrees(promised, printed) is same


def test_only_a_block_right_below_the_code_is_its_output(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        "```python\na\n```\n```text\none\n```\nwords\n```text\ntwo\n```\n```python\nb\n```\n\n```text\n3\n```\n"
    )
    assert [(item.number, re.sub(r"\s", "", item.output)) for item in shown_outputs(page)] == [(0, "one"), (1, "3")]
