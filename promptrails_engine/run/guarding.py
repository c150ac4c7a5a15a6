"""What guards do to the texts of a run: each looks, and blocks, takes out, or only records."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast

from promptrails_engine.ports.scanner import Finding, ReversibleScanner, Verdict
from promptrails_engine.ports.sink import Span
from promptrails_engine.run.context import RunContext
from promptrails_engine.run.guards import Guard
from promptrails_engine.run.judging import judged
from promptrails_engine.run.looking import ScanFailedError, blocked, look, reason_of

_MOST_FINDINGS = 100
"""So many places of a text are told in a span."""


async def guarded(ctx: RunContext, parent: Span, guards: Sequence[Guard], data: Any, key: str, first: int = 0) -> Any:
    """The data as the guards let it pass, one after the other: each sees what those before it have left.

    They are counted from `first` on.

    Raises:
        GuardrailBlockedError: one of them lets it not pass.
    """
    for index, guard in enumerate(guards, first):
        data = await ctx.step("guardrail", guard.name, f"{key}[{index}]", parent, _pass, guard, data)
    return data


async def _pass(ctx: RunContext, span: Span, guard: Guard, data: Any) -> Any:
    meta = guard.scanner.meta
    span.attributes |= {"scanner_type": meta.type, "direction": guard.direction, "action": guard.action}
    texts = list(_texts(data))
    begun = time.perf_counter()
    try:
        verdicts = await look(ctx, guard, [text for _, text in texts])
        if guard.judge is not None:
            verdicts = await judged(ctx, span, guard, guard.judge, [text for _, text in texts], verdicts)
    except ScanFailedError as failed:
        span.attributes |= {"triggered": guard.blocks_on_error, "error": failed.kind}
        if not guard.blocks_on_error:
            return data
        raise blocked(guard, failed.message) from None
    span.attributes["elapsed_ms"] = round((time.perf_counter() - begun) * 1000, 3)
    _tell(span.attributes, [path for path, _ in texts], verdicts)
    found = {path: verdict for (path, _), verdict in zip(texts, verdicts, strict=True) if verdict.triggered}
    if not found or guard.action == "log":
        return data
    redacted = {path: verdict.redacted for path, verdict in found.items() if verdict.redacted is not None}
    if guard.blocks or len(redacted) < len(found):
        raise blocked(guard, reason_of(verdicts), span.attributes["types"])
    return _replaced(data, redacted)


def restored(labels: Sequence[ReversibleScanner], data: Any) -> Any:
    """The data with what they stand for in place of labels; what has labelled last restores first."""
    for scanner in reversed(labels):
        data = _replaced(data, {path: scanner.restore(text) for path, text in _texts(data)})
    return data


def _tell(attributes: dict[str, Any], paths: Sequence[str], verdicts: Sequence[Verdict]) -> None:
    """Put the verdicts into a span: what was found and where, never what it was."""
    attributes["triggered"] = any(verdict.triggered for verdict in verdicts)
    attributes["score"] = max((verdict.score for verdict in verdicts), default=0.0)
    found = [(path, one) for path, verdict in zip(paths, verdicts, strict=True) for one in verdict.findings]
    types = {one.type for _, one in found} | {
        label for verdict in verdicts if verdict.triggered for label, score in verdict.labels.items() if score >= 0.5
    }
    attributes["types"] = sorted(types)
    attributes["findings"] = [_told(path, one) for path, one in found[:_MOST_FINDINGS]]
    if any(verdict.truncated for verdict in verdicts):
        attributes["truncated"] = True
    engines = sorted({verdict.engine for verdict in verdicts})
    if engines and engines != ["builtin"]:
        attributes["engine"] = ", ".join(engines)


def _told(path: str, finding: Finding) -> dict[str, Any]:
    return {"path": path, "type": finding.type, "start": finding.start, "end": finding.end, "score": finding.score}


# ------------------------------------------------------------------ texts in JSON data


def _texts(data: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Every text in JSON data, with where it stands as a JSON pointer."""
    if isinstance(data, str):
        yield path, data
    elif isinstance(data, Mapping):
        for key, value in cast("Mapping[str, Any]", data).items():
            if key == "type" and value == "text" and "content" in data:
                continue  # how an output says that it is a text
            yield from _texts(value, f"{path}/{_escaped(key)}")
    elif isinstance(data, (list, tuple)):
        for index, value in enumerate(cast("Sequence[Any]", data)):
            yield from _texts(value, f"{path}/{index}")


def _replaced(data: Any, texts: Mapping[str, str], path: str = "") -> Any:
    """The data with other texts where the pointers lead."""
    if isinstance(data, str):
        return texts.get(path, data)
    if isinstance(data, Mapping):
        items = cast("Mapping[str, Any]", data).items()
        return {key: _replaced(value, texts, f"{path}/{_escaped(key)}") for key, value in items}
    if isinstance(data, (list, tuple)):
        values = cast("Sequence[Any]", data)
        return [_replaced(value, texts, f"{path}/{index}") for index, value in enumerate(values)]
    return data


def _escaped(key: str) -> str:
    return key.replace("~", "~0").replace("/", "~1")
