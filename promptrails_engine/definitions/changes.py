"""What a diff of two versions consists of: changes, as data and as text."""

from __future__ import annotations

import difflib
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from typing import Any, Literal

from promptrails_engine.definitions.digest import canonical_json

Part = Literal["template", "variables", "input_schema", "output_schema", "parameters", "links", "tools", "guardrails"]
ChangeKind = Literal["added", "removed", "changed"]
WordOp = Literal["equal", "removed", "added"]

_SIGNS: dict[ChangeKind, str] = {"added": "+", "removed": "-", "changed": "~"}
_VALUE_CHARS = 80


@dataclass(frozen=True, slots=True)
class WordEdit:
    """A run of text inside a changed line."""

    op: WordOp
    text: str


@dataclass(frozen=True, slots=True)
class LineHunk:
    """Neighbouring lines that were replaced, added or removed.

    Attributes:
        old_start: number of the first old line, from 1; where lines were only added, the line that they come before.
        new_start: the same in the new text.
        old_lines: the lines taken out, with their line ends.
        new_lines: the lines put in, with their line ends.
        words: for each old line that has a successor among the new ones, what changed inside it.
    """

    old_start: int
    new_start: int
    old_lines: tuple[str, ...]
    new_lines: tuple[str, ...]
    words: tuple[tuple[WordEdit, ...], ...] = ()


@dataclass(frozen=True, slots=True)
class Change:
    """One difference.

    Attributes:
        part: the part of the version.
        path: the place in it: a message, a variable, a property path such as `address.lines[]`, a field name; "" is
            the whole part.
        kind: added, removed or changed.
        old: the value before, None where there was none.
        new: the value after, None where there is none.
        breaking: a caller that was right with the old version can be wrong with the new one.
        summary: one line for people.
        aspect: which rule of a property changed, by its JSON Schema keyword; "" where the whole item did.
        hunks: lines and words of a changed template.
    """

    part: Part
    path: str
    kind: ChangeKind
    old: Any
    new: Any
    breaking: bool
    summary: str
    aspect: str = ""
    hunks: tuple[LineHunk, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """JSON data; `hunks` only where there are some."""
        data = asdict(self)
        if not self.hunks:
            del data["hunks"]
        return data


@dataclass(frozen=True, slots=True)
class VersionDiff:
    """The differences between two versions; `str()` of it is a plain text for people.

    Attributes:
        kind: what the versions are of.
        old_version: label of the older one.
        new_version: label of the newer one.
        changes: in the order template, variables, input schema, output schema, parameters, links, tools.
    """

    kind: Literal["prompt", "agent"]
    old_version: str
    new_version: str
    changes: tuple[Change, ...] = ()

    @property
    def is_empty(self) -> bool:
        """Whether the contents are the same."""
        return not self.changes

    @property
    def breaking(self) -> bool:
        """Whether any change is breaking."""
        return any(change.breaking for change in self.changes)

    def to_dict(self) -> dict[str, Any]:
        """JSON data."""
        return {
            "kind": self.kind,
            "old_version": self.old_version,
            "new_version": self.new_version,
            "breaking": self.breaking,
            "changes": [change.to_dict() for change in self.changes],
        }

    def __str__(self) -> str:
        return "\n".join(visible(line) for line in self._lines())

    def _lines(self) -> Iterator[str]:
        head = f"{self.kind} version {self.old_version or '(unnamed)'} -> {self.new_version or '(unnamed)'}"
        if not self.changes:
            yield f"{head}: no changes"
            return
        count = len(self.changes)
        broken = sum(change.breaking for change in self.changes)
        yield f"{head}: {count} change{'s' if count > 1 else ''}{f', {broken} breaking' if broken else ''}"
        part = ""
        for change in self.changes:
            if change.part != part:
                part = change.part
                yield ""
                yield part.replace("_", " ")
            yield f"  {_SIGNS[change.kind]} {change.summary}{'  [breaking]' if change.breaking else ''}"
            if change.part == "template":
                yield from _unified(change, self.old_version, self.new_version)


def _unified(change: Change, old_version: str, new_version: str) -> Iterator[str]:
    old, new = split_lines(change.old or ""), split_lines(change.new or "")
    names = f"{change.path} {old_version}".rstrip(), f"{change.path} {new_version}".rstrip()
    for line in difflib.unified_diff(old, new, *names):
        yield line.removesuffix("\n")
        if not line.endswith("\n"):
            yield "\\ no newline at the end"


def split_lines(text: str) -> list[str]:
    """The lines of a text with their ends; only a line feed ends a line."""
    lines = text.split("\n")
    return [f"{line}\n" for line in lines[:-1]] + ([lines[-1]] if lines[-1] else [])


def visible(text: str) -> str:
    """The text with control and invisible characters written as escapes: a reviewer sees what the model sees."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(char if char in "\t\u200d" or not _hidden(char) else _escape(char) for char in text)


def _hidden(char: str) -> bool:
    return unicodedata.category(char) in {"Cc", "Cf", "Zl", "Zp", "Cs", "Co", "Cn"}


def _escape(char: str) -> str:
    return char.encode("unicode_escape", "surrogatepass").decode("ascii")


def brief(value: Any) -> str:
    """A value as JSON in one line, cut to a readable length."""
    try:
        text = canonical_json(value)
    except (TypeError, ValueError):
        text = repr(value)
    return text if len(text) <= _VALUE_CHARS else f"{text[: _VALUE_CHARS - 3]}..."


def names(items: Iterable[str]) -> str:
    """Names in quotes, joined by commas."""
    return ", ".join(f"'{item}'" for item in items)
