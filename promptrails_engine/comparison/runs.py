"""Two executions as a store has them, compared."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from promptrails_engine.comparison.payloads import differences, is_list, is_object, same
from promptrails_engine.comparison.records import Difference, ExecutionDiff, ExecutionFacts
from promptrails_engine.comparison.steps import counted, first_parting, keyed, step_diffs
from promptrails_engine.ports.sink import Span
from promptrails_engine.ports.store import EXECUTION_TERMINAL, ExecutionRow


@dataclass(frozen=True, slots=True)
class Recorded:
    """One execution with the finished spans of its trace."""

    row: ExecutionRow
    spans: Sequence[Span]


def compare_executions(a: Recorded, b: Recorded) -> ExecutionDiff:
    """What differs between the two."""
    first, second = _facts(a), _facts(b)
    one, other = keyed(a.spans, a.row.id), keyed(b.spans, b.row.id)
    steps = step_diffs(one, other)
    return ExecutionDiff(
        a=first,
        b=second,
        differences=tuple(_differences(a, b, first, second)),
        steps=tuple(steps),
        diverged_at=first_parting(steps, one, other, {"a": first.ended, "b": second.ended}),
    )


def _facts(run: Recorded) -> ExecutionFacts:
    row = run.row
    version = _part(row.version_lock, "agent").get("version")
    return ExecutionFacts(
        id=row.id,
        agent_id=row.agent_id,
        agent_name=next((span.trace.agent_name for span in run.spans if span.trace.execution_id == row.id), ""),
        agent_version="" if version is None else str(version),
        status=row.status,
        ended=row.status in EXECUTION_TERMINAL,
        error_code=row.error_code,
        error=row.error,
        token_usage=dict(row.token_usage),
        cost=row.cost,
        cost_known=row.cost_known,
        duration_ms=row.duration_ms,
        truncated=row.truncated,
    )


def _differences(a: Recorded, b: Recorded, first: ExecutionFacts, second: ExecutionFacts) -> Iterator[Difference]:
    for name in ("status", "error_code"):
        if getattr(first, name) != getattr(second, name):
            yield Difference(part=name, a=getattr(first, name), b=getattr(second, name))
    yield from _versions(a, b)
    yield from differences("input", a.row.input, b.row.input)
    if not (first.ended and second.ended):
        return
    yield from differences("output", a.row.output, b.row.output)
    if first.truncated != second.truncated:
        yield Difference(part="truncated", a=first.truncated, b=second.truncated)
    yield from counted("tokens", first.token_usage, second.token_usage)
    if not _same_cost(first.cost, second.cost) or not _same_cost(first.cost_known, second.cost_known):
        yield Difference(part="cost", a=first.cost, b=second.cost)


def _same_cost(a: float | None, b: float | None) -> bool:
    """Sums of the same prices in another order are the same."""
    return a == b if a is None or b is None else math.isclose(a, b, rel_tol=1e-9)


# ------------------------------------------------------------------ versions


def _versions(a: Recorded, b: Recorded) -> Iterator[Difference]:
    first, second = a.row, b.row
    if first.agent_id != second.agent_id:
        yield Difference(part="agent", a_path="id", b_path="id", a=first.agent_id, b=second.agent_id)
    one, other = (_part(row.version_lock, "agent") for row in (first, second))
    yield from _version("agent", "", one, other)
    names = _prompt_names(a, b)
    before, after = (_prompts(row.version_lock, names) for row in (first, second))
    for name in dict.fromkeys([*before, *after]):
        if name not in before:
            yield Difference(part="prompts", a_path=None, b_path=name, b=after[name].get("version"))
        elif name not in after:
            yield Difference(part="prompts", a_path=name, b_path=None, a=before[name].get("version"))
        else:
            yield from _version("prompts", name, before[name], after[name])
    for part in ("tools", "data_sources", "media"):
        yield from differences(part, _part(first.version_lock, part), _part(second.version_lock, part))


def _version(part: str, path: str, a: Mapping[str, Any], b: Mapping[str, Any]) -> Iterator[Difference]:
    def where(name: str) -> str:
        return f"{path}.{name}" if path else name

    content = "version" if a.get("version") != b.get("version") else "digest"
    for name in (content, "model"):
        if not same(a.get(name), b.get(name)):
            yield Difference(part=part, a_path=where(name), b_path=where(name), a=a.get(name), b=b.get(name))


def _prompts(lock: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Mapping[str, Any]]:
    """The prompts of a version lock by name; one that is used again is `name#2`."""
    found: dict[str, Mapping[str, Any]] = {}
    seen: Counter[str] = Counter()
    entries = lock.get("prompts")
    for entry in entries if is_list(entries) else ():
        if is_object(entry):
            prompt_id = str(entry.get("prompt_id"))
            name = names.get(prompt_id, prompt_id)
            seen[name] += 1
            found[name if seen[name] == 1 else f"{name}#{seen[name]}"] = entry
    return found


def _prompt_names(a: Recorded, b: Recorded) -> dict[str, str]:
    """Names of prompts by id, as far as they are in the traces; an id where two share a name."""
    names: dict[str, str] = {}
    for span in sorted([*a.spans, *b.spans], key=lambda span: span.prompt_name, reverse=True):
        if span.prompt_id and span.prompt_name:
            names[span.prompt_id] = span.prompt_name
    shared = Counter(names.values())
    return {prompt_id: name for prompt_id, name in names.items() if shared[name] == 1}


def _part(lock: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = lock.get(name)
    return value if is_object(value) else {}
