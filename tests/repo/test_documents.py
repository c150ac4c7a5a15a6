"""What a document names is there: files, headings, modules, symbols, commands."""

from __future__ import annotations

import builtins
import re
import tomllib
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

import promptrails_engine
from promptrails_engine import errors
from promptrails_engine._version import __version__
from tests.repo.documents import ROOT, blocks, documents, name_of, prose
from tests.warm.python import warm_python

INLINE = re.compile(r"(?<!`)`([^`\n]+)`(?!`)")
LINK = re.compile(r"(?<!!)\[[^\]\n]*\]\(([^)\s]+)\)")
FOLDERS = {path.name for path in ROOT.iterdir() if path.is_dir() and not path.name.startswith(".")}
MADE = {"dist", "build", "demo-output"}
PACKAGES = "promptrails_engine|promptrails_providers|promptrails_scanners"
MAX_AGENTS_LINES = 80

in_every_document = pytest.mark.parametrize("document", documents(), ids=name_of)


def read(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def inline_code(document: Path) -> list[str]:
    return INLINE.findall(prose(read(document)))


def commands(document: Path, program: str) -> set[str]:
    """The first words after the program, in inline code and at the start of lines in blocks."""
    code = [*inline_code(document), *(block.code for block in blocks(read(document)))]
    calls = re.compile(rf"^ *(?:\$ )?{re.escape(program)} ([a-z][\w-]*)", re.MULTILINE)
    return {command for text in code for command in calls.findall(text)}


def slugs(text: str) -> set[str]:
    """The anchors that a Markdown page gives its headings."""
    headings = re.findall(r"^#{1,6} +(.+?) *$", prose(text), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def resolve(dotted: str) -> Any:
    """The object with this dotted name."""
    parts = dotted.split(".")
    found: Any = import_module(parts[0])
    for depth, part in enumerate(parts[1:], start=2):
        found = getattr(found, part) if hasattr(found, part) else import_module(".".join(parts[:depth]))
    return found


def unresolved(names: Iterator[str]) -> list[str]:
    wrong: list[str] = []
    for name in names:
        try:
            resolve(name)
        except (ImportError, AttributeError):
            wrong.append(name)
    return wrong


def test_the_documents_that_a_reader_expects_are_there() -> None:
    names = {name_of(path) for path in documents()}
    assert {"README.md", "CHANGELOG.md", "AGENTS.md"} <= names
    assert any(name.startswith("docs/") for name in names)


@in_every_document
def test_links_lead_somewhere(document: Path) -> None:
    broken: list[str] = []
    for target in LINK.findall(prose(read(document))):
        if re.match(r"[a-z]+:", target):
            continue
        file, _, anchor = target.partition("#")
        path = (document.parent / file).resolve() if file else document
        if not path.exists() or (anchor and anchor not in slugs(read(path))):
            broken.append(target)
    assert broken == []


@in_every_document
def test_named_files_exist(document: Path) -> None:
    paths = [code for code in inline_code(document) if re.fullmatch(r"[\w.*/-]+", code) and "/" in code]
    ours = [path for path in paths if path.partition("/")[0] in FOLDERS - MADE]
    assert [path for path in ours if not any(ROOT.glob(path.rstrip("/")))] == []


@in_every_document
def test_named_symbols_exist(document: Path) -> None:
    dotted = re.compile(rf"((?:{PACKAGES})(?:\.\w+)*)(?:\(.*\))?")
    found = (match[1] for code in inline_code(document) if (match := dotted.fullmatch(code)))
    assert unresolved(found) == []


@in_every_document
def test_imports_of_every_block_resolve(document: Path) -> None:
    text = read(document)
    statements = re.findall(rf"^ *from ((?:{PACKAGES})[\w.]*) import \(?([\w, ]+)", text, re.MULTILINE)
    names = (f"{module}.{name.split()[0]}" for module, names in statements for name in names.split(",") if name.strip())
    assert unresolved(names) == []


@in_every_document
def test_named_errors_exist(document: Path) -> None:
    named = {code for code in inline_code(document) if re.fullmatch(r"[A-Z]\w+Error", code)}
    assert {name for name in named if not (hasattr(errors, name) or hasattr(builtins, name))} == set()


@in_every_document
def test_named_resources_and_methods_exist(document: Path) -> None:
    """`engine.agents.execute(...)`, in prose and in code, is checked on a real engine."""
    with promptrails_engine.Engine() as engine:
        wrong = [
            chain for chain in re.findall(r"\bengine((?:\.[a-z]\w*)+)\(", read(document)) if not has(engine, chain)
        ]
    assert wrong == []


def has(engine: object, chain: str) -> bool:
    found: object = engine
    for part in chain.split(".")[1:]:
        if not hasattr(found, part):
            return False
        found = getattr(found, part)
    return True


@in_every_document
def test_named_make_targets_exist(document: Path) -> None:
    targets = set(re.findall(r"^([a-z][\w-]*):", read(ROOT / "Makefile"), re.MULTILINE))
    assert commands(document, "make") - targets == set()


def test_named_extras_exist() -> None:
    extras = tomllib.loads(read(ROOT / "pyproject.toml"))["project"]["optional-dependencies"]
    lists = [found for path in documents() for found in re.findall(r"promptrails-engine\[([\w,-]+)\]", read(path))]
    assert {name for names in lists for name in names.split(",")} - set(extras) == set()


def test_named_commands_exist() -> None:
    named = {command for path in documents() for command in commands(path, "promptrails-engine")}
    code = "import sys; from promptrails_engine.cli import main; sys.argv[0] = 'promptrails-engine'; main()"
    for command in sorted(named):
        run = warm_python().run(code, command, "--help")
        assert run.returncode == 0, f"promptrails-engine {command}: {run.stderr}"


def test_the_guide_for_workers_stays_short() -> None:
    assert len(read(ROOT / "AGENTS.md").splitlines()) < MAX_AGENTS_LINES


def test_the_changelog_leads_with_this_version_in_single_lines() -> None:
    text = read(ROOT / "CHANGELOG.md")
    first = re.search(r"^## (.+)$", text, re.MULTILINE)
    assert first is not None
    assert __version__ in first[1]
    entries = [line for line in text.splitlines() if line.startswith("- ")]
    assert entries
    assert [line for line in text.splitlines() if line.startswith("  ")] == [], "an entry takes one line"
