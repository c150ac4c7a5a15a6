"""Names every file and function that is longer than this repository allows.

Usage: python tools/checks/sizes.py
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("promptrails_engine", "providers/promptrails_providers", "scanners/promptrails_scanners")
MAX_FILE = 400
MAX_FUNCTION = 60
FOLDERS: dict[str, int | None] = dict.fromkeys(PACKAGES, MAX_FUNCTION) | dict.fromkeys(
    ("tests", "examples", "benchmarks", "tools")
)


def too_long(path: Path, max_function: int | None) -> Iterator[str]:
    """One line for each breach in the file: where it is, how long it is, how long it may be."""
    text = path.read_text(encoding="utf-8")
    lines = len(text.splitlines())
    if lines > MAX_FILE:
        yield f"{path}: {lines} lines, at most {MAX_FILE}"
    if max_function is None:
        return
    for node in ast.walk(ast.parse(text, filename=str(path))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = (node.end_lineno or node.lineno) - node.lineno + 1
            if length > max_function:
                yield f"{path}:{node.lineno}: {node.name} has {length} lines, at most {max_function}"


def main(root: Path = ROOT) -> int:
    """The exit code: 1 if anything is too long."""
    breaches = [
        breach
        for folder, max_function in FOLDERS.items()
        for path in sorted((root / folder).rglob("*.py"))
        for breach in too_long(path, max_function)
    ]
    print("\n".join(breaches) or "sizes: all files and functions are within the limits")
    return 1 if breaches else 0


if __name__ == "__main__":
    sys.exit(main())
