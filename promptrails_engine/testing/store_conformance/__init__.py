"""What every store owes the port, as tests for the author of one to inherit.

    class TestMyStore(StoreConformance):
        def make(self) -> Store:
            return MyStore(...)

pytest runs the inherited tests; each has an event loop of its own, and works in workspaces of its own, so `make` may
give a store over one shared database.
"""

from __future__ import annotations

from promptrails_engine.testing.store_conformance.approvals import ApprovalPromises
from promptrails_engine.testing.store_conformance.claims import ClaimPromises
from promptrails_engine.testing.store_conformance.definitions import DefinitionPromises
from promptrails_engine.testing.store_conformance.executions import ExecutionPromises
from promptrails_engine.testing.store_conformance.interventions import InterventionPromises
from promptrails_engine.testing.store_conformance.journal import JournalPromises
from promptrails_engine.testing.store_conformance.robustness import RobustnessPromises
from promptrails_engine.testing.store_conformance.state import StatePromises
from promptrails_engine.testing.store_conformance.traces import TracePromises
from promptrails_engine.testing.store_conformance.trees import TreePromises


class StoreConformance(
    DefinitionPromises,
    ExecutionPromises,
    TreePromises,
    TracePromises,
    JournalPromises,
    ClaimPromises,
    InterventionPromises,
    ApprovalPromises,
    StatePromises,
    RobustnessPromises,
):
    """Inherit in a class whose name begins with Test, and write `make`."""
