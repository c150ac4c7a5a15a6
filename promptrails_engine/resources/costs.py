"""`engine.costs`: what runs have cost."""

from __future__ import annotations

from promptrails_engine.faces import M_co, method
from promptrails_engine.resources.base import EngineResource
from promptrails_engine.resources.dates import day_end, moment
from promptrails_engine.results import CostSummary
from promptrails_engine.rows import cost_summary


class Costs(EngineResource[M_co]):
    """Spend of this workspace, in USD."""

    @method
    async def get_summary(self, from_date: str | None = None, to_date: str | None = None) -> CostSummary:
        """Sums over all finished executions made within two ISO dates or times, inclusive, and by UTC day.

        What an execution has cost includes its children, which are not counted again.
        """
        return await self._summary(None, from_date, to_date)

    @method
    async def get_agent_summary(
        self, agent_id: str, from_date: str | None = None, to_date: str | None = None
    ) -> CostSummary:
        """As `get_summary`, of one agent, wherever it ran: also as a child of others, whose costs include it as well.

        Raises:
            NotFoundError: no such agent.
        """
        await self._parts.ready()
        agent = await self._parts.agents.row(agent_id)
        return await self._summary(agent.id, from_date, to_date)

    async def _summary(self, agent_id: str | None, from_date: str | None, to_date: str | None) -> CostSummary:
        await self._parts.ready()
        totals = await self._store.cost_totals(
            self._workspace_id,
            agent_id=agent_id,
            created_from=moment(from_date, "from_date"),
            created_to=day_end(to_date, "to_date"),
        )
        return cost_summary(totals)
