"""Tools out of a Python file that the caller names."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Annotated, cast

import typer

from promptrails_engine.cli.exits import UsageError
from promptrails_engine.ports.tool import Tool
from promptrails_engine.tools.function import FunctionTool

ToolsOption = Annotated[
    list[Path] | None,
    typer.Option(
        "--tools",
        metavar="FILE",
        help="Python file whose functions marked with @tool agents may call; may be given again.",
    ),
]


def tools_in(paths: Iterable[Path] | None) -> list[Tool]:
    """The tools at the top of the files, in their order; running them is what finds them.

    Raises:
        UsageError: one cannot be run, or holds no tool.
    """
    return [tool for path in paths or () for tool in _tools_of(path)]


def _tools_of(path: Path) -> list[Tool]:
    spec = spec_from_file_location(f"_tools_{path.stem}", path) if path.suffix == ".py" and path.is_file() else None
    if spec is None or spec.loader is None:
        raise UsageError(f"'{path}' is not a Python file")
    module = module_from_spec(spec)
    sys.modules[spec.name] = module  # annotations are looked up there
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise UsageError(f"'{path}' cannot be run: {type(error).__name__}: {error}") from error
    found = [cast("Tool", value) for value in vars(module).values() if isinstance(value, FunctionTool)]
    if not found:
        raise UsageError(f"'{path}' holds no tool; mark functions with @tool of promptrails_engine")
    return found
