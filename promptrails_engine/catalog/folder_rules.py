"""Who has changed since file and store last agreed, and what follows from it."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any, Literal

from promptrails_engine.catalog.folder_memory import Agreement
from promptrails_engine.definitions.files import DefinitionFile
from promptrails_engine.ports.store import DefinitionRow

Step = Literal["agree", "behind", "apply", "conflict"]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What to do about one definition.  `changes` are fields beside the content to take over from the file."""

    step: Step
    reason: str = ""
    changes: dict[str, Any] = field(default_factory=dict[str, Any])


@dataclass(frozen=True, slots=True)
class Standing:
    """Both sides of one definition.

    Attributes:
        digest: of the file's content in the store's terms.
        current: digest of the current version, "" where there is none.
        history: digests of all versions.
        base: the last agreement.
        seen_here: whether the base is this folder's own.
    """

    file: DefinitionFile
    digest: str
    current: str
    history: Collection[str]
    base: Agreement | None
    seen_here: bool


def judge_content(sides: Standing, *, promote: bool) -> Verdict:
    """What loading the file's content means for the store."""
    base = sides.base
    if sides.digest == sides.current:
        return Verdict("agree")
    if not sides.current and (base is None or not base.current):
        return _stored(sides) if not promote and sides.digest in sides.history else Verdict("apply")
    if sides.digest in sides.history and not sides.seen_here:
        return Verdict("behind", "it holds the content of an older version")
    if base is None:
        return Verdict("conflict", "the file and the current version differ, and have never agreed before")
    if sides.current not in (base.current, base.content):
        if sides.file.digest == base.file:
            return Verdict("behind", "the store has a newer version")
        return Verdict("conflict", "both the file and the store have changed since they last agreed")
    if not promote and sides.digest in sides.history:
        return _stored(sides)
    return Verdict("apply")


def _stored(sides: Standing) -> Verdict:
    return Verdict("agree", "stored, and not promoted yet")


def judge_fields(file: DefinitionFile, row: DefinitionRow, base: Agreement | None) -> Verdict:
    """What loading the file's description and labels means for the store; a file may leave them out."""
    given: dict[str, Any] = {"description": file.description, "labels": _list(file.labels)}
    stored = {"description": row.data.get("description", ""), "labels": list(row.data.get("labels", ()))}
    agreed = {"description": base.description, "labels": list(base.labels)} if base else None
    changes: dict[str, Any] = {}
    behind: list[str] = []
    for name, value in given.items():
        if value is None or value == stored[name]:
            continue
        if agreed and value == agreed[name]:
            behind.append(name)
        elif agreed is None or stored[name] != agreed[name]:
            since = "have both changed" if agreed else "differ, and have never agreed before"
            return Verdict("conflict", f"{name} in the file and in the store {since}")
        else:
            changes[name] = value
    if changes or not behind:
        return Verdict("apply" if changes else "agree", changes=changes)
    return Verdict("behind", f"the store has other {' and '.join(behind)}")


def forced_fields(file: DefinitionFile) -> dict[str, Any]:
    """The description and labels that the file gives."""
    given = {"description": file.description, "labels": _list(file.labels)}
    return {name: value for name, value in given.items() if value is not None}


def file_was_edited(file: DefinitionFile, base: Agreement) -> bool:
    """Whether the file says something else than at the last agreement."""
    given = forced_fields(file)
    agreed = {"description": base.description, "labels": list(base.labels)}
    return file.digest != base.file or file.name != base.name or any(given[name] != agreed[name] for name in given)


def _list(labels: tuple[str, ...] | None) -> list[str] | None:
    return None if labels is None else list(labels)
