"""Runs the Python blocks of one page as `run_snippets.py` does, and prints what each printed as a JSON list.

Usage: python capture.py FILE
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import inspect
import io
import json
import sys
from pathlib import Path
from types import ModuleType
from typing import Any


def snippets() -> ModuleType:
    """The runner of the documents' code; the root of the repository stays off the path, as it is for a user."""
    spec = importlib.util.spec_from_file_location("run_snippets", Path(__file__).parents[1] / "repo/run_snippets.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def main(path: Path) -> None:
    runs = snippets()
    namespace: dict[str, Any] = {"__name__": "__main__", "__file__": str(path)}
    outputs: list[str] = []
    with asyncio.Runner() as runner:
        for block in runs.helper().blocks(path.read_text(encoding="utf-8")):
            if block.info != "python":
                continue
            code = runs.compiled(path, block.code, block.line)
            with contextlib.redirect_stdout(io.StringIO()) as out:
                if code.co_flags & inspect.CO_COROUTINE:
                    runner.run(eval(code, namespace))
                else:
                    exec(code, namespace)
            outputs.append(out.getvalue())
    print(json.dumps(outputs))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
