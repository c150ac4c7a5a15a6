"""The workspaces' stamps as this process last saw them."""

from __future__ import annotations

import time
from dataclasses import dataclass

FRESH_S = 1.0
"""How long a stamp may be answered from here; what other processes change is seen after at most this time."""
RENEW_S = 0.5
"""From this age on, one caller has it read again while the others go on with it."""
MAX_WORKSPACES = 10_000


@dataclass(slots=True)
class _Seen:
    stamp: int
    at: float
    renewing: bool = False


class StampCache:
    """Stamps by workspace.  They only grow, so of two readings the higher one is right."""

    def __init__(self) -> None:
        self._seen: dict[str, _Seen] = {}

    def get(self, workspace_id: str) -> tuple[int | None, bool]:
        """The stamp if it is fresh enough, and whether the caller is the one to have it read again."""
        seen = self._seen.get(workspace_id)
        if seen is None:
            return None, False
        age = time.monotonic() - seen.at
        if age >= FRESH_S:
            return None, False
        if age < RENEW_S or seen.renewing:
            return seen.stamp, False
        seen.renewing = True
        return seen.stamp, True

    def put(self, workspace_id: str, stamp: int, at: float) -> None:
        """Note a stamp that was read, or written, at or after `at` on the monotonic clock."""
        seen = self._seen.get(workspace_id)
        if seen is None:
            if len(self._seen) >= MAX_WORKSPACES:
                self._seen.clear()
            self._seen[workspace_id] = _Seen(stamp, at)
            return
        seen.stamp = max(seen.stamp, stamp)
        seen.at = max(seen.at, at)
        seen.renewing = False
