"""The text form of a comparison."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby, zip_longest
from typing import TYPE_CHECKING, Any

from promptrails_engine.definitions.changes import ChangeKind, LineHunk, WordEdit, WordOp, brief

if TYPE_CHECKING:
    from promptrails_engine.comparison.records import Difference, ExecutionDiff, ExecutionFacts, StepDiff

_SIGNS: dict[ChangeKind, str] = {"added": "+", "removed": "-", "changed": "~"}
_SHOWN_LINES = 20
_SHOWN_PLACES = 20
_KEPT_AROUND = 24
_LINE_CHARS = 400


def lines_of(diff: ExecutionDiff) -> Iterator[str]:
    """The comparison, line by line."""
    yield f"execution {diff.a.id} -> {diff.b.id}: {_summary(diff)}"
    yield from _run("a", diff.a)
    yield from _run("b", diff.b)
    if diff.differences:
        yield ""
        yield "as a whole"
        yield from _differences(diff.differences, "  ")
    if diff.steps:
        yield ""
        yield "steps"
        yield from _steps(diff)


def _summary(diff: ExecutionDiff) -> str:
    if diff.diverged_at is not None:
        return f"they part at {diff.diverged_at}"
    if not diff.is_empty:
        return "no step does anything else"
    return "no differences but times" if diff.a.id != diff.b.id else "the same execution"


def _run(side: str, run: ExecutionFacts) -> Iterator[str]:
    agent = f"{run.agent_name or run.agent_id} {run.agent_version}".strip()
    status = f"{run.status} [{run.error_code}]" if run.error_code else run.status
    words = [side, agent or "(no agent)", status]
    if run.ended:
        words += [_milliseconds(run.duration_ms), f"{run.token_usage.get('total_tokens', 0)} tokens", _cost(run.cost)]
    else:
        words.append("it has not ended: output and totals are not compared, and more steps may come")
    yield "  " + "  ".join(words)
    if run.error:
        yield f"     {brief(run.error)}"


def _steps(diff: ExecutionDiff) -> Iterator[str]:
    equal = 0
    for step in diff.steps:
        if step.is_same and not step.undecided:
            equal += 1
            continue
        yield from _equal(equal)
        equal = 0
        yield from _step(step, here=step.key == diff.diverged_at)
    yield from _equal(equal)


def _equal(count: int) -> Iterator[str]:
    if count:
        yield f"  = {count} step{'' if count == 1 else 's'} with no difference"


def _step(step: StepDiff, *, here: bool) -> Iterator[str]:
    sign = {"a": "-", "b": "+", "both": "=" if step.is_same else "~"}[step.present]
    one, other = step.a or step.b, step.b or step.a
    if one is None or other is None:
        return
    name = f"{one.kind} {one.name}".strip()
    times = _milliseconds(one.duration_ms)
    if step.present == "both":
        times += f" -> {_milliseconds(other.duration_ms)}"
        status = ""
    else:
        status = f"  {one.status}" + (f" [{one.error_code}]" if one.error_code else "") + f", only in {step.present}"
    yield f"  {sign} {step.key}  {name}  {times}{status}{'  <- here they part' if here else ''}"
    yield from _differences(step.differences, "      ")
    for side, each in (("a", step.a), ("b", step.b)):
        if each is not None and each.error and not (step.a and step.b and step.a.error == step.b.error):
            yield f"      error of {side}: {brief(each.error)}"
    for part in step.undecided:
        yield f"      ? {part}: not on record in full; the same as far as it is"


def _differences(differences: Sequence[Difference], indent: str) -> Iterator[str]:
    for part, group in groupby(differences, key=lambda difference: difference.part):
        found = list(group)
        for difference in found[:_SHOWN_PLACES]:
            yield from _difference(difference, indent)
        if len(found) > _SHOWN_PLACES:
            yield f"{indent}~ {part}: {len(found) - _SHOWN_PLACES} more differences"


def _difference(difference: Difference, indent: str) -> Iterator[str]:
    name = _name(difference) + (" (cut: only beginnings are on record)" if difference.cut else "")
    sign = _SIGNS[difference.change]
    if difference.hunks:
        yield f"{indent}{sign} {name}:"
        yield from _hunks(difference.hunks, indent + "    ")
    elif difference.change == "added":
        yield f"{indent}{sign} {name}: {_value(difference, difference.b)}"
    elif difference.change == "removed":
        yield f"{indent}{sign} {name}: {_value(difference, difference.a)}"
    else:
        values = " -> ".join(_value(difference, value) for value in (difference.a, difference.b))
        yield f"{indent}{sign} {name}: {values}"


def _name(difference: Difference) -> str:
    path = difference.path
    name = f"{difference.part}{path}" if path.startswith("[") else f"{difference.part} {path}".strip()
    moved = None not in (difference.a_path, difference.b_path) and difference.a_path != difference.b_path
    return f"{name} (b: {difference.b_path})" if moved else name


def _value(difference: Difference, value: Any) -> str:
    if difference.part == "cost":
        return _cost(value)
    return "unknown" if value is None and difference.part == "tokens" else brief(value)


def _hunks(hunks: Sequence[LineHunk], indent: str) -> Iterator[str]:
    lines = [line for hunk in hunks for line in _hunk(hunk)]
    yield from (indent + line for line in lines[:_SHOWN_LINES])
    if len(lines) > _SHOWN_LINES:
        yield f"{indent}... and {len(lines) - _SHOWN_LINES} more lines"


def _hunk(hunk: LineHunk) -> Iterator[str]:
    pairs = list(zip_longest(hunk.old_lines, hunk.new_lines))
    told = [(n, old, new) for n, (old, new) in enumerate(pairs) if _bare(old) != _bare(new)]
    for n, old, _ in told:
        if old is not None:
            yield f"- {_line(old, hunk.words[n : n + 1], 'added')}"
    for n, _, new in told:
        if new is not None:
            yield f"+ {_line(new, hunk.words[n : n + 1], 'removed')}"
    if not told:
        yield "~ line feed at the end"


def _bare(line: str | None) -> str | None:
    return None if line is None else line.removesuffix("\n")


def _line(line: str, words: Sequence[Sequence[WordEdit]], other: WordOp) -> str:
    """The line; of a long one the beginning and the end of what changed, and of what stands between the changes."""
    bare = line.removesuffix("\n")
    if len(bare) <= 3 * _KEPT_AROUND:
        return bare
    pieces = [edit.text for edits in words for edit in edits if edit.op != other] or [line]
    text = "".join(map(_shortened, pieces)).removesuffix("\n")
    return text if len(text) <= _LINE_CHARS else f"{text[:_LINE_CHARS]} ..."


def _shortened(text: str) -> str:
    return text if len(text) <= 3 * _KEPT_AROUND else f"{text[:_KEPT_AROUND]} ... {text[-_KEPT_AROUND:]}"


def _milliseconds(duration_ms: int | None) -> str:
    return "? ms" if duration_ms is None else f"{duration_ms} ms"


def _cost(cost: float | None) -> str:
    return "unknown cost" if cost is None else f"{cost:.9f}".rstrip("0").rstrip(".") + " USD"
