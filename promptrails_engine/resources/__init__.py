"""What an engine's calls are grouped by, and the parts they stand on.  Loaded at first use."""

from __future__ import annotations

from typing import TYPE_CHECKING

from promptrails_engine.lazy import lazy_names

if TYPE_CHECKING:
    from promptrails_engine.resources.agents import Agents as Agents
    from promptrails_engine.resources.approvals import Approvals as Approvals
    from promptrails_engine.resources.costs import Costs as Costs
    from promptrails_engine.resources.definitions import Definitions as Definitions
    from promptrails_engine.resources.executions import Executions as Executions
    from promptrails_engine.resources.guardrails import Guardrails as Guardrails
    from promptrails_engine.resources.llm_models import LLMModels as LLMModels
    from promptrails_engine.resources.prompts import Prompts as Prompts
    from promptrails_engine.resources.traces import Traces as Traces
    from promptrails_engine.resources.wiring import wired as wired

_HOMES = {
    "Agents": "agents",
    "Approvals": "approvals",
    "Costs": "costs",
    "Definitions": "definitions",
    "Executions": "executions",
    "Guardrails": "guardrails",
    "LLMModels": "llm_models",
    "Prompts": "prompts",
    "Traces": "traces",
    "wired": "wiring",
}

__getattr__, __dir__ = lazy_names(__name__, _HOMES)
