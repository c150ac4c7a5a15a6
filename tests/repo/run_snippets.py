"""Runs the ```python blocks of one Markdown file in order, in one namespace; `await` is allowed as in a notebook.

Usage: python run_snippets.py FILE
"""

from __future__ import annotations

import ast
import asyncio
import importlib.util
import inspect
import sys
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any


def helper() -> ModuleType:
    """The neighbouring module; the root of the repository stays off the path, as it is for a user."""
    spec = importlib.util.spec_from_file_location("documents", Path(__file__).with_name("documents.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["documents"] = module
    spec.loader.exec_module(module)
    return module


def compiled(path: Path, code: str, line: int) -> CodeType:
    """The block, with the line numbers that it has in its file."""
    padded = "\n" * (line - 1) + code
    return compile(padded, str(path), "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)


def main(path: Path) -> None:
    """Run the blocks; the first error ends the process with its traceback."""
    namespace: dict[str, Any] = {"__name__": "__main__", "__file__": str(path)}
    with asyncio.Runner() as runner:
        for block in helper().blocks(path.read_text(encoding="utf-8")):
            if block.info != "python":
                continue
            code = compiled(path, block.code, block.line)
            if code.co_flags & inspect.CO_COROUTINE:
                runner.run(eval(code, namespace))
            else:
                exec(code, namespace)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
