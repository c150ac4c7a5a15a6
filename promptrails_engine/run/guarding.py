"""What guards do to the texts of a run: each looks, and blocks, takes out, or only records."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from promptrails_engine.errors import GuardrailBlockedError
from promptrails_engine.ports.scanner import Finding, ReversibleScanner, Verdict
from promptrails_engine.ports.sink import Span
from promptrails_engine.run.context import RunContext
from promptrails_engine.run.guards import Guard
from promptrails_engine.run.json_texts import Reading, Text, texts_in, with_texts

_MOST_FINDINGS = 100
"""So many places of a text are told in a span."""
_ALL_S = 30.0
_NAMED = Reading(names=True)
_DATA = Reading()
_SHORT = 4
"""Characters of a value that is not looked for in what a scanner says: it stands in many words."""


@dataclass(slots=True)
class Allowance:
    """What the guards of one direction may still take."""

    left_s: float

    @classmethod
    def of(cls, ctx: RunContext) -> Allowance:
        return cls(ctx.limits.guards_s or _ALL_S)


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
    reading = replace(reading, judges=guard.judges)
    texts = list(texts_in(data, reading))
    begun = time.perf_counter()
    try:
        verdicts = await verdicts_of(ctx, guard, texts, allowance)
    except ScanFailedError as failed:
        span.attributes |= {"triggered": guard.blocks_on_error, "error": failed.kind}
        if not guard.blocks_on_error:
            return data
        raise blocked(guard, failed.message) from None
    span.attributes["elapsed_ms"] = round((time.perf_counter() - begun) * 1000, 3)
    _tell(span.attributes, texts, verdicts)
    found = {text: verdict for text, verdict in verdicts.items() if verdict.triggered}
    if not found or guard.action == "log":
        return data
    redacted = redactions(found)
    if guard.blocks or len(redacted) < len(found):
        raise blocked(guard, _reason(found), span.attributes["types"])
    return with_texts(data, lambda text: redacted.get(text, text), reading)


async def verdicts_of(ctx: RunContext, guard: Guard, texts: Sequence[Text], allowance: Allowance) -> dict[str, Verdict]:
    """The verdict on each text, in the order in which they first come.

    Raises:
        ScanFailedError: there is none.
    """
    distinct = list(dict.fromkeys(one.text for one in texts))
    verdicts = await _timed(ctx, guard, distinct, allowance)
    return dict(zip(distinct, verdicts, strict=True))


def redactions(found: Mapping[str, Verdict]) -> dict[str, str]:
    """The texts in which something was found, without it, where it can be taken out."""
    return {text: one.redacted for text, one in found.items() if one.triggered and one.redacted is not None}


def restored(labels: Sequence[ReversibleScanner], data: Any) -> Any:
    """The data with what they stand for in place of labels; what has labelled last restores first."""
    for scanner in reversed(labels):
        data = with_texts(data, scanner.restore, _DATA)
    return data


async def let_pass(ctx: RunContext, guard: Guard, text: str, said: int, allowance: Allowance) -> str:
    """The part of an output as a guard lets it pass, of which `said` characters have been heard.

    Raises:
        GuardrailBlockedError: it lets it not pass.
    """
    try:
        [verdict] = await _timed(ctx, guard, [text], allowance)
    except ScanFailedError as failed:
        if not guard.blocks_on_error:
            return text
        raise blocked(guard, failed.message, released=said) from None
    if not verdict.triggered:
        return text
    if guard.blocks or verdict.redacted is None:
        types = sorted({one.type for one in verdict.findings})
        raise blocked(guard, _reason({text: verdict}), types, released=said)
    return verdict.redacted


async def cut_of(ctx: RunContext, guard: Guard, text: str, said: int, allowance: Allowance) -> int:
    """How much of a text that still grows can go to the guard, and on.

    Raises:
        GuardrailBlockedError: its scanner failed.
    """
    begun = ctx.deadlines.now()
    try:
        return await ctx.services.scans.settled(_within(guard, allowance), text) or 0
    except TimeoutError:
        kind = "timeout"
    except Exception as error:
        kind = type(error).__name__
    finally:
        allowance.left_s -= ctx.deadlines.now() - begun
    if not guard.blocks_on_error:
        return 0  # until the end, when all of it is looked at
    raise blocked(guard, ScanFailedError(kind).message, released=said)


class ScanFailedError(Exception):
    """A scanner raised, or took too long.  What it said may repeat the text, so only the kind of its error is told."""

    def __init__(self, kind: str) -> None:
        super().__init__(kind)
        self.kind = kind
        self.message = f"its scanner failed ({kind})"


async def look(ctx: RunContext, guard: Guard, texts: Sequence[str]) -> list[Verdict]:
    """A verdict a text.

    Raises:
        ScanFailedError: there is none.
    """
    try:
        return await ctx.services.scans.scan(guard, texts)
    except TimeoutError:
        raise ScanFailedError("timeout") from None
    except Exception as error:
        raise ScanFailedError(type(error).__name__) from None


async def _timed(ctx: RunContext, guard: Guard, texts: Sequence[str], allowance: Allowance) -> list[Verdict]:
    """The same, within what the guards of the direction may take together."""
    if allowance.left_s <= 0:
        raise ScanFailedError("timeout")
    begun = ctx.deadlines.now()
    try:
        return await look(ctx, _within(guard, allowance), texts)
    finally:
        allowance.left_s -= ctx.deadlines.now() - begun


def _within(guard: Guard, allowance: Allowance) -> Guard:
    return guard if guard.timeout_s <= allowance.left_s else replace(guard, timeout_s=max(allowance.left_s, 0.0))


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


def _reason(verdicts: Mapping[str, Verdict]) -> str:
    reasons = {one.reason: None for text, one in verdicts.items() if one.triggered and _says_nothing_of(text, one)}
    return "; ".join(reasons) or "it found what it looks for"


def _says_nothing_of(text: str, verdict: Verdict) -> bool:
    """Whether there is a reason, in which nothing stands of what was found."""
    values = (text[one.start : one.end] for one in verdict.findings)
    return bool(verdict.reason) and not any(len(value) >= _SHORT and value in verdict.reason for value in values)


def blocked(guard: Guard, why: str, types: Sequence[str] = (), *, released: int | None = None) -> GuardrailBlockedError:
    """The error that says which guard let what not pass; `released`: so many characters have been heard before."""
    heard = f" after {released} characters were heard" if released else ""
    details: dict[str, Any] = {
        "guard": guard.name,
        "scanner_type": guard.scanner.meta.type,
        "direction": guard.direction,
        "types": list(types),
    }
    if released is not None:
        details["released_chars"] = released
    return GuardrailBlockedError(
        f"the {guard.direction} was blocked by the guard '{guard.name}'{heard}: {why}", details=details
    )
