"""What became of steps side by side as a whole: a run that goes on begins nothing again that it had done without."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from promptrails_engine.errors import PromptRailsError
from promptrails_engine.run.children import count_child
from promptrails_engine.run.context import RunContext
from promptrails_engine.run.recall import STOPPERS, count_spent, error_data, raise_recorded

_VERDICT = "/verdict"


def note_borne(ctx: RunContext, key: str, error: PromptRailsError) -> None:
    """Keep that the step with this key has failed, and that the run goes on."""
    if not isinstance(error, STOPPERS):
        verdict = {**error_data(error), "cost_unknown": ctx.cost_unknown}
        ctx.journal.note(key + _VERDICT, "verdict", "idempotent", verdict)


def raise_borne(ctx: RunContext, key: str) -> None:
    """Raise what the step with this key had failed with, if it had; what is below it counts, and is left alone."""
    record = ctx.journal.recorded(key + _VERDICT)
    if record is not None:
        _count_below(ctx, key, unknown=record["cost_unknown"])
        raise_recorded(record)


def note_needed(ctx: RunContext, key: str, roles: Collection[str], of: int) -> None:
    """Keep which branches there had to be, where some were stopped."""
    if len(roles) < of:
        ctx.journal.note(key + _VERDICT, "verdict", "idempotent", {"roles": [*roles], "cost_unknown": ctx.cost_unknown})


def recall_needed(ctx: RunContext, key: str, branches: Mapping[str, str]) -> Collection[str]:
    """Which of these branches there have to be, by role; the others, whose keys are given, count and are left alone."""
    record = None if ctx.past is None else ctx.journal.recorded(key + _VERDICT)
    if record is None:
        return branches.keys()
    needed: list[str] = record["roles"]
    for role, below in branches.items():
        if role not in needed:
            _count_below(ctx, below, unknown=record["cost_unknown"])
    return needed


def _count_below(ctx: RunContext, key: str, *, unknown: bool) -> None:
    """Count what all that is on record below a step has used."""
    entries = {} if ctx.past is None else ctx.past.entries
    for name, entry in entries.items():
        if not name.startswith(key):
            continue
        value = entry.value
        calls = len(value.get("tool_calls", ())) if entry.kind == "llm" else int(name == f"{key}/tool")
        for above in ctx.lineage():
            above.tool_calls += calls
        if entry.kind == "child":
            count_child(ctx, ctx.plan, value)
        else:
            count_spent(ctx, value)
    if unknown:
        ctx.count(None, None)
