"""What commands print: data on stdout, everything else on stderr."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from io import TextIOWrapper
from typing import Any

from pydantic_core import to_json
from rich.console import Console
from rich.table import Table
from rich.text import Text

_KEPT = "\n\t"


def make_tolerant() -> None:
    """Let stdout and stderr escape what their encoding lacks, instead of failing."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def printable(text: str) -> str:
    """The text without power over a terminal: control and format characters escaped, line feeds and tabs kept."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c in _KEPT else c.encode("unicode_escape").decode() for c in text)


def say(text: str = "", *, end: str = "\n") -> None:
    """Print data, at once."""
    print(text, end=end, flush=True)


def note(text: str) -> None:
    """Print what is not data, on stderr."""
    print(text, file=sys.stderr, flush=True)


def say_json(value: Any) -> None:
    """Print JSON data: indented for a person, on one line for a pipe."""
    say(to_json(value, indent=2 if sys.stdout.isatty() else None).decode())


def say_table(headers: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table: drawn on a terminal, else one line a row with tabs between the cells."""
    cleaned = [[" ".join(printable(cell).split()) for cell in row] for row in rows]
    if not sys.stdout.isatty():
        for row in [headers, *cleaned]:
            say("\t".join(row))
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for header in headers:
        table.add_column(header, overflow="fold")
    for row in cleaned:
        table.add_row(*(Text(cell) for cell in row))
    Console(highlight=False).print(table)


def say_pairs(pairs: Sequence[tuple[str, str]]) -> None:
    """Print names and values: aligned on a terminal, else one line a pair with a tab between them."""
    if not sys.stdout.isatty():
        for name, value in pairs:
            say(f"{name}\t{' '.join(printable(value).split())}")
        return
    width = max(len(name) for name, _ in pairs)
    for name, value in pairs:
        say(f"{name:<{width}}  {printable(value)}")


def dollars(cost: float | None) -> str:
    """USD as text; "unknown" where a price was not known."""
    if cost is None:
        return "unknown"
    return "$0" if cost == 0 else f"${cost:.6f}"


def seconds(duration_ms: int | None) -> str:
    """Milliseconds as text in seconds."""
    return "" if duration_ms is None else f"{duration_ms / 1000:.1f} s"
