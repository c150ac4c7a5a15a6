"""The labels of one run: what gives them, and in which order that happened."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from promptrails_engine.ports.scanner import ReversibleScanner

Scanners = tuple[ReversibleScanner, ...]


@dataclass(slots=True)
class Labels:
    """What puts labels in place of values in a run, with its vaults."""

    own: Scanners = ()
    """Of this run's guards."""
    known: Scanners = ()
    """With those of the runs above it, from the top: what a label in this run may come from."""
    next: int = 0
    """The number of the next text that gets labels after the input."""
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Held while a text gets its labels: numbers are given in an order that is on record."""

    def below(self) -> Labels:
        """Those of a run that this one starts."""
        return Labels((), self.known) if self.known else self


NO_LABELS = Labels()
"""Of every run that has none; nothing of it is ever changed."""
