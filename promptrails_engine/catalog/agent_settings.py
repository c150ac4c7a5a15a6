"""What an agent version says of all its runs: limits, tools, and the checkpoint before its output."""

from __future__ import annotations

from promptrails_engine.definitions.records import AgentVersion
from promptrails_engine.definitions.settings import Limits

_CHECKPOINT = "approval"
"""What a checkpoint is called that has no name."""


def budget_limits(version: AgentVersion) -> Limits:
    """The limits of its run budget."""
    budget = version.run_budget or {}
    return Limits(
        max_cost=budget.get("max_cost"),
        max_total_tokens=budget.get("max_total_tokens"),
        max_tool_calls=budget.get("max_tool_calls"),
        max_children=budget.get("max_children"),
        max_depth=budget.get("max_depth"),
    )


def checkpoint(version: AgentVersion) -> str | None:
    """The name of the checkpoint at which its output has to be approved; None where it has not."""
    if not version.config.get("approval_required"):
        return None
    return version.config.get("approval_checkpoint_name") or _CHECKPOINT


def tool_names(version: AgentVersion | None) -> list[str]:
    """The tools that are attached to it, in their order; none without one."""
    if version is None:
        return []
    attached = sorted(version.tools, key=lambda tool: tool.get("sort_order") or 0)
    return [tool["name"] for tool in attached]
