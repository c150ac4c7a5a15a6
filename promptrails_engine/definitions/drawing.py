"""Pictures of agents: as Mermaid text, or drawn by Graphviz as SVG or PNG."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from promptrails_engine.definitions.picture import Box, BoxState, Picture
from promptrails_engine.errors import ConfigurationError
from promptrails_engine.require import require

DrawingFormat = Literal["mermaid", "svg", "png"]
FORMATS: tuple[DrawingFormat, ...] = ("mermaid", "svg", "png")

_COLOURS: dict[BoxState, tuple[str, str]] = {
    "done": ("#dff5e1", "#2e7d32"),
    "failed": ("#fde0dc", "#c62828"),
    "cancelled": ("#fdebd0", "#b9770e"),
    "skipped": ("#f0f0f0", "#8a8a8a"),
    "not run": ("#ffffff", "#8a8a8a"),
}
"""Fill and line of a box, by what became of it."""
_PLAIN = ("#eef3fb", "#3b5b8c")
_MERMAID_SHAPES = {"tool": ("[[", "]]"), "agent": ("(", ")"), "media": ("[/", "/]"), "datasource": ("[(", ")]")}
_GRAPHVIZ_SHAPES = {"tool": "component", "agent": "box3d", "media": "parallelogram", "datasource": "cylinder"}
_LINE_CHARS = 60
_ONE_AT_A_TIME = threading.Lock()
"""Graphviz keeps its state in globals."""


@dataclass(frozen=True, slots=True)
class Drawing:
    """A picture of an agent.  Notebooks show an SVG or PNG by themselves."""

    format: DrawingFormat
    data: bytes

    @property
    def text(self) -> str:
        """The Mermaid or SVG text.

        Raises:
            ConfigurationError: it is a PNG.
        """
        if self.format == "png":
            raise ConfigurationError("a PNG is no text; use its data, or save it to a file")
        return self.data.decode()

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write it to a file."""
        Path(path).write_bytes(self.data)

    def __str__(self) -> str:
        return self.text if self.format != "png" else f"PNG of {len(self.data)} bytes"

    def _repr_svg_(self) -> str | None:
        return self.text if self.format == "svg" else None

    def _repr_png_(self) -> bytes | None:
        return self.data if self.format == "png" else None


def draw(picture: Picture, format: DrawingFormat) -> Drawing:
    """The picture in a format; blocks while Graphviz draws.

    Raises:
        ConfigurationError: there is no such format.
        MissingExtraError: Graphviz is not installed.
    """
    if format == "mermaid":
        return Drawing(format, mermaid(picture).encode())
    if format not in FORMATS:
        raise ConfigurationError(f"there is no format {format!r} for drawings; use one of: {', '.join(FORMATS)}")
    return Drawing(format, _graphviz(picture, format))


def _lines(box: Box, picture: Picture) -> list[str]:
    """The lines of a box: its title, what it is, its rules, and what became of it."""
    lines = [box.title, *box.lines]
    if picture.run is not None and box.key in picture.run:
        lines.append(picture.run[box.key].line)
    return [line if len(line) <= _LINE_CHARS else line[: _LINE_CHARS - 1] + "…" for line in map(_one_line, lines)]


def _one_line(text: str) -> str:
    return " ".join("".join(char if char.isprintable() else " " for char in text).split())


def _keys(picture: Picture) -> dict[str, str]:
    """Names for the boxes that mean nothing in either language."""
    return {box.key: f"n{number}" for number, box in enumerate(picture.boxes)}


# ------------------------------------------------------------------ Mermaid


def mermaid(picture: Picture) -> str:
    """The picture as a Mermaid flowchart."""
    return "\n".join(_mermaid(picture)) + "\n"


def _mermaid(picture: Picture) -> Iterator[str]:
    keys = _keys(picture)
    yield "flowchart TD"
    yield '    input(["input"])'
    for box in picture.boxes:
        left, right = _MERMAID_SHAPES.get(box.kind, ("[", "]"))
        label = "<br/>".join(map(_escaped, _lines(box, picture)))
        yield f'    {keys[box.key]}{left}"{label}"{right}'
    yield '    output(["output"])'
    for start in picture.starts:
        yield f"    input --> {keys[start]}"
    for start, end in picture.arrows:
        yield f"    {keys[start]} --> {keys[end]}"
    for end in picture.ends:
        yield f"    {keys[end]} --> output"
    for state, (fill, line) in _COLOURS.items():
        members = [keys[name] for name, run in (picture.run or {}).items() if run.state == state and name in keys]
        if members:
            name = state.replace(" ", "_")
            yield f"    classDef {name} fill:{fill},stroke:{line},color:#222222"
            yield f"    class {','.join(members)} {name}"


def _escaped(text: str) -> str:
    """The text with Mermaid's own codes for all that its parser, or the page that it is on, could take for syntax."""
    return "".join(char if char.isalnum() or char in " .,:-_/()=" else f"#{ord(char)};" for char in text)


# ------------------------------------------------------------------ Graphviz


def _graphviz(picture: Picture, format: str) -> bytes:
    pygraphviz = require("pygraphviz", extra="drawing", feature=f"drawing an agent as {format}")
    with _ONE_AT_A_TIME:
        graph = pygraphviz.AGraph(directed=True, strict=True, name="agent", bgcolor="white", rankdir="TB")
        graph.node_attr.update(fontname="Helvetica", fontsize="11", style="filled,rounded", margin="0.15,0.08")
        graph.edge_attr.update(color="#666666", arrowsize="0.7")
        for name in ("input", "output"):
            graph.add_node(name, label=name, shape="plaintext", style="")
        _fill(graph, picture)
        drawn: bytes = graph.draw(format=format, prog="dot")
        graph.close()
    return drawn


def _fill(graph: Any, picture: Picture) -> None:
    keys = _keys(picture)
    for box in picture.boxes:
        state = picture.run[box.key].state if picture.run is not None and box.key in picture.run else None
        fill, line = _PLAIN if state is None else _COLOURS[state]
        shape = _GRAPHVIZ_SHAPES.get(box.kind, "box")
        label = "\n".join(_lines(box, picture)).replace("\\", "\\\\")
        # A label in angle brackets would be read as HTML; the line break at its end keeps it text.
        graph.add_node(keys[box.key], label=f"{label}\n", shape=shape, fillcolor=fill, color=line)
    for start in picture.starts:
        graph.add_edge("input", keys[start])
    for start, end in picture.arrows:
        graph.add_edge(keys[start], keys[end])
    for end in picture.ends:
        graph.add_edge(keys[end], "output")
