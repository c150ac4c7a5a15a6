"""A sink that prints each trace as a tree."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TextIO

from rich.console import Console
from rich.text import Text
from rich.tree import Tree

from promptrails_engine.ports.sink import Span, SpanKind
from promptrails_engine.tracing.assembly import SpanTree, TraceAssembly

_LONGEST_NAME = 120
_LONGEST_ERROR = 300
_WIDTH_WITHOUT_TERMINAL = 4096  # one line a span in files and pipes
_COLOURS: dict[SpanKind, str] = {
    "agent": "bold cyan",
    "workflow": "bold cyan",
    "chain": "bold cyan",
    "llm": "magenta",
    "tool": "yellow",
    "mcp_call": "yellow",
    "guardrail": "blue",
    "datasource": "green",
    "memory": "green",
}


class ConsoleSink:
    """Prints a trace when its root has arrived: kind, name, duration, tokens, cost and error of each span.

    Args:
        file: Where to print; `sys.stderr`, as it is at that moment, by default.

    Colours only on a terminal, and never where NO_COLOR is set.  What the stream's encoding lacks is escaped.
    """

    def __init__(self, file: TextIO | None = None) -> None:
        self._file = file
        self._assembly = TraceAssembly()

    def export(self, spans: Sequence[Span]) -> None:
        for tree in self._assembly.add(spans):
            self._print(tree)

    def flush(self) -> None:
        """Traces whose root is still to come are not printed: a tree is printed once."""
        file = self._file if self._file is not None else sys.stderr
        if file is not None:  # pyright: ignore[reportUnnecessaryComparison] -- None in a windowed process
            file.flush()

    def close(self) -> None:
        """Print what is left, marked as incomplete."""
        for tree in self._assembly.drain():
            self._print(tree)
        self.flush()

    def _print(self, tree: SpanTree) -> None:
        file = self._file if self._file is not None else sys.stderr
        if file is None:  # pyright: ignore[reportUnnecessaryComparison] -- None in a windowed process
            return
        console = Console(file=file, highlight=False, markup=False, emoji=False)
        if not console.is_terminal:
            console.width = _WIDTH_WITHOUT_TERMINAL
        with console.capture() as capture:
            for top in tree.tops:
                branch = Tree(_label(top, incomplete=not tree.complete), guide_style="dim")
                _grow(branch, top, tree)
                console.print(branch)
        encoding = console.encoding
        file.write(capture.get().encode(encoding, "backslashreplace").decode(encoding))


def _grow(branch: Tree, span: Span, tree: SpanTree) -> None:
    """Adds what is below the span; without recursion, since a chain of spans may be long."""
    stack = [(branch, span)]
    while stack:
        parent, above = stack.pop()
        stack.extend((parent.add(_label(child)), child) for child in tree.below(above))


def _label(span: Span, *, incomplete: bool = False) -> Text:
    text = Text()
    text.append(span.kind, style=_COLOURS.get(span.kind, "bold"))
    text.append(f" {_shown(span.name, _LONGEST_NAME)}")
    for part in _figures(span):
        text.append(f"  {part}", style="dim")
    if span.status == "error":
        reason = ": ".join(part for part in (span.error_type, span.error_message) if part)
        text.append(f"  error {_shown(reason, _LONGEST_ERROR)}", style="bold red")
    if incomplete:
        text.append("  (incomplete: its root has not been seen)", style="dim")
    return text


def _figures(span: Span) -> list[str]:
    figures: list[str] = []
    if span.duration_ms is not None:
        figures.append(f"{span.duration_ms} ms" if span.duration_ms < 10_000 else f"{span.duration_ms / 1000:.1f} s")
    if span.model_name and span.model_name not in span.name:
        figures.append(_shown(span.model_name, _LONGEST_NAME))
    if span.prompt_tokens is not None or span.completion_tokens is not None:
        figures.append(f"{_count(span.prompt_tokens)} + {_count(span.completion_tokens)} tokens")
    elif span.total_tokens is not None:
        figures.append(f"{span.total_tokens} tokens")
    if span.cost is not None:
        figures.append(f"${span.cost:.6f}".rstrip("0").rstrip("."))
    elif span.kind == "llm":
        figures.append("cost unknown")
    return figures


def _count(tokens: int | None) -> str:
    return "?" if tokens is None else str(tokens)


def _shown(text: str, longest: int) -> str:
    """The text on one line and harmless to a terminal: control and format characters escaped, cut to `longest`."""
    kept = text if len(text) <= longest else text[: longest - 3] + "..."
    if kept.isprintable():
        return kept
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in kept)
