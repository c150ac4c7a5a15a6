"""Journal entries as stores keep them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from promptrails_engine.errors import FencedError, RunCancelledError
from promptrails_engine.ports.journal import JournalEntry
from promptrails_engine.store.codec import dump_json, load_json

CANCELLED = "the execution was cancelled"


def add_entries(known: dict[str, JournalEntry | None], entries: Iterable[JournalEntry]) -> None:
    """Add to a journal: an entry replaces an intent of the same key, never an outcome.  None marks a place alone."""
    for entry in entries:
        old = known.get(entry.key)
        if old is None or old.state != "done":
            known[entry.key] = entry


def entries_text(entries: Sequence[JournalEntry]) -> str | None:
    """JSON text of the entries; None where there are none."""
    if not entries:
        return None
    return dump_json([[entry.key, entry.kind, entry.effect, entry.state, entry.value] for entry in entries])


def entries_of(text: str) -> list[JournalEntry]:
    """The entries in a text of `entries_text`."""
    parts: list[list[Any]] = load_json(text)
    return [JournalEntry(key, kind, effect, state, value) for key, kind, effect, state, value in parts]


def announce(entries: Iterable[JournalEntry]) -> bool:
    """Whether an effect is to follow."""
    return any(entry.state == "intended" and entry.effect == "effect" for entry in entries)


def fenced(execution_id: str) -> FencedError:
    """What a run hears that is not its process's any more."""
    return FencedError(
        f"Execution {execution_id} went over to another process, or has ended: what this one still writes does not "
        "count."
    )


def to_be_cancelled(execution_id: str, marked_id: str) -> RunCancelledError:
    """What a run hears that announces an effect although it, or one above it, is to be cancelled."""
    return RunCancelledError(
        f"Execution {marked_id} is to be cancelled, so no further effect of {execution_id} begins.",
        details={"execution_id": marked_id},
    )


def turns_of(served: Sequence[str]) -> dict[str, int]:
    """By agent its place within a turn, from 1 on; those that are not in it come before."""
    return {agent: place for place, agent in enumerate(served, start=1)}
