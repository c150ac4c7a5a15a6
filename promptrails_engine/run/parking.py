"""Runs that stop for now: they go on later or elsewhere, and hold neither task nor memory meanwhile."""

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


class LetGo(Parked):
    """Leaves a run that goes on elsewhere; steps beside the one that was stopped go on to their next."""

    def __init__(self, requests: Sequence[ApprovalRow] = ()) -> None:
        super().__init__(requests)


def all_parked(stops: Sequence[Parked]) -> Parked:
    """One for several that stopped side by side."""
    requests = [request for stop in stops for request in stop.requests]
    return (LetGo if any(isinstance(stop, LetGo) for stop in stops) else Parked)(requests)
