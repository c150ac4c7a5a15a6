"""Runs that stop for now: they wait for a decision, and hold neither task nor memory meanwhile."""

from __future__ import annotations

from collections.abc import Sequence

from promptrails_engine.ports.journal import ApprovalRow


class Parked(BaseException):
    """Leaves a run that waits for decisions; steps beside the one that waits go on to their end first.

    No Exception: nothing that handles errors may take it for one.
    """

    def __init__(self, requests: Sequence[ApprovalRow]) -> None:
        super().__init__("the run waits for a decision")
        self.requests = list(requests)
        """What is waited for, here and below; those of other executions are on record already."""


def all_parked(stops: Sequence[Parked]) -> Parked:
    """One for several that stopped side by side."""
    return Parked([request for stop in stops for request in stop.requests])
