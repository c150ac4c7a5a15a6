"""What came of loading a folder of definition files into the store, or of saving the store into one."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass
from typing import Any, Literal

from promptrails_engine.ports.store import DefinitionKind

Outcome = Literal["created", "updated", "unchanged", "behind", "conflict"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncEntry:
    """What happened to one definition.

    Attributes:
        path: its file, relative to the folder; "" where it has none.
        outcome: created; updated; unchanged; behind (the file holds what the store has moved on from, and was left);
            conflict (nothing was done; `reason` says why and what to do).
        version: label of the version that the file stands for now; "" where there is none.
        definition_id: "" where the store has no such definition.
    """

    kind: DefinitionKind
    name: str
    path: str
    outcome: Outcome
    reason: str = ""
    version: str = ""
    definition_id: str = ""


@dataclass(frozen=True, slots=True)
class SyncReport:
    """What happened, definition by definition.

    Attributes:
        entries: prompts first, then agents.
        remembered: whether the folder's record of what agrees could be kept; without it only the store has one.
    """

    entries: tuple[SyncEntry, ...] = ()
    remembered: bool = False

    def _of(self, outcome: Outcome) -> tuple[SyncEntry, ...]:
        return tuple(entry for entry in self.entries if entry.outcome == outcome)

    @property
    def created(self) -> tuple[SyncEntry, ...]:
        """Definitions, or files, that were not there before."""
        return self._of("created")

    @property
    def updated(self) -> tuple[SyncEntry, ...]:
        """Definitions with a new current version (or description, or labels), or files that were rewritten."""
        return self._of("updated")

    @property
    def unchanged(self) -> tuple[SyncEntry, ...]:
        return self._of("unchanged")

    @property
    def behind(self) -> tuple[SyncEntry, ...]:
        """Files that the store has moved on from; saving brings them up to date."""
        return self._of("behind")

    @property
    def conflicts(self) -> tuple[SyncEntry, ...]:
        """Definitions that were left alone on both sides, for somebody to decide."""
        return self._of("conflict")

    def to_dict(self) -> dict[str, Any]:
        """JSON data."""
        return {"entries": [asdict(entry) for entry in self.entries], "remembered": self.remembered}

    def __str__(self) -> str:
        counts = Counter(entry.outcome for entry in self.entries)
        lines = [", ".join(f"{count} {outcome}" for outcome, count in counts.items()) or "nothing to do"]
        for entry in self.entries:
            if entry.outcome != "unchanged":
                version = f" {entry.version}" if entry.version else ""
                said = f": {entry.reason}" if entry.reason else ""
                lines.append(
                    f"  {entry.outcome} {entry.kind} '{entry.name}'{version} ({entry.path or 'no file'}){said}"
                )
        return "\n".join(lines)


class LoadReport(SyncReport):
    """What became of the files of a folder in the store."""


class SaveReport(SyncReport):
    """What became of the store's definitions in a folder."""
