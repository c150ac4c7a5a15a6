"""The pages for users, and the outputs that they promise."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from tests.repo.documents import ROOT, Block, blocks

NAMES = (
    "getting-started",
    "strategies",
    "workflows",
    "sub-agents",
    "models",
    "streams",
    "traces",
    "stores",
    "approvals",
    "when-the-process-dies",
    "testing",
    "what-if",
    "tools",
    "adapters",
    "errors-and-limits",
    "fleets",
    "guards",
    "scanners",
    "scanner-pii",
    "scanner-sensitive",
    "scanner-anonymize",
    "scanner-secrets",
    "scanner-prompt_injection",
    "scanner-toxicity",
    "scanner-harmful",
    "scanner-bias",
    "scanner-no_refusal",
    "scanner-malicious_urls",
    "scanner-invisible_text",
    "scanner-ban_substrings",
    "scanner-ban_topics",
    "scanner-language",
    "scanner-models",
)
PAGES = [ROOT / "docs" / f"{name}.md" for name in NAMES]
EXAMPLES = sorted((ROOT / "examples").glob("*.py"))

_CHANGING = (
    (re.compile(r"\b[0-9A-Za-z]{27}\b"), "<id>"),
    (re.compile(r"\b[0-9a-f]{32}\b"), "<trace>"),
    (re.compile(r"\b[0-9a-f]{16}\b"), "<span>"),
    (re.compile(r"\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)"), "<time>"),
    (re.compile(r"\b\d+(\.\d+)? (ms|s)\b"), "<duration>"),
)


@dataclass(frozen=True)
class Shown:
    """A block of code whose output stands below it.  The output may leave something out as `...`."""

    number: int
    """Of the block among the Python blocks of its page, from 0."""
    code: Block
    output: str


def shown_outputs(page: Path) -> list[Shown]:
    """The Python blocks of a page that are followed by their output: a `text` block with nothing in between."""
    text = page.read_text(encoding="utf-8")
    lines = text.splitlines()
    found: list[Shown] = []
    before: Block | None = None
    number = -1
    for block in blocks(text):
        if block.info == "python":
            number += 1
        elif block.info == "text" and before is not None and before.info == "python":
            end = before.line + before.code.count("\n")  # the line of the closing fence
            if not any(line.strip() for line in lines[end : block.line - 2]):
                found.append(Shown(number, before, block.code))
        before = block
    return found


def agrees(promised: str, printed: str) -> bool:
    """Whether a page's output is what its code prints, but for ids, times and what is left out as `...`."""
    parts = [re.escape(part) for part in stable(promised).strip().split("...")]
    return re.fullmatch(".*".join(parts), stable(printed).strip(), re.DOTALL) is not None


def stable(text: str) -> str:
    """The text with what changes from run to run named instead of shown."""
    for pattern, name in _CHANGING:
        text = pattern.sub(name, text)
    return "\n".join(line.rstrip() for line in text.splitlines())
