"""The steps of two executions: which belong together, what differs of each, and the first at which they part."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from promptrails_engine.comparison.payloads import compare, is_object, kept, same, with_numbered_calls
from promptrails_engine.comparison.records import Difference, Presence, StepDiff, StepFacts
from promptrails_engine.ports.sink import Span

_FACTS = ("kind", "name", "status", "error_code", "skipped", "model")
_SETTINGS = ("temperature", "max_tokens")
_CHILD = "run"
"""The root of a child execution, below the step that started it."""
_ORDER = {
    name: place
    for place, name in enumerate(
        (_CHILD, "input", "router", "prompt", "llm", "retry", "again", "fallback", "tool", "repair")
    )
}
_LAST = {"aggregator": 1, "vote": 2, "output": 3}
_PARTS = {"llm": ("messages", "output"), "tool": ("arguments", "result")}
"""What input and output of a step are called, by its kind."""
_SILENT = frozenset({"agent", "prompt", "tokens", "cost", "cached"})
"""What may differ although the same was said and done."""
_OUTCOMES = frozenset({"status", "error_code", "output"})
"""What a step around others may have got from them."""

Steps = Mapping[str, Span]


def keyed(spans: Iterable[Span], execution_id: str) -> dict[str, Span]:
    """The steps of an execution by key, in the order in which they began, those of its children below the step that
    started them; the second attempt under one key is `key#2`.
    """
    whole = list(spans)
    above = _starters(whole, execution_id)
    places = [(place, span) for span in whole if (place := _path(span, above, execution_id))]
    found: dict[str, Span] = {}
    seen: Counter[str] = Counter()
    for key, span in sorted(places, key=_order):
        seen[key] += 1
        found[key if seen[key] == 1 else f"{key}#{seen[key]}"] = span
    return found


def step_diffs(a: Steps, b: Steps) -> list[StepDiff]:
    """Every step, in the order of the first execution; those only in the second at their place."""
    return [_step(key, a.get(key), b.get(key)) for key in _merged(a, b)]


def first_parting(steps: Sequence[StepDiff], a: Steps, b: Steps, ended: Mapping[Presence, bool]) -> str | None:
    """Key of the first step that is only in one, or said or did something else.

    `ended` says for `a` and `b` whether what is not there will not come any more.
    """
    parted = [step for step in steps if _parts(step, ended)]
    around = {name for run in (a, b) for name in _around([step.key for step in parted], run)}
    for step in parted:
        from_within = step.key in around and {difference.part for difference in step.differences} <= _OUTCOMES
        if step.present != "both" or not from_within:
            return step.key
    return None


def facts(span: Span) -> StepFacts:
    """How the step went."""
    attributes = span.attributes
    version = attributes.get("version")
    return StepFacts(
        kind=span.kind,
        name=span.name,
        status=span.status,
        error_code=span.error_type,
        error=span.error_message,
        model=span.model_name,
        prompt=span.prompt_name,
        prompt_version="" if version is None else str(version),
        token_usage=span.token_usage,
        cost=span.cost,
        duration_ms=span.duration_ms,
        skipped=str(attributes.get("skipped") or ""),
        cached=bool(attributes.get("cached")),
    )


def counted(part: str, a: Mapping[str, Any], b: Mapping[str, Any]) -> Iterator[Difference]:
    """The named values that differ; None is unknown."""
    for name in dict.fromkeys([*a, *b]):
        if not same(a.get(name), b.get(name)):
            yield Difference(part=part, a_path=name, b_path=name, a=a.get(name), b=b.get(name))


# ------------------------------------------------------------------ which steps there are


def _key(span: Span) -> str:
    key = span.attributes.get("key")
    return key if isinstance(key, str) else ""


def _starters(spans: Sequence[Span], execution_id: str) -> dict[str, Span]:
    """The step that started it, for each of the other executions."""
    by_id = {span.span_id: span for span in spans}
    found: dict[str, Span] = {}
    for span in spans:
        mine, parent = span.trace.execution_id, by_id.get(span.parent_span_id)
        if mine != execution_id and parent is not None and parent.trace.execution_id != mine:
            found[mine] = parent
    return found


def _path(span: Span, above: Mapping[str, Span], execution_id: str) -> str:
    """The key below those of the steps that started its execution; "" for the root and what is not of the run."""
    mine = span.trace.execution_id
    path = _key(span) or (_CHILD if mine != execution_id else "")
    for _ in range(len(above) + 1):
        if mine == execution_id:
            return path
        if mine not in above:
            break
        path = f"{_key(above[mine])}/{path}"
        mine = above[mine].trace.execution_id
    return ""


def _order(place: tuple[str, Span]) -> tuple[float, list[tuple[int, str, int]]]:
    # Where a clock is too coarse to tell steps apart, the order in which a run does such things stands in.
    path, span = place
    return span.started_at, [_segment(segment) for segment in path.split("/")]


def _segment(segment: str) -> tuple[int, str, int]:
    name, _, rest = segment.partition("[")
    number = rest.partition("]")[0]
    place = _ORDER.get(name, len(_ORDER) + _LAST.get(name, 0))
    return place, name, int(number) if number.isdecimal() else 0


def _merged(a: Iterable[str], b: Iterable[str]) -> Iterator[str]:
    first, second = dict.fromkeys(a), dict.fromkeys(b)
    behind: dict[str, list[str]] = {}
    common = ""
    for key in second:
        if key in first:
            common = key
        else:
            behind.setdefault(common, []).append(key)
    common = ""
    for key in first:
        if key in second:
            yield from behind.pop(common, ())
            common = key
        yield key
    yield from behind.pop(common, ())


# ------------------------------------------------------------------ where they part


def _parts(step: StepDiff, ended: Mapping[Presence, bool]) -> bool:
    if step.present != "both":
        return ended["b" if step.present == "a" else "a"]
    return any(difference.part not in _SILENT for difference in step.differences)


def _around(keys: Iterable[str], run: Steps) -> set[str]:
    """Keys of the steps in which these are."""
    by_id = {span.span_id: key for key, span in run.items()}
    found: set[str] = set()
    for key in keys:
        span = run.get(key)
        while span is not None and (outer := by_id.get(span.parent_span_id)) is not None and outer not in found:
            found.add(outer)
            span = run[outer]
    return found


# ------------------------------------------------------------------ one step


def _step(key: str, a: Span | None, b: Span | None) -> StepDiff:
    first, second = (None if span is None else facts(span) for span in (a, b))
    if a is None or b is None or first is None or second is None:
        return StepDiff(key=key, present="b" if a is None else "a", a=first, b=second)
    if a is b:
        return StepDiff(key=key, present="both", a=first, b=second)
    found = [
        Difference(part=name, a=getattr(first, name), b=getattr(second, name))
        for name in _FACTS
        if getattr(first, name) != getattr(second, name)
    ]
    if a.kind == b.kind == "llm" and not (first.cached or second.cached):
        found += counted("settings", _settings(a), _settings(b))
    found += counted("agent", *({"version_id": span.attributes.get("agent_version_id")} for span in (a, b)))
    found += _prompts(a, b, first, second)
    undecided: list[str] = []
    for part, payloads in zip(_PARTS.get(a.kind, ("input", "output")), (_inputs(a, b), _outputs(a, b)), strict=True):
        if payloads is None:
            undecided.append(part)
            continue
        differences, is_open = compare(part, *payloads)
        found += differences
        undecided += [part] if is_open else []
    if first.cached != second.cached:
        found.append(Difference(part="cached", a=first.cached, b=second.cached))
    found += counted("tokens", first.token_usage, second.token_usage)
    if first.cost != second.cost:
        found.append(Difference(part="cost", a=first.cost, b=second.cost))
    return StepDiff(key=key, present="both", a=first, b=second, differences=tuple(found), undecided=tuple(undecided))


def _settings(span: Span) -> dict[str, Any]:
    return {name: span.attributes.get(name) for name in _SETTINGS}


def _prompts(a: Span, b: Span, first: StepFacts, second: StepFacts) -> Iterator[Difference]:
    if a.prompt_id != b.prompt_id:
        yield Difference(part="prompt", a_path="id", b_path="id", a=a.prompt_id, b=b.prompt_id)
    if first.prompt_version != second.prompt_version:
        versions = first.prompt_version, second.prompt_version
        yield Difference(part="prompt", a_path="version", b_path="version", a=versions[0], b=versions[1])


def _inputs(a: Span, b: Span) -> tuple[Any, Any] | None:
    if _cached(a) or _cached(b):
        return (None, None) if _cached(a) and _cached(b) else None  # the messages of an answer kept are not on record
    if a.kind == b.kind == "llm":
        return with_numbered_calls(a.input), with_numbered_calls(b.input)
    return _input(a), _input(b)


def _input(span: Span) -> Any:
    # A tool's arguments are on record in full among the attributes, however long they are.
    return span.attributes.get("parameters", span.input) if span.kind == "tool" else span.input


def _outputs(a: Span, b: Span) -> tuple[Any, Any]:
    if a.kind != "llm" or b.kind != "llm":
        return a.output, b.output
    if _cached(a) != _cached(b):
        return _content(a.output), _content(b.output)
    return with_numbered_calls(a.output), with_numbered_calls(b.output)


def _content(output: Any) -> Any:
    """All that the record of a cached answer holds."""
    return {"content": output.get("content")} if is_object(output) and kept(output) is output else output


def _cached(span: Span) -> bool:
    return bool(span.attributes.get("cached"))
