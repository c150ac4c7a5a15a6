"""Labels in place of values: on the input, on what comes later, and again where a run or a session goes on.

What is stored are the texts, never which label stands for what: the same texts in the same order, given to an empty
vault, get the same labels anywhere.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Literal

from promptrails_engine.errors import BudgetExceededError, GuardrailBlockedError, RunError
from promptrails_engine.ports.journal import JournalEntry
from promptrails_engine.ports.sink import Span
from promptrails_engine.ports.store import EXECUTION_TERMINAL, ExecutionFilter, ExecutionRow
from promptrails_engine.run.context import RunContext
from promptrails_engine.run.guarding import guarded, guarded_values, redactions
from promptrails_engine.run.guards import Guard
from promptrails_engine.run.json_texts import Reading, texts_in, with_texts
from promptrails_engine.run.labels import Labels
from promptrails_engine.run.looking import Allowance, ScanFailedError, blocked, look_in_time
from promptrails_engine.run.past import SESSION_KEY

Later = Literal["tool_results", "documents"]
"""What gets labels after the input."""

_MOST_TURNS = 200
"""So many runs of a session are read again, the oldest: what comes later keeps its labels within its own run only."""


async def guard_input(ctx: RunContext, root: Span) -> None:
    """Have the run go on with what its guards let pass.

    That is also what is stored, but for labels: the values stay there, so that the run can go on elsewhere.

    Raises:
        GuardrailBlockedError: they let it not pass; the execution is on record.
        BudgetExceededError: a judge costs too much; the execution is on record, for others may have been asked.
    """
    ctx.guards, opened = ctx.plan.guards.opened()
    left = stored = ctx.row.input
    labelled = False

    def keep(guard: Guard, data: Any) -> None:
        nonlocal left, stored, labelled
        left, labelled = data, labelled or guard.is_reversible
        if not labelled:
            stored = data

    try:
        if opened:
            ctx.labels = Labels(opened, (*ctx.labels.known, *opened))
            await _remember_session(ctx)
        await guarded_values(ctx, root, ctx.guards.input, ctx.row.input, "guards/input", keep)
        if opened:
            await _remember_run(ctx)
            ctx.show_input(left)
        ctx.row.input = stored
    except (GuardrailBlockedError, BudgetExceededError):
        ctx.row.input = left
        if not ctx.on_record:
            await ctx.begin()
        raise


async def guard_later(ctx: RunContext, parent: Span, place: Later, data: Any, key: str, guards_key: str) -> Any:
    """What came to the step with this key on its way to the model, as the guards let it pass.

    Where labels come into it, it is put on record in which order that happened.

    Raises:
        GuardrailBlockedError: one of them lets it not pass.
    """
    guards: tuple[Guard, ...] = getattr(ctx.guards, place)
    if not any(guard.is_reversible for guard in guards):
        return await guarded(ctx, parent, guards, data, guards_key)
    labels, before, labelled = ctx.labels, data, False

    def keep(guard: Guard, left: Any) -> None:
        nonlocal before, labelled
        labelled = labelled or guard.is_reversible
        if not labelled:
            before = left

    async with labels.turn:
        passed = await guarded(ctx, parent, guards, data, guards_key, keep=keep)
        if passed != before and not _is_noted(ctx, key, before):
            entry = {"n": labels.next, "place": place, "data": before}
            ctx.journal.note(f"{key}/labels[{labels.next}]", "labels", "idempotent", entry)
            labels.next += 1
    return passed


def _is_noted(ctx: RunContext, key: str, data: Any) -> bool:
    """Whether it has got its labels again already, with all that is on record."""
    entries = () if ctx.past is None else ctx.past.entries.values()
    return any(entry.key.startswith(f"{key}/labels[") and entry.value.get("data") == data for entry in entries)


async def _remember_run(ctx: RunContext) -> None:
    """Give the same labels as before the run was interrupted."""
    if ctx.past is None:
        return
    for entry in _noted(list(ctx.past.entries.values())):
        await _label_again(ctx, getattr(ctx.guards, entry["place"]), entry["data"], Reading())
        ctx.labels.next = entry["n"] + 1


async def _remember_session(ctx: RunContext) -> None:
    """Give the labels that the earlier runs of the session have given, in their order."""
    if not ctx.row.session_id or not any(guard.joins_session for guard in ctx.guards.input):
        return
    later = any(guard.is_reversible for guard in (*ctx.guards.tool_results, *ctx.guards.documents))
    store, workspace = ctx.services.store, ctx.row.workspace_id
    for run in await _earlier(ctx):
        await _label_again(ctx, ctx.guards.input, run.input, Reading(names=True))
        if later:
            for entry in _noted(await store.read_journal(workspace, run.id)):
                await _label_again(ctx, getattr(ctx.guards, entry["place"]), entry["data"], Reading())


def _noted(entries: Sequence[JournalEntry]) -> Iterator[dict[str, Any]]:
    """What got labels after the input, in that order."""
    found = [entry.value for entry in entries if entry.kind == "labels" and "data" in entry.value]
    yield from sorted(found, key=lambda entry: int(entry["n"]))


async def _earlier(ctx: RunContext) -> list[ExecutionRow]:
    """The runs of the session that had ended when this one looked for the first time: of its agent and user, oldest
    first.

    Raises:
        RunError: one of them is gone.
    """
    store, row = ctx.services.store, ctx.row
    record = None if ctx.past is None else ctx.journal.recorded(SESSION_KEY)
    if record is not None:
        found = [await store.get_execution(row.workspace_id, id) for id in record["runs"]]
        if any(run is None for run in found):
            raise RunError(
                "an earlier run of the session was deleted while this one waited, so its labels are not known any "
                "more; start it anew",
                code="session_changed",
            )
        return [run for run in found if run is not None]
    root = list(ctx.lineage())[-1].row
    where = ExecutionFilter(
        agent_id=row.agent_id, session_id=row.session_id, user_id=row.user_id, created_to=root.created_at
    )
    runs, total = await store.list_executions(row.workspace_id, where, offset=0, limit=_MOST_TURNS)
    if total > _MOST_TURNS:
        runs, _ = await store.list_executions(row.workspace_id, where, offset=total - _MOST_TURNS, limit=_MOST_TURNS)
    runs = [
        run
        for run in reversed(runs)
        if run.status in EXECUTION_TERMINAL and (run.root_execution_id or run.id) != root.id
    ]
    ctx.journal.note(SESSION_KEY, "labels", "idempotent", {"runs": [run.id for run in runs]})
    return runs


async def _label_again(ctx: RunContext, guards: Sequence[Guard], data: Any, reading: Reading) -> None:
    """Let a text that has had its labels once have them again, as it came to the first guard that labels; drop it.

    Raises:
        GuardrailBlockedError: a scanner failed, so labels could come to mean something else.
    """
    allowance = Allowance.of(ctx)
    labelling = [at for at, guard in enumerate(guards) if guard.is_reversible]
    for guard in guards[labelling[0] : labelling[-1] + 1] if labelling else ():
        if guard.action != "redact":
            continue
        mine = Reading(reading.names, guard.judges)
        texts = list(dict.fromkeys(one.text for one in texts_in(data, mine)))
        try:
            verdicts = await look_in_time(ctx, guard, texts, allowance)
        except ScanFailedError as failed:
            raise blocked(guard, failed.message) from None
        data = with_texts(data, _other(redactions(dict(zip(texts, verdicts, strict=True)))), mine)


def _other(texts: Mapping[str, str]) -> Callable[[str], str]:
    return lambda text: texts.get(text, text)
