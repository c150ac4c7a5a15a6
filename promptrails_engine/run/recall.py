"""Outcomes of steps as JSON data of the journal, and back: what they cost counts again where a run goes on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NoReturn

from promptrails_engine.errors import (
    FencedError,
    JournalError,
    PromptRailsError,
    RunCancelledError,
    RunError,
    RunTimeoutError,
)
from promptrails_engine.events import TokenUsage
from promptrails_engine.ports.sink import Span
from promptrails_engine.run.context import RunContext
from promptrails_engine.run.fold import ModelReply
from promptrails_engine.run.response_cache import dump_reply, load_reply

STOPPERS = (RunCancelledError, RunTimeoutError, FencedError, JournalError)
"""Errors that end a run from outside: they are no outcome of the step that they hit."""

Spent = tuple[TokenUsage | None, float | None]
"""Tokens and USD of one attempt at a model; None where unknown."""


Answered = tuple[ModelReply, Sequence[Spent], int]
"""A reply, what the attempts before it have used, and the number of the last event when it was there: what came up to
then holds."""
FailedCall = tuple[PromptRailsError, Sequence[Spent]]
"""An error, and what the attempts have used."""


def spent(ctx: RunContext, mark: int, key: str) -> list[Spent]:
    """What the attempts of the call with this key have used, whose spans come after the first `mark` ones."""
    made = [span for span in ctx.spans[mark:] if span.kind == "llm" and span.attributes["key"].startswith(key)]
    return [
        (
            TokenUsage(span.prompt_tokens, span.completion_tokens, span.total_tokens) if span.token_usage else None,
            span.cost,
        )
        for span in made
        if span.status == "ok" or span.token_usage or span.completion_start_time is not None
    ]


def dump_answer(answered: Answered) -> dict[str, Any]:
    reply, lost, seq = answered
    data = dump_reply(reply)
    data["model"] = reply.model_name
    data["seq"] = seq
    data["spent"] = _dump_spent([*lost, (reply.usage, reply.cost)])
    return data


def dump_failure(failed: FailedCall) -> dict[str, Any]:
    error, lost = failed
    return {**error_data(error), "spent": _dump_spent(lost)}


def error_data(error: PromptRailsError) -> dict[str, Any]:
    """An error as JSON data."""
    return {"error": {"code": error.code, "message": error.message}}


def raise_recorded(record: dict[str, Any]) -> None:
    """Raise the error that a step came to, if it was one."""
    error = record.get("error")
    if isinstance(error, dict):
        raise_error(error)


def raise_error(error: Any) -> NoReturn:
    raise RunError(str(error.get("message", "")), code=str(error.get("code", "run_error")))


def recall_reply(ctx: RunContext, record: dict[str, Any]) -> ModelReply:
    """The reply that is on record; its tokens and cost are counted.

    Raises:
        RunError: the call had failed.
    """
    count_spent(ctx, record)
    raise_recorded(record)
    return load_reply(record, record.get("model", ""))


def retell(ctx: RunContext, parent: Span, key: str) -> bool:
    """Show the calls with this key that were taken over from another run: what was said, and that it cost nothing.

    Whether there are any.
    """
    if ctx.past is None or key not in ctx.past.told:
        return False
    for was in ctx.past.told[key]:
        opened = ctx.open_span(was.kind, was.name, was.attributes["key"], parent)
        span = replace(
            was,
            trace=opened.trace,
            span_id=opened.span_id,
            parent_span_id=opened.parent_span_id,
            started_at=opened.started_at,
            attributes={**was.attributes, "recalled": True},
            prompt_tokens=None,
            completion_tokens=None,
            total_tokens=None,
            cost=None if was.cost is None else 0.0,
            completion_start_time=None,
        )
        ctx.close_span(span)
    return True


def count_spent(ctx: RunContext, record: dict[str, Any]) -> None:
    """Count what the attempts, or the job, of a record have used."""
    spent: list[Any] = [[None, record["cost"]]] if "cost" in record else record.get("spent", [])
    for usage, cost in spent:
        count_again(ctx, None if usage is None else TokenUsage.from_dict(usage), cost)


def count_again(ctx: RunContext, usage: TokenUsage | None, cost: float | None) -> None:
    """Count what was used before the run was interrupted."""
    ctx.count(usage, cost)
    if ctx.budget is not None:
        ctx.budget.charge(usage, cost)


def _dump_spent(attempts: Sequence[Spent]) -> list[Any]:
    return [[None if usage is None else usage.to_dict(), cost] for usage, cost in attempts]
