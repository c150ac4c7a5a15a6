"""From an agent to its plan: versions resolved and locked, templates and schemas compiled, models and tools found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from promptrails_engine.catalog.agent_settings import budget_limits, checkpoint, tool_names
from promptrails_engine.catalog.agents import AgentCatalog
from promptrails_engine.catalog.descent import Descent, FoundPrompt, with_children
from promptrails_engine.catalog.forks import base_lock, changed_prompts, marked, read_fork, with_models
from promptrails_engine.catalog.kept_plans import KeptPlans
from promptrails_engine.catalog.lock_diff import refuse_other
from promptrails_engine.catalog.node_adapters import NodeAdapters, node_locks
from promptrails_engine.catalog.pins import LOCK_FORMAT, Pins, read_lock
from promptrails_engine.catalog.plan_composite import plan_composite
from promptrails_engine.catalog.plan_multi_agent import PlannedPrompt, multi_agent_prompts, multi_agent_steps
from promptrails_engine.catalog.plan_sub_agents import offered, plan_sub_agents
from promptrails_engine.catalog.plan_workflow import AgentOf, plan_workflow
from promptrails_engine.catalog.prompts import PromptCatalog
from promptrails_engine.catalog.resolve import find_agent, find_prompt, find_prompt_by_itself
from promptrails_engine.catalog.serving import ModelDirectory
from promptrails_engine.definitions import content as contents
from promptrails_engine.definitions.checked import prompt_settings, provider_options
from promptrails_engine.definitions.configs import (
    AnyAgentConfig,
    ChainAgentConfig,
    CompositeAgentConfig,
    MultiAgentConfig,
    SimpleAgentConfig,
    WorkflowAgentConfig,
    parse_config,
)
from promptrails_engine.definitions.digest import content_digest
from promptrails_engine.definitions.records import AgentVersion, PromptVersion
from promptrails_engine.definitions.settings import Limits
from promptrails_engine.errors import ArchivedError, NotFoundError
from promptrails_engine.guardrails.guards import build_guards
from promptrails_engine.guardrails.scanners import Scanners
from promptrails_engine.ports.store import DefinitionRow, Store
from promptrails_engine.ports.tool import Tool
from promptrails_engine.run.binding import ModelBinding
from promptrails_engine.run.plan import Plan, PromptStep, Sampling
from promptrails_engine.run.render import CompiledTemplate, compile_template
from promptrails_engine.schema import SchemaValidator, compile_schema
from promptrails_engine.tools.registry import ToolRegistry

_TEMPERATURE = 0.7
_KEPT = 512


class Planner:
    """Makes plans and keeps them until a definition of the workspace changes."""

    def __init__(
        self,
        store: Store,
        workspace_id: str,
        agents: AgentCatalog,
        prompts: PromptCatalog,
        models: ModelDirectory,
        tools: ToolRegistry,
        adapters: NodeAdapters,
        scanners: Scanners,
        limits: Limits,
    ) -> None:
        self._store = store
        self._workspace_id = workspace_id
        self._agents = agents
        self._prompts = prompts
        self._models = models
        self._tools = tools
        self._adapters = adapters
        self._scanners = scanners
        self._limits = limits
        self._stamp = -1
        self._plans: KeptPlans[tuple[str, str | None]] = KeptPlans(_KEPT)
        self._locked: KeptPlans[str] = KeptPlans(_KEPT)

    async def plan(self, agent_ref: str, version_ref: str | None) -> Plan:
        """The plan of an agent's current version, or of the one named.

        Raises:
            NotFoundError, ArchivedError, VersionMismatchError: agent, version or prompt cannot be used.
            DefinitionError, ConfigurationError: a tool or model is not there.
        """
        stamp = await self._store.definitions_stamp(self._workspace_id)
        if stamp != self._stamp:
            self._plans.clear()
            self._stamp = stamp
        key = (agent_ref, version_ref)
        plan = self._plans.get(key)
        if plan is None:
            plan = await self._plans.made(key, lambda: self._agent_plan(agent_ref, version_ref, Descent()))
        return plan

    async def plan_locked(self, lock: Mapping[str, Any]) -> Plan:
        """The plan of a run that has begun, from its version lock: with the versions and models that the lock names.

        Whatever has been promoted, renamed, archived or deleted since, its steps and its lock are those of then; only
        tools, their digests, and limits are those of now.  Of a fork they are what its lock says it runs instead.

        Raises:
            ConfigurationError: the lock cannot be used, or a version is not what it was.
            NotFoundError: a version is not in this store.
            DefinitionError, ModelNotServedError: a tool or model is not there.
        """
        key = content_digest(lock)
        plan = self._locked.get(key)
        return plan if plan is not None else await self._locked.made(key, lambda: self._locked_plan(lock))

    def bare_plan(self, name: str) -> Plan:
        """A plan without prompts, by the engine's limits."""
        return Plan("", name, "simple", "", (), None, None, self._limits, self._lock(None, None, []))

    def bind(self, ref: str) -> ModelBinding:
        """The model behind a registered id or a `provider/model` name.

        Raises:
            ModelNotServedError: nobody serves it.
            MissingExtraError: its provider needs a package that is not installed.
        """
        return self._models.bind(ref)

    def forget(self) -> None:
        """Make all plans anew, for what they stand on has changed."""
        self._plans.clear()
        self._locked.clear()

    async def prompt_plan(
        self, prompt_ref: str, version_ref: str | None, changes: Mapping[str, Any] | None = None
    ) -> Plan:
        """A plan that runs one prompt by itself, outside of any agent; `changes` replace parts of its content.

        Raises:
            as `plan`.
        """
        row = await self._prompts.active_row(prompt_ref)
        found = await self._prompts.version_row(row, version_ref)
        if changes:
            content = self._prompts.check({**found.data, **changes})
            found = replace(found, data=content, digest=content_digest(content))
        return self._prompt_plan(FoundPrompt(row, contents.prompt_version(found, row.current_version_id)))

    async def _locked_plan(self, lock: Mapping[str, Any]) -> Plan:
        fork, base = read_fork(lock), base_lock(lock)
        pins = read_lock(base)
        plan = await self._pinned_plan(pins, {})
        refuse_other(base, plan.version_lock)
        if fork is None:
            return plan
        changed = await changed_prompts(self._prompts, plan, fork)
        if changed:
            plan = await self._pinned_plan(pins, changed)
        plan = with_models(plan, fork, self._models.bind)
        return replace(plan, version_lock=marked(plan.version_lock, fork))

    async def _pinned_plan(self, pins: Pins, changed: Mapping[str, FoundPrompt]) -> Plan:
        if pins.agent is not None:
            return await self._agent_plan(pins.agent.id, None, Descent(pins=pins, changed=changed))
        alone = next(iter(changed.values()), None)
        return self._prompt_plan(alone or await find_prompt_by_itself(self._prompts, pins.prompts[0]))

    def _prompt_plan(self, found: FoundPrompt) -> Plan:
        step = self._step(found, None, None, key="prompt", role="main", last=True)
        return Plan(
            agent_id="",
            agent_name=found.row.name,
            agent_type="simple",
            version_id="",
            steps=(step,),
            input_validator=None,
            output_validator=None,
            limits=self._limits,
            version_lock=self._lock(None, None, [step]),
        )

    async def _agent_plan(self, agent_ref: str, version_ref: str | None, above: Descent) -> Plan:
        here, row, version = await find_agent(self._agents, agent_ref, version_ref, above)
        children: dict[str, Plan] = {}

        async def agent_of(agent_id: str) -> Plan:
            plan = children[agent_id] = await self._child_plan(agent_id, row.name, here)
            return plan

        plan = await self._own_plan(row, version, here, agent_of)
        waits = plan.may_wait or any(child.waits for child in children.values())
        if not children:
            return replace(plan, waits=waits) if waits else plan
        return replace(plan, version_lock=with_children(plan.version_lock, children.values()), waits=waits)

    async def _child_plan(self, agent_id: str, parent: str, here: Descent) -> Plan:
        """The plan of an agent that another one runs: one version of it, wherever it is met.

        Raises:
            as `plan`; DefinitionError: the agents run each other in a circle.
        """
        known = here.plans.get(agent_id)
        if known is None:
            try:
                known = await self._agent_plan(agent_id, None, here)
            except (NotFoundError, ArchivedError) as error:
                raise type(error)(f"agent '{parent}' cannot run, for what it runs cannot: {error.message}") from None
            here.plans[agent_id] = known
        return known

    async def _own_plan(self, row: DefinitionRow, version: AgentVersion, here: Descent, agent_of: AgentOf) -> Plan:
        config = parse_config(version.config)
        await self._scanners.prepare(version.guardrails)
        if isinstance(config, WorkflowAgentConfig):
            return await self._workflow_plan(row, version, config, here, agent_of)
        if isinstance(config, CompositeAgentConfig):
            composite = await plan_composite(config, version.input_schema, agent_of)
            return replace(self._plan(row, version, []), workflow=composite)
        steps = [
            self._step(
                await find_prompt(self._prompts, link.prompt_id, link.key, here),
                version,
                config,
                key=link.key,
                role=link.role,
                last=link.answers,
            )
            for link in _links(config)
        ]
        if isinstance(config, MultiAgentConfig):
            steps, gather = multi_agent_steps(config, steps)
            return replace(self._plan(row, version, steps), gather=gather)
        names = [sub.name for sub in here.pinned.sub_agents] if here.pinned is not None else []
        subs = await plan_sub_agents(version.sub_agents, row.name, agent_of, self._agents, names)
        return self._plan(row, version, [offered(step, subs, row.name) for step in steps] if subs else steps)

    async def _workflow_plan(
        self,
        row: DefinitionRow,
        version: AgentVersion,
        config: WorkflowAgentConfig,
        here: Descent,
        agent_of: AgentOf,
    ) -> Plan:
        async def step_of(prompt_id: str, key: str, role: str, last: bool) -> PromptStep:
            found = await find_prompt(self._prompts, prompt_id, key, here)
            return self._step(found, version, config, key=key, role=role, last=last)

        workflow = await plan_workflow(config, version.input_schema, step_of, self._adapters, agent_of)
        nodes = workflow.nodes.values()
        steps = [node.step for node in nodes if node.step is not None]
        tools = [node.tool for node in nodes if node.tool is not None]
        plan = self._plan(row, version, steps, tools)
        return replace(plan, workflow=workflow, version_lock={**plan.version_lock, **node_locks(workflow)})

    def _plan(
        self, row: DefinitionRow, version: AgentVersion, steps: list[PromptStep], tools: Sequence[Tool] = ()
    ) -> Plan:
        return Plan(
            agent_id=row.id,
            agent_name=row.name,
            agent_type=row.type,
            version_id=version.id,
            steps=tuple(steps),
            input_validator=_validator(version.input_schema),
            output_validator=_validator(version.output_schema),
            limits=budget_limits(version).over(self._limits),
            version_lock=self._lock(row, version, steps, tools),
            budget=budget_limits(version),
            checkpoint=checkpoint(version),
            approval_expires_s=(version.approval_policy or {}).get("expires_in_s"),
            guards=build_guards(
                version.guardrails, self._scanners, self._models.bind, one_speaker=row.type in ("simple", "chain")
            ),
        )

    def _step(
        self,
        found: FoundPrompt,
        agent: AgentVersion | None,
        config: AnyAgentConfig | None,
        *,
        key: str,
        role: str,
        last: bool,
    ) -> PromptStep:
        version, name = found.version, found.row.name
        settings = prompt_settings(version.config)
        names = settings.tools if settings.tools is not None else tool_names(agent)
        tools = {tool.name: tool for tool in self._tools.select(names)}  # two names may stand for one tool
        model = (agent.model_config or {}) if agent is not None else {}
        over = config if isinstance(config, SimpleAgentConfig) else _NO_OVERRIDES
        named = _first(over.llm_model_id, model.get("model_id"), version.llm_model_id)
        fallback = _first(model.get("fallback_model_id"), version.fallback_llm_model_id)
        schema = version.output_schema
        if not schema and last and agent is not None:
            schema = agent.output_schema
        cache_timeout = version.cache_timeout
        if agent is not None and agent.cache_timeout is not None:
            cache_timeout = agent.cache_timeout
        return PromptStep(
            key=key,
            role=role,
            prompt_name=name,
            version=version,
            templates=_templates(version, settings.strict),
            input_validator=_validator(version.input_schema),
            input_called=f"input of prompt '{name}'",
            output_validator=_validator(schema),
            tools=tools,
            specs=tuple(self._tools.spec(tool) for tool in tools.values()),
            model=self._models.bind(named or found.model),
            fallback=None if fallback is None else self._models.bind(fallback),
            sampling=Sampling(
                temperature=_first(over.temperature, model.get("temperature"), version.temperature, _TEMPERATURE),
                top_p=_first(model.get("top_p"), version.top_p),
                top_k=_first(model.get("top_k"), settings.top_k),
                max_tokens=_first(over.max_tokens, model.get("max_tokens"), version.max_tokens),
                options=provider_options(version.config),
            ),
            cache_timeout=cache_timeout,
            guarded=self._guarded(agent) & tools.keys(),
        )

    def _guarded(self, agent: AgentVersion | None) -> frozenset[str]:
        """Names of the tools whose calls have to be approved, wherever the agent's prompts name them.

        Raises:
            DefinitionError: one of them is not known.
        """
        attached = agent.tools if agent is not None else ()
        names = [tool["name"] for tool in attached if tool.get("requires_approval")]
        return frozenset(tool.name for tool in self._tools.select(names))

    def _lock(
        self,
        row: DefinitionRow | None,
        version: AgentVersion | None,
        steps: list[PromptStep],
        tools: Sequence[Tool] = (),
    ) -> dict[str, Any]:
        """The exact versions that a run resolved, as JSON data."""
        lock: dict[str, Any] = {"v": LOCK_FORMAT}
        if row is not None and version is not None:
            lock["agent"] = {
                "id": row.id,
                "version_id": version.id,
                "version": version.version,
                "digest": version.digest,
            }
        lock["prompts"] = [
            {
                "prompt_id": step.version.prompt_id,
                "version_id": step.version.id,
                "version": step.version.version,
                "digest": step.version.digest,
                "model": step.model.name,
            }
            for step in steps
        ]
        lock["tools"] = {name: self._tools.digest(tool) for step in steps for name, tool in step.tools.items()}
        lock["tools"] |= {tool.name: self._tools.digest(tool) for tool in tools}
        if steps and steps[0].sub_agents:  # their names, unlike all else here, are not part of a version
            subs = steps[0].sub_agents.items()
            lock["sub_agents"] = [{"name": name, "agent_id": sub.plan.agent_id} for name, sub in subs]
        return lock


_NO_OVERRIDES = SimpleAgentConfig(prompt_id="-")


def _links(config: SimpleAgentConfig | ChainAgentConfig | MultiAgentConfig) -> list[PlannedPrompt]:
    """The prompts of an agent in the order in which they run."""
    if isinstance(config, MultiAgentConfig):
        return multi_agent_prompts(config)
    if isinstance(config, SimpleAgentConfig):
        return [PlannedPrompt(config.prompt_id, "prompt", "main", answers=True)]
    links = sorted(config.prompt_ids, key=lambda link: link.sort_order)
    return [
        PlannedPrompt(link.prompt_id, f"steps[{index}]", link.role, answers=link is links[-1])
        for index, link in enumerate(links)
    ]


def _validator(schema: Mapping[str, Any] | None) -> SchemaValidator | None:
    return compile_schema(schema) if schema else None


def _templates(version: PromptVersion, strict: bool) -> tuple[CompiledTemplate, ...]:
    user = compile_template(version.user_prompt, strict=strict, name="user_prompt")
    if not version.system_prompt:
        return (user,)
    return compile_template(version.system_prompt, strict=strict, name="system_prompt"), user


def _first(*values: Any) -> Any:
    """The first that is set."""
    return next((value for value in values if value is not None), None)
