"""One look of a guard: the verdicts of its scanner in time, and the error that says what it lets not pass."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from promptrails_engine.errors import GuardrailBlockedError
from promptrails_engine.ports.scanner import Verdict
from promptrails_engine.run.context import RunContext
from promptrails_engine.run.guards import Guard

_ALL_S = 30.0
_SHORT = 4
"""Characters of a value that is not looked for in what a scanner says: it stands in many words."""


@dataclass(slots=True)
class Allowance:
    """What the guards of one direction may still take."""

    left_s: float

    @classmethod
    def of(cls, ctx: RunContext) -> Allowance:
        return cls(ctx.limits.guards_s or _ALL_S)


async def let_pass(ctx: RunContext, guard: Guard, text: str, said: int, allowance: Allowance) -> str:
    """The part of an output as a guard lets it pass, of which `said` characters have been heard.

    Raises:
        GuardrailBlockedError: it lets it not pass.
    """
    try:
        [verdict] = await look_in_time(ctx, guard, [text], allowance)
    except ScanFailedError as failed:
        if not guard.blocks_on_error:
            return text
        raise blocked(guard, failed.message, released=said) from None
    if not verdict.triggered:
        return text
    if guard.blocks or verdict.redacted is None:
        types = sorted({one.type for one in verdict.findings})
        raise blocked(guard, reason_of({text: verdict}), types, released=said)
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


async def look_in_time(ctx: RunContext, guard: Guard, texts: Sequence[str], allowance: Allowance) -> list[Verdict]:
    """The same, within what the guards of the direction may take together.

    Raises:
        ScanFailedError: there is no verdict, or no time left for one.
    """
    if allowance.left_s <= 0:
        raise ScanFailedError("timeout")
    begun = ctx.deadlines.now()
    try:
        return await look(ctx, _within(guard, allowance), texts)
    finally:
        allowance.left_s -= ctx.deadlines.now() - begun


def _within(guard: Guard, allowance: Allowance) -> Guard:
    return guard if guard.timeout_s <= allowance.left_s else replace(guard, timeout_s=max(allowance.left_s, 0.0))


def reason_of(verdicts: Mapping[str, Verdict]) -> str:
    """Why they trigger, in one sentence that holds nothing of the texts."""
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
