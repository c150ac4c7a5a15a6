"""What guards do to the texts of a run: each looks, and blocks, takes out, or only records."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from promptrails_engine.ports.scanner import Finding, ReversibleScanner, Verdict
from promptrails_engine.ports.sink import Span
from promptrails_engine.run.context import RunContext
from promptrails_engine.run.guards import Guard
from promptrails_engine.run.json_texts import Reading, Text, texts_in, with_texts
from promptrails_engine.run.judging import judged
from promptrails_engine.run.looking import Allowance, ScanFailedError, blocked, look_in_time, reason_of

_MOST_FINDINGS = 100
"""So many places of a text are told in a span."""
_NAMED = Reading(names=True)
_DATA = Reading()


async def guarded(
    ctx: RunContext,
    parent: Span,
    guards: Sequence[Guard],
    data: Any,
    key: str,
    reading: Reading = _DATA,
    keep: Callable[[Guard, Any], None] | None = None,
) -> Any:
    """The data as the guards let it pass, one after the other: each sees what those before it have left.

    `keep` is told after each what it has left.

    Raises:
        GuardrailBlockedError: one of them lets it not pass.
    """
    allowance = Allowance.of(ctx)
    for index, guard in enumerate(guards):
        place = f"{key}[{index}]"
        if guard.sample < 1 and not _in_sample(f"{ctx.row.id}/{place}", guard.sample):
            continue
        data = await ctx.step("guardrail", guard.name, place, parent, _pass, guard, data, reading, allowance)
        if keep is not None:
            keep(guard, data)
    return data


async def guarded_values(
    ctx: RunContext,
    parent: Span,
    guards: Sequence[Guard],
    data: Any,
    key: str,
    keep: Callable[[Guard, Any], None] | None = None,
) -> Any:
    """The same of an input or output, whose first keys are names that definitions give.

    Raises:
        GuardrailBlockedError: one of them lets it not pass.
    """
    return await guarded(ctx, parent, guards, data, key, _NAMED, keep)


def _in_sample(look: str, part: float) -> bool:
    """Whether a look is one of the sample: the same wherever the run goes on."""
    return int.from_bytes(hashlib.sha256(look.encode()).digest()[:8]) < part * 2**64


async def _pass(ctx: RunContext, span: Span, guard: Guard, data: Any, reading: Reading, allowance: Allowance) -> Any:
    meta = guard.scanner.meta
    span.attributes |= {"scanner_type": meta.type, "direction": guard.direction, "action": guard.action}
    reading = replace(reading, judges=guard.judges or guard.judge is not None)
    texts = list(texts_in(data, reading))
    distinct = list(dict.fromkeys(one.text for one in texts))
    begun = time.perf_counter()
    try:
        looks = await look_in_time(ctx, guard, distinct, allowance)
        if guard.judge is not None:
            looks = await judged(ctx, span, guard, guard.judge, distinct, looks)
    except ScanFailedError as failed:
        span.attributes |= {"triggered": guard.blocks_on_error, "error": failed.kind}
        if not guard.blocks_on_error:
            return data
        raise blocked(guard, failed.message) from None
    verdicts = dict(zip(distinct, looks, strict=True))
    span.attributes["elapsed_ms"] = round((time.perf_counter() - begun) * 1000, 3)
    _tell(span.attributes, texts, verdicts)
    found = {text: verdict for text, verdict in verdicts.items() if verdict.triggered}
    if not found or guard.action == "log":
        return data
    redacted = redactions(found)
    if guard.blocks or len(redacted) < len(found):
        raise blocked(guard, reason_of(found), span.attributes["types"])
    return with_texts(data, lambda text: redacted.get(text, text), reading)


def redactions(found: Mapping[str, Verdict]) -> dict[str, str]:
    """The texts in which something was found, without it, where it can be taken out."""
    return {text: one.redacted for text, one in found.items() if one.triggered and one.redacted is not None}


def restored(labels: Sequence[ReversibleScanner], data: Any) -> Any:
    """The data with what they stand for in place of labels; what has labelled last restores first."""
    for scanner in reversed(labels):
        data = with_texts(data, scanner.restore, _DATA)
    return data


def _tell(attributes: dict[str, Any], texts: Sequence[Text], verdicts: Mapping[str, Verdict]) -> None:
    """Put the verdicts into a span: what was found and where, never what it was."""
    attributes["triggered"] = any(verdict.triggered for verdict in verdicts.values())
    attributes["score"] = max((verdict.score for verdict in verdicts.values()), default=0.0)
    types = {one.type for verdict in verdicts.values() for one in verdict.findings} | {
        label for one in verdicts.values() if one.triggered for label, score in one.labels.items() if score >= 0.5
    }
    attributes["types"] = sorted(types)
    hidden = {text: verdict for text, verdict in verdicts.items() if verdict.triggered or verdict.findings}
    found = [(text, one) for text in texts for one in verdicts[text.text].findings]
    attributes["findings"] = [_told(text, one, hidden) for text, one in found[:_MOST_FINDINGS]]
    if any(verdict.truncated for verdict in verdicts.values()):
        attributes["truncated"] = True
    engines = sorted({verdict.engine for verdict in verdicts.values()})
    if engines and engines != ["builtin"]:
        attributes["engine"] = ", ".join(engines)


def _told(text: Text, finding: Finding, hidden: Mapping[str, Any]) -> dict[str, Any]:
    told: dict[str, Any] = {
        "path": text.pointer(hidden),
        "type": finding.type,
        "start": finding.start,
        "end": finding.end,
        "score": finding.score,
    }
    return {**told, "in_key": True} if text.is_key else told
