"""How much one query may give, and for how long it may run."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

from promptrails_engine.errors import ConfigurationError


@dataclass(frozen=True, slots=True, kw_only=True)
class QueryLimits:
    """Limits of one query; passing one is an error, never a shorter answer.

    Raises ConfigurationError for one that is not above 0.
    """

    max_rows: int = 1000
    max_bytes: int = 1024 * 1024
    """Of all rows, as JSON."""
    max_cell_bytes: int = 256 * 1024
    """Of any one value, also of those that a query only works with; and of a row that it sorts."""
    timeout_s: float = 10.0
    """Seconds from when it begins to run."""

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if not isinstance(value, int | float) or not value > 0:
                raise ConfigurationError(f"QueryLimits({field.name}=...) must be above 0, not {value!r}")


class Stop:
    """Tells a query that runs on another thread to end: at its time, or when nobody waits for it any more."""

    __slots__ = ("_deadline", "asked", "late")

    def __init__(self) -> None:
        self._deadline = math.inf
        self.asked = False
        self.late = False

    def begin(self, now: float, timeout_s: float) -> None:
        self._deadline = now + timeout_s

    def due(self, now: float) -> bool:
        self.late = self.late or now >= self._deadline
        return self.late or self.asked
