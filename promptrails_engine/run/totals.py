"""What a run has used: tokens, USD, tool calls and children, with those of all runs below it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Self

from promptrails_engine.definitions.settings import Limits
from promptrails_engine.errors import BudgetExceededError
from promptrails_engine.events import TokenUsage
from promptrails_engine.run.plan import Plan

_TOOL_CALLS = 50


class Totals:
    """The counts of one run, which are in those of the runs above it as well."""

    __slots__ = ("children", "cost_known", "cost_unknown", "limits", "parent", "plan", "tool_calls", "usage")

    def __init__(self, plan: Plan, limits: Limits, parent: Self | None) -> None:
        self.plan = plan
        self.limits = limits
        self.parent = parent
        self.usage: TokenUsage | None = None
        self.cost_known = 0.0
        self.cost_unknown = False
        self.tool_calls = 0
        self.children = 0  # near or far

    def count(self, usage: TokenUsage | None, cost: float | None) -> None:
        """Add tokens and USD of model calls, here and above."""
        if cost is None:
            self.cost_unknown = True
        else:
            self.cost_known += cost
        if usage is not None:
            self.usage = usage if self.usage is None else self.usage.plus(usage)
        if self.parent is not None:
            self.parent.count(usage, cost)

    def lineage(self) -> Iterator[Self]:
        """This run, the one that started it, and so on up to the root."""
        ctx: Self | None = self
        while ctx is not None:
            yield ctx
            ctx = ctx.parent

    def count_tool_calls(self, number: int) -> None:
        """Add tool calls that are about to be made, here and above.

        Raises:
            BudgetExceededError: there are not so many left.
        """
        ctx: Totals | None = self  # a loop in place of `lineage`: mostly there is but one
        while ctx is not None:
            most = ctx.limits.max_tool_calls
            if most is None and ctx.parent is None:
                most = _TOOL_CALLS
            if most is not None and ctx.tool_calls + number > most:
                raise BudgetExceededError(
                    f"{ctx.called} may make {most} tool calls, and {ctx.tool_calls + number} would be needed; "
                    "raise max_tool_calls"
                )
            ctx = ctx.parent
        ctx = self
        while ctx is not None:
            ctx.tool_calls += number
            ctx = ctx.parent

    @property
    def called(self) -> str:
        """What messages about limits call it."""
        return "the run" if self.parent is None else f"the run of agent '{self.plan.agent_name}'"
