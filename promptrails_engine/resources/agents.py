"""`engine.agents`: agents, their versions, and running them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from promptrails_engine import definitions
from promptrails_engine.definitions.configs import AnyAgentConfig
from promptrails_engine.definitions.drawing import Drawing, DrawingFormat
from promptrails_engine.definitions.guards import GuardrailSpec
from promptrails_engine.definitions.records import Agent, AgentVersion
from promptrails_engine.definitions.settings import (
    ApprovalPolicy,
    Limits,
    ModelConfig,
    RunBudget,
    SubAgentAttachment,
    ToolAttachment,
)
from promptrails_engine.faces import M_co, method
from promptrails_engine.resources.agent_guards import Action, Direction, Guardrail, add_guard, list_guards
from promptrails_engine.resources.base import EngineResource, page_slice
from promptrails_engine.resources.drawings import draw_agent
from promptrails_engine.resources.keyed import execute_once
from promptrails_engine.results import ExecutionResult, Page, PromptPreview, page_of
from promptrails_engine.rows import execution_result
from promptrails_engine.run.pipeline import json_object, plan_input
from promptrails_engine.run.preview import preview_plan
from promptrails_engine.run.runner import RunOptions
from promptrails_engine.streams import AsyncEventStream, EventSource, LiveEvents, streaming

if TYPE_CHECKING:
    from promptrails_engine.definitions.changes import VersionDiff

_Config = AnyAgentConfig | Mapping[str, Any]
_Tools = Sequence[str | ToolAttachment | Mapping[str, Any]]
_SubAgents = Sequence[str | SubAgentAttachment | Mapping[str, Any]]
_Guardrails = Sequence[GuardrailSpec | Mapping[str, Any]]

_CONTENT = (  # arguments that make a version, by the name under which it holds them
    "config",
    "input_schema",
    "output_schema",
    "model_config",
    "run_budget",
    "approval_policy",
    "cache_timeout",
    "tools",
    "sub_agents",
    "guardrails",
)

_list = list  # the classes below have a method of that name


class Agents(EngineResource[M_co]):
    """Agents.  An id may be given as the unique name too, a version as its id or label."""

    @method
    async def list(
        self,
        *,
        page: int = 1,
        limit: int = 20,
        type: str | None = None,
        name: str | None = None,
        status: str | None = None,
    ) -> Page[Agent]:
        """One page of agents, newest first.  `name` matches a part; deleted ones are left out."""
        await self._parts.ready()
        offset, limit = page_slice(page, limit)
        found, total = await self._parts.agents.list(offset=offset, limit=limit, type=type, name=name, status=status)
        return page_of(found, total, page, limit)

    @method
    async def get(self, agent_id: str) -> Agent:
        """The agent and its current version.

        Raises:
            NotFoundError: there is none.
        """
        await self._parts.ready()
        return await self._parts.agents.get(agent_id)

    @method
    async def create(
        self,
        name: str,
        type: str | None = None,
        description: str = "",
        *,
        labels: Sequence[str] = (),
        config: _Config | None = None,
        input_schema: Mapping[str, Any] | None = None,
        output_schema: Mapping[str, Any] | None = None,
        model_config: ModelConfig | Mapping[str, Any] | None = None,
        run_budget: RunBudget | Mapping[str, Any] | None = None,
        approval_policy: ApprovalPolicy | Mapping[str, Any] | None = None,
        cache_timeout: int | None = None,
        tools: _Tools = (),
        sub_agents: _SubAgents = (),
        guardrails: _Guardrails = (),
        version: str | None = None,
        message: str = "",
    ) -> Agent:
        """A new agent.  With a config given, its first version is made of these arguments and is current.

        The arguments from `config` on are those of `create_version`; `type` may then be left out.

        Raises:
            ConflictError: the name is taken.
            DefinitionError: an argument cannot be used.
            NotFoundError: the config names a prompt or agent that does not exist.
        """
        await self._parts.ready()
        content = None if config is None else _content(locals())
        return await self._parts.agents.create(
            name, type, description=description, labels=labels, content=content, label=version, message=message
        )

    @method
    async def create_version(
        self,
        agent_id: str,
        version: str | None = None,
        config: _Config | None = None,
        *,
        input_schema: Mapping[str, Any] | None = None,
        output_schema: Mapping[str, Any] | None = None,
        model_config: ModelConfig | Mapping[str, Any] | None = None,
        run_budget: RunBudget | Mapping[str, Any] | None = None,
        approval_policy: ApprovalPolicy | Mapping[str, Any] | None = None,
        cache_timeout: int | None = None,
        tools: _Tools = (),
        sub_agents: _SubAgents = (),
        guardrails: _Guardrails = (),
        set_current: bool = False,
        message: str = "",
    ) -> AgentVersion:
        """A new, immutable version; without a label in `version` it gets the next free one (v1, v2, ...).

        Args:
            agent_id: the agent's id or name.
            version: the version's label.
            config: a typed config, such as `SimpleAgentConfig(prompt_id=...)`, or its JSON data.
            input_schema: JSON Schema of the input; its defaults are filled in.
            output_schema: JSON Schema of the output.
            model_config: model and sampling for all prompts, instead of the prompt versions'.
            run_budget: limits of each run and of all below it.
            approval_policy: who decides what runs have to wait for, and for how long; anybody where it is not given.
            cache_timeout: seconds for which an equal model call is answered from the cache, for all prompts.
            tools: tools that the prompts may use, by name.
            sub_agents: other agents that the prompts of a simple agent or a chain may call as tools, each an id or name
                or a `SubAgentAttachment`.
            guardrails: guards of its input, its output and its tool calls, each a `GuardrailSpec`.
            set_current: make it the current version.
            message: why it was made.

        Raises:
            NotFoundError: no such agent, or the config names a prompt or agent that does not exist.
            ConflictError: the label is taken.
            DefinitionError: an argument cannot be used.
        """
        await self._parts.ready()
        content = _content(locals())
        return await self._parts.agents.create_version(
            agent_id, content, label=version, set_current=set_current, message=message
        )

    @method
    async def update(
        self,
        agent_id: str,
        *,
        name: str | None = None,
        description: str | None = None,
        labels: Sequence[str] | None = None,
        status: str | None = None,
    ) -> Agent:
        """The agent with what is given changed; content changes by a new version only.

        Raises:
            NotFoundError: no such agent.
            ConflictError: the name is taken.
        """
        await self._parts.ready()
        return await self._parts.agents.update(
            agent_id, name=name, description=description, labels=labels, status=status
        )

    @method
    async def archive(self, agent_id: str) -> Agent:
        """The agent, archived: it is kept, and refuses to run."""
        await self._parts.ready()
        return await self._parts.agents.update(agent_id, status="archived")

    @method
    async def restore(self, agent_id: str) -> Agent:
        """The agent, active again."""
        await self._parts.ready()
        return await self._parts.agents.update(agent_id, status="active")

    @method
    async def delete(self, agent_id: str) -> None:
        """Hide the agent for good; its executions stay, and the name is free again."""
        await self._parts.ready()
        await self._parts.agents.delete(agent_id)

    @method
    async def list_versions(self, agent_id: str) -> _list[AgentVersion]:
        """All versions, newest first."""
        await self._parts.ready()
        return await self._parts.agents.list_versions(agent_id)

    @method
    async def get_version(self, agent_id: str, version_id: str | None = None) -> AgentVersion:
        """A version by id or label; the current one where none is named."""
        await self._parts.ready()
        return await self._parts.agents.get_version(agent_id, version_id)

    @method
    async def promote_version(self, agent_id: str, version_id: str) -> AgentVersion:
        """The version, now current.  Promoting an older version is how to roll back.

        Raises:
            NotFoundError, VersionMismatchError: no such version of this agent.
        """
        await self._parts.ready()
        return await self._parts.agents.promote_version(agent_id, version_id)

    @method
    async def diff(self, agent_id: str, old: str, new: str | None = None) -> VersionDiff:
        """What changed between two versions, by id or label; `new` is the current one where it is not named."""
        await self._parts.ready()
        agents = self._parts.agents
        return definitions.diff_versions(
            await agents.get_version(agent_id, old), await agents.get_version(agent_id, new)
        )

    @method
    async def draw(
        self,
        agent_id: str,
        format: DrawingFormat = "mermaid",
        *,
        version_id: str | None = None,
        execution_id: str | None = None,
    ) -> Drawing:
        """A picture of the agent: `.text` of a Mermaid flowchart or an SVG, `.data`, and `.save(path)`.

        Args:
            agent_id: the agent's id or name.
            format: `mermaid`; `svg` or `png`, which need the extra `drawing`.
            version_id: the version to draw instead of the current one.
            execution_id: a run of this agent, whose version is drawn with the state, time and cost of each part.

        Raises:
            NotFoundError: no such agent, version or execution of it.
            MissingExtraError: the extra is not installed.
            ConfigurationError: there is no such format.
        """
        await self._parts.ready()
        return await draw_agent(self._parts, agent_id, format, version_id, execution_id)

    # -------------------------------------------------------------- running

    @method
    async def execute(
        self,
        agent_id: str,
        input: Mapping[str, Any],
        *,
        session_id: str = "",
        user_id: str = "",
        version_id: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        limits: Limits | None = None,
        sync: bool = True,
        idempotency_key: str | None = None,
    ) -> ExecutionResult:
        """The result of one run, once it is on record; a run that failed is a result too (see `raise_for_status`).

        A run that waits for an approval is a result of the status `awaiting_approval`: it goes on once that is decided.

        Args:
            agent_id: the agent's id or name.
            input: named values for the templates.
            session_id: joins runs, and their tools' state, to one conversation.
            user_id: who it runs for.
            version_id: the version to run instead of the current one.
            metadata: JSON data kept with the execution.
            limits: limits of this run; what they leave open is the agent's and the engine's.
            sync: False returns as soon as the execution is on record as `pending`; it runs in the background, here or
                in a worker on the same store.  `executions.stream(id)` and `executions.get(id)` follow it.
            idempotency_key: names this execution in its workspace.  A call with the key of one that is there starts
                nothing, and returns that one as it then is, finished or not.  The run goes on if its caller gives up.

        Raises:
            NotFoundError, ArchivedError, VersionMismatchError, ValidationError, InputInvalidError, TemplateError,
            ModelNotServedError: it cannot be run; nothing was stored.
            ConflictError: the key belongs to an execution of another agent, or with other input; its code is
                `idempotency_conflict`.
            StoreError: its end could not be put on record.
        """
        parts = self._parts
        await parts.ready()
        options = RunOptions(session_id, user_id, json_object(metadata, "metadata") if metadata else {}, limits)
        if idempotency_key is not None:
            return execution_result(
                await execute_once(parts, idempotency_key, agent_id, version_id, input, options, sync=sync)
            )
        plan = await parts.planner.plan(agent_id, version_id)
        data = plan_input(plan, input)
        if not sync:
            return execution_result(await parts.dispatcher.enqueue(plan, data, options))
        return execution_result(await parts.runner.run(plan, data, options))

    @streaming
    def stream(
        self,
        agent_id: str,
        input: Mapping[str, Any],
        *,
        session_id: str = "",
        user_id: str = "",
        version_id: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        limits: Limits | None = None,
    ) -> AsyncEventStream:
        """The events of one run as they come: `execution` first, and where it ends exactly one `done` or `error` last.

        Where it stops for now, the stream ends as well: after `approval_required` if it waits for approvals, and after
        whatever came last if it goes on elsewhere, for the engine was closed.

        Arguments and errors are those of `execute`.  Leaving the stream does not stop the run; to attach again use
        `executions.stream(id, after=n)`, to stop it `executions.cancel(id)`.
        """
        parts = self._parts

        async def start() -> EventSource:
            await parts.ready()
            plan = await parts.planner.plan(agent_id, version_id)
            options = RunOptions(session_id, user_id, json_object(metadata, "metadata") if metadata else {}, limits)
            events = LiveEvents(*parts.runner.start(plan, plan_input(plan, input), options))
            await events.begun()
            return events

        return AsyncEventStream(start, 0)

    @method
    async def preview(
        self, agent_id: str, input: Mapping[str, Any], version_id: str | None = None
    ) -> _list[PromptPreview]:
        """The first model call of each prompt, in order, exactly as it would be sent; nothing is sent or stored.

        What an earlier prompt would answer is not known: later ones show `{{ previous_output }}` in its place, and the
        aggregator of a multi_agent `{{ results.<role>.text }}`.  The prompts of agents that this one runs are left out.

        Raises:
            as `execute`.
        """
        await self._parts.ready()
        plan = await self._parts.planner.plan(agent_id, version_id)
        return await preview_plan(plan, plan_input(plan, input))

    # -------------------------------------------------------------- guards

    @method
    async def list_guardrails(self, agent_id: str) -> _list[Guardrail]:
        """The guards of an agent's current version, as `guardrails.list`."""
        return await list_guards(self._parts, agent_id)

    @method
    async def create_guardrail(
        self,
        agent_id: str,
        type: Direction,
        scanner_type: str,
        action: Action = "block",
        config: Mapping[str, Any] | None = None,
        *,
        is_active: bool = True,
        sort_order: int | None = None,
    ) -> Guardrail:
        """A new guard of an agent, as `guardrails.create`."""
        return await add_guard(self._parts, agent_id, type, scanner_type, action, config, is_active, sort_order)


def _content(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """The content of a version, out of all arguments of a method that makes one."""
    given = {name: arguments[name] for name in _CONTENT}
    return given | {name: _list(given[name]) or None for name in ("tools", "sub_agents", "guardrails")}
