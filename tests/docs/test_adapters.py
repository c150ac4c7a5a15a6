"""The adapters of the page are those of the example, and pass the conformance suites: both, and the page by itself."""

from __future__ import annotations

import ast
import importlib.util
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

from promptrails_engine.ports.provider import Provider
from promptrails_engine.ports.sink import Sink
from promptrails_engine.ports.tool import Tool
from promptrails_engine.testing import ProviderConformance, SinkConformance, ToolConformance
from tests.repo.documents import ROOT, blocks

PAGE = (ROOT / "docs/adapters.md").read_text(encoding="utf-8")
EXAMPLE = ROOT / "examples/custom_adapters.py"
CODE = [block.code for block in blocks(PAGE) if block.info == "python"]
ENTRY_POINT = next(block.code for block in blocks(PAGE) if block.info == "toml")


def example() -> ModuleType:
    spec = importlib.util.spec_from_file_location("custom_adapters", EXAMPLE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


ADAPTERS = example()


def classes(source: str) -> dict[str, str]:
    """The text of each class of a module."""
    body = ast.parse(source).body
    return {node.name: ast.get_source_segment(source, node) or "" for node in body if isinstance(node, ast.ClassDef)}


# ------------------------------------------------------------------ the example


class TestEchoProvider(ProviderConformance):
    model = "plain"

    def make(self) -> Provider:
        provider: Provider = ADAPTERS.EchoProvider()
        return provider


class TestLoudEchoProvider(TestEchoProvider):
    model = "loud"


class TestTotalsSink(SinkConformance):
    def make(self) -> Sink:
        sink: Sink = ADAPTERS.TotalsSink()
        return sink


class TestStockTool(ToolConformance):
    def make(self) -> Tool:
        tool: Tool = ADAPTERS.StockTool("utrecht", {"kettle": 12})
        return tool

    def arguments(self) -> dict[str, Any]:
        return {"article": "kettle"}


# ------------------------------------------------------------------ the page


def test_the_adapters_of_the_page_are_those_of_the_example() -> None:
    mine = classes(EXAMPLE.read_text(encoding="utf-8"))
    shown = {name: text for code in CODE for name, text in classes(code).items() if not name.startswith("Test")}
    assert set(shown) == {"EchoProvider", "TotalsSink", "StockTool"}
    assert shown == mine


def test_the_page_alone_passes_the_suites(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text("[tool.pytest.ini_options]\n", encoding="utf-8")
    (tmp_path / "test_page.py").write_text("\n".join(CODE), encoding="utf-8")
    done = python("-m", "pytest", "-q", "-p", "no:cacheprovider", "test_page.py", cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    promises = [
        name
        for suite in (ProviderConformance, SinkConformance, ToolConformance)
        for name in dir(suite)
        if name.startswith("test_")
    ]
    last = done.stdout.strip().splitlines()[-1]
    assert sum(map(int, re.findall(r"(\d+) (?:passed|skipped)", last))) == len(promises)


def test_a_broken_adapter_does_not_pass(tmp_path: Path) -> None:
    """The suites that the page tells an author to run do find something."""
    broken = (
        "\n".join(CODE)
        .replace('yield Finish("stop")', 'yield Finish("done")')
        .replace('self.totals[f"{span.kind} ms"]', 'span.tags = ("seen",); self.totals[f"{span.kind} ms"]')
        .replace("if broken:", "if not arguments:")
    )
    (tmp_path / "pyproject.toml").write_text("[tool.pytest.ini_options]\n", encoding="utf-8")
    (tmp_path / "test_page.py").write_text(broken.partition("totals = TotalsSink()")[0] + CODE[-1], encoding="utf-8")
    done = python("-m", "pytest", "-q", "-p", "no:cacheprovider", "test_page.py", cwd=tmp_path)
    failed = {line.split("::")[1] for line in done.stdout.splitlines() if line.startswith("FAILED")}
    assert failed == {"TestEchoProvider", "TestTotalsSink", "TestStockTool"}, done.stdout


def test_a_provider_is_found_by_its_entry_point(tmp_path: Path) -> None:
    package = tmp_path / "my_package"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "echo.py").write_text(EXAMPLE.read_text(encoding="utf-8"), encoding="utf-8")
    info = tmp_path / "my_package-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: my-package\nVersion: 1.0\n", encoding="utf-8")
    name, target = (part.strip() for part in ENTRY_POINT.splitlines()[1].partition("#")[0].split("="))
    entry = f"[promptrails_engine.providers]\n{name} = {target.strip(chr(34))}\n"
    (info / "entry_points.txt").write_text(entry, encoding="utf-8")
    code = (
        "from promptrails_engine import Engine\n"
        "with Engine(model='echo/loud') as engine:\n"
        "    engine.prompts.create('P', user_prompt='found')\n"
        "    print(engine.prompts.execute('P', {}).text)\n"
    )
    done = python("-c", code, cwd=tmp_path)
    assert done.stdout == "FOUND\n", done.stdout + done.stderr
    assert ENTRY_POINT.startswith('[project.entry-points."promptrails_engine.providers"]\n')


def python(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments], cwd=cwd, capture_output=True, text=True, check=False, timeout=100
    )
