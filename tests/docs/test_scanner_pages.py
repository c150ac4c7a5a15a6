"""The pages of scanners: one each, their options and defaults those of the code, their figures those of the index."""

from __future__ import annotations

import json
import re
from importlib import import_module
from typing import Any

import pytest

from promptrails_engine import Engine, ScannerMeta
from promptrails_scanners.foundation.options import ScannerOptions
from tests.repo.documents import ROOT

INDEX = (ROOT / "docs/scanners.md").read_text(encoding="utf-8")
BENCHMARKS = (ROOT / "benchmarks/README.md").read_text(encoding="utf-8")
FIGURES = re.compile(r"^\|(?: [a-z ]+ \|)? ([\d.-]+) \| ([\d.-]+) \| ([\d.]+) \| ([\d.]+) \|$", re.MULTILINE)
NEEDED: dict[str, dict[str, Any]] = {
    "ban_substrings": {"substrings": ["zebra"]},
    "ban_topics": {"topics": ["sports"]},
    "language": {"valid_languages": ["en"]},
}
"""Options of the scanners that need some."""
MANY = 4
"""Longer defaults, which are all that there is, stand as `all`."""


def metas() -> list[ScannerMeta]:
    with Engine() as engine:
        return engine.guardrails.list_scanners()


METAS = metas()
on_every_page = pytest.mark.parametrize("meta", METAS, ids=lambda meta: meta.type)


def page(scanner: str) -> str:
    return (ROOT / f"docs/scanner-{scanner}.md").read_text(encoding="utf-8")


def options(text: str) -> list[tuple[str, str]]:
    """The rows of its table of options: names and defaults."""
    table = text.split("## Options")[1].split("##", maxsplit=1)[0]
    return re.findall(r"^\| `(\w+)` \| (.+?) \| ", table, re.MULTILINE)


def default(field: Any) -> str:
    if field.is_required():
        return "required"
    value = field.default_factory() if field.default_factory else field.default
    if isinstance(value, tuple) and len(value) > MANY:
        return "all"
    shown = json.dumps(value) if isinstance(value, str) else repr(value).replace("'", '"')
    return f"`{shown}`"


def test_there_is_a_page_for_every_scanner_and_a_row_in_the_index() -> None:
    types = {meta.type for meta in METAS}
    assert {path.stem.removeprefix("scanner-") for path in (ROOT / "docs").glob("scanner-*.md")} == types | {"models"}
    rows = re.findall(r"^\| \[(\w+)\]\(scanner-(\w+)\.md\) \| [^|]+ \| (\w+) \| ", INDEX, re.MULTILINE)
    assert {(name, link) for name, link, _ in rows} == {(name, name) for name in types}
    takes_out = {"spans": "places", "sentences": "sentences"}
    assert {name: out for name, _, out in rows} == {meta.type: takes_out[meta.redacts] for meta in METAS}


@on_every_page
def test_the_index_says_how_an_answer_is_let_go(meta: ScannerMeta) -> None:
    row = re.search(rf"^\| \[{meta.type}\]\([^)]+\) \| [^|]+ \| \w+ \| ([a-z ]+) \| ", INDEX, re.MULTILINE)
    assert row is not None
    build, needed = import_module(f"promptrails_scanners.{meta.type}").build, NEEDED.get(meta.type, {})
    asked = {"occurrences": "found"} if row[1] == "if asked" else {}
    text = "The weather is fine today. " * 40
    assert (build(needed).settled(text) is None) is (row[1] != "pieces")
    assert (build(needed | asked).settled(text) is None) is (row[1] == "whole")


@on_every_page
def test_a_page_says_what_it_should(meta: ScannerMeta) -> None:
    headings = re.findall(r"^#+ (.+)$", re.sub(r"```.*?```", "", page(meta.type), flags=re.DOTALL), re.MULTILINE)
    assert headings == [
        meta.type, "What it finds", "What it misses", "Figures", "Options", "How to tune",
    ]  # fmt: skip
    assert "development half of public data" in " ".join(page(meta.type).split())


@on_every_page
def test_the_options_and_their_defaults_are_those_of_the_code(meta: ScannerMeta) -> None:
    text = page(meta.type)
    fields = import_module(f"promptrails_scanners.{meta.type}").Options.model_fields
    own = options(text)
    assert own == [(name, default(fields[name])) for name, _ in own]
    elsewhere = re.search(r"^Those of \[(\w+)\]\(scanner-\w+\.md#options\)", text.split("## Options")[1], re.MULTILINE)
    named = {name for name, _ in own}
    if elsewhere:
        others = {name: shown for name, shown in options(page(elsewhere[1])) if name in fields and name not in named}
        assert others == {name: default(fields[name]) for name in others}
        named |= others.keys()
    assert named == set(meta.config_fields) - ScannerOptions.model_fields.keys()


def test_the_options_of_every_scanner_are_those_of_the_code() -> None:
    shown = re.findall(r"^\| `(\w+)` \| ", INDEX.split("## Options of every scanner")[1], re.MULTILINE)
    assert shown == list(ScannerOptions.model_fields)
    assert f"{ScannerOptions.model_fields['max_chars'].default:,}" in INDEX


@on_every_page
def test_the_figures_of_a_page_are_those_of_the_index(meta: ScannerMeta) -> None:
    row = re.search(rf"^\| \[{meta.type}\].*\| ([\d.-]+) \| ([\d.-]+) \| [\d.]+ \|$", INDEX, re.MULTILINE)
    assert row is not None
    on_page = FIGURES.search(page(meta.type).split("## Figures")[1])
    assert row.groups() == (on_page.groups()[2:] if on_page else ("-", "-"))
    assert (on_page is None) is (meta.type == "anonymize")


@on_every_page
def test_the_time_in_the_index_is_that_of_the_benchmarks(meta: ScannerMeta) -> None:
    row = re.search(rf"^\| \[{meta.type}\].*\| ([\d.]+) \|$", INDEX, re.MULTILINE)
    measured = re.search(rf"^\| {meta.type}, 1 KB .*? ([\d.]+) ms ", BENCHMARKS, re.MULTILINE)
    assert row is not None
    assert measured is not None
    assert row[1] == f"{float(measured[1]):.2g}"
