"""The documents of this repository, and what can be read out of them."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FENCE = re.compile(r"^(?P<indent> *)```(?P<info>[^\n`]*)\n(?P<body>.*?)^(?P=indent)``` *$", re.MULTILINE | re.DOTALL)


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


def prose(text: str) -> str:
    """The text without its fenced blocks."""
    return FENCE.sub("", text)
