"""What guards do to the texts of a run: each looks, and blocks, takes out, or only records."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast

from promptrails_engine.errors import GuardrailBlockedError
from promptrails_engine.ports.scanner import Finding, Verdict
from promptrails_engine.ports.sink import Span
from promptrails_engine.run.context import RunContext
from promptrails_engine.run.guards import Guard

_MOST_FINDINGS = 100
"""So many places of a text are told in a span."""


async def guarded(ctx: RunContext, parent: Span, guards: Sequence[Guard], data: Any, key: str) -> Any:
    """The data as the guards let it pass, one after the other: each sees what those before it have left.

    Raises:
        GuardrailBlockedError: one of them lets it not pass.
    """
    for index, guard in enumerate(guards):
        data = await ctx.step("guardrail", guard.name, f"{key}[{index}]", parent, _pass, guard, data)
    return data


async def _pass(ctx: RunContext, span: Span, guard: Guard, data: Any) -> Any:
    texts = list(_texts(data))
    meta = guard.scanner.meta
    attributes = span.attributes
    attributes |= {"scanner_type": meta.type, "direction": guard.direction, "action": guard.action, "triggered": False}
    begun = time.perf_counter()
    try:
        verdicts = await ctx.services.scans.scan(guard, [text for _, text in texts])
    except Exception as error:
        # What it says may repeat the text, so only its kind is told.
        attributes["error"] = kind = "timeout" if isinstance(error, TimeoutError) else type(error).__name__
        attributes["triggered"] = guard.blocks_on_error
        if not guard.blocks_on_error:
            return data
        raise _blocked(guard, f"its scanner failed ({kind})", ()) from None
    attributes["elapsed_ms"] = round((time.perf_counter() - begun) * 1000, 3)
    _tell(attributes, [path for path, _ in texts], verdicts)
    if not attributes["triggered"] or guard.action == "log":
        return data
    if guard.blocks:
        raise _blocked(guard, _reason(verdicts), attributes["types"])
    redacted = {path: verdict.redacted for (path, _), verdict in zip(texts, verdicts, strict=True) if verdict.triggered}
    if None in redacted.values():
        raise _blocked(guard, _reason(verdicts), attributes["types"])
    return _replaced(data, cast("dict[str, str]", redacted))


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


def _reason(verdicts: Sequence[Verdict]) -> str:
    reasons = {verdict.reason: None for verdict in verdicts if verdict.triggered and verdict.reason}
    return "; ".join(reasons) or "it found what it looks for"


def _blocked(guard: Guard, why: str, types: Sequence[str]) -> GuardrailBlockedError:
    return GuardrailBlockedError(
        f"the {guard.direction} was blocked by the guard '{guard.name}': {why}",
        details={
            "guard": guard.name,
            "scanner_type": guard.scanner.meta.type,
            "direction": guard.direction,
            "types": list(types),
        },
    )


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
