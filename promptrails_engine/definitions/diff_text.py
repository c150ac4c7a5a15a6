"""Differences between two templates: by line, inside a line by word, and by the variables that they use."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import cast

from jinja2 import Environment, TemplateError, meta

from promptrails_engine.definitions.changes import Change, ChangeKind, LineHunk, WordEdit, WordOp, split_lines

# difflib's search for the best match takes time by the product of both lengths.  Past the first bound it skips what
# occurs often; past the second, what differs is one hunk.
_EXACT = 4_000_000
_SEARCHED = 100_000_000
_TOKENS = re.compile(r"\{\{|\}\}|\{%|%\}|\w+|\s+|.", re.DOTALL)
_PARSER = Environment(autoescape=False)  # only ever parses: nothing is rendered here


def diff_template(message: str, old: str, new: str) -> Iterator[Change]:
    """The change of one message's template, if there is one."""
    if old == new:
        return
    kind: ChangeKind = "changed" if old and new else ("added" if new else "removed")
    hunks = tuple(line_hunks(old, new))
    gone, come = sum(len(hunk.old_lines) for hunk in hunks), sum(len(hunk.new_lines) for hunk in hunks)
    yield Change(
        part="template",
        path=message,
        kind=kind,
        old=old or None,
        new=new or None,
        breaking=False,
        summary=f"{message} {kind}: {gone} line{'' if gone == 1 else 's'} out, {come} in",
        hunks=hunks,
    )


def line_hunks(old: str, new: str) -> Iterator[LineHunk]:
    """The hunks that turn the one text into the other, in order."""
    before, after = split_lines(old), split_lines(new)
    for tag, i1, i2, j1, j2 in opcodes(before, after):
        if tag == "equal":
            continue
        out, into = tuple(before[i1:i2]), tuple(after[j1:j2])
        words = tuple(tuple(word_edits(a, b)) for a, b in zip(out, into, strict=False))
        yield LineHunk(old_start=i1 + 1, new_start=j1 + 1, old_lines=out, new_lines=into, words=words)


def word_edits(old: str, new: str) -> Iterator[WordEdit]:
    """The edits that turn the one line into the other; `equal` and `removed` of them make up the old line."""
    before, after = cast("list[str]", _TOKENS.findall(old)), cast("list[str]", _TOKENS.findall(new))
    for tag, i1, i2, j1, j2 in opcodes(before, after):
        pieces: list[tuple[WordOp, str]]
        if tag == "equal":
            pieces = [("equal", "".join(before[i1:i2]))]
        else:
            pieces = [("removed", "".join(before[i1:i2])), ("added", "".join(after[j1:j2]))]
        yield from (WordEdit(op, text) for op, text in pieces if text)


def opcodes(old: Sequence[str], new: Sequence[str]) -> Iterator[tuple[str, int, int, int, int]]:
    """difflib's opcodes that turn the one sequence into the other; quick where both begin and end alike."""
    shorter = min(len(old), len(new))
    head = next((i for i in range(shorter) if old[i] != new[i]), shorter)
    tail = next((i for i in range(shorter - head) if old[-1 - i] != new[-1 - i]), shorter - head)
    i_end, j_end = len(old) - tail, len(new) - tail
    if head:
        yield "equal", 0, head, 0, head
    area = (i_end - head) * (j_end - head)
    if area > _SEARCHED:
        yield "replace", head, i_end, head, j_end
    else:
        matcher = difflib.SequenceMatcher(None, old[head:i_end], new[head:j_end], autojunk=area > _EXACT)
        for tag, i1, i2, j1, j2 in matcher.get_opcodes():
            yield tag, i1 + head, i2 + head, j1 + head, j2 + head
    if tail:
        yield "equal", i_end, len(old), j_end, len(new)


def variables(templates: Iterable[str]) -> frozenset[str] | None:
    """Names that the templates look up in their context; None where one of them does not compile."""
    found: set[str] = set()
    for template in templates:
        try:
            found |= meta.find_undeclared_variables(_PARSER.parse(template))
        except (TemplateError, RecursionError):
            return None
    return frozenset(found)


def diff_variables(old: frozenset[str] | None, new: frozenset[str] | None, needed: frozenset[str]) -> Iterator[Change]:
    """Variables that the templates began or ceased to use; `needed` are those that an old input may fail to bring."""
    if old is None or new is None:
        return
    for name in sorted(new - old):
        lack = name in needed
        summary = f"{name} is used now{', and an input without it is an error' if lack else ''}"
        yield Change("variables", name, "added", None, name, lack, summary)
    for name in sorted(old - new):
        yield Change("variables", name, "removed", name, None, False, f"{name} is no longer used")
