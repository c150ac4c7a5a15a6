"""The executors: what an agent of each type calls, and in which order."""

from __future__ import annotations

from collections.abc import Mapping

from promptrails_engine.run.pipeline import Strategy
from promptrails_engine.strategies.chain import run_chain
from promptrails_engine.strategies.multi_agent import run_multi_agent
from promptrails_engine.strategies.simple import run_simple
from promptrails_engine.strategies.workflow import run_workflow

STRATEGIES: Mapping[str, Strategy] = {
    "simple": run_simple,
    "chain": run_chain,
    "multi_agent": run_multi_agent,
    "workflow": run_workflow,
    "composite": run_workflow,  # a graph of which every node is another agent
}
"""By agent type."""
