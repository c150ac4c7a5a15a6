"""One look of a guard: the verdicts of its scanner, and the error that says what it lets not pass."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from promptrails_engine.errors import GuardrailBlockedError
from promptrails_engine.ports.scanner import Verdict
from promptrails_engine.run.context import RunContext
from promptrails_engine.run.guards import Guard


async def let_pass(ctx: RunContext, guard: Guard, text: str, said: int) -> str:
    """The part of an output as a guard lets it pass, of which `said` characters have been heard.

    Raises:
        GuardrailBlockedError: it lets it not pass.
    """
    try:
        [verdict] = await look(ctx, guard, [text])
    except ScanFailedError as failed:
        if not guard.blocks_on_error:
            return text
        raise blocked(guard, failed.message, released=said) from None
    if not verdict.triggered:
        return text
    if guard.blocks or verdict.redacted is None:
        raise blocked(guard, reason_of([verdict]), sorted({one.type for one in verdict.findings}), released=said)
    return verdict.redacted


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


def reason_of(verdicts: Sequence[Verdict]) -> str:
    """Why they trigger, in one sentence."""
    reasons = {verdict.reason: None for verdict in verdicts if verdict.triggered and verdict.reason}
    return "; ".join(reasons) or "it found what it looks for"


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
