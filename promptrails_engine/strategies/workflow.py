"""A graph of prompts, tools and agents: what does not depend on each other runs at once, conditions skip branches."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from promptrails_engine.definitions.digest import compact_json
from promptrails_engine.definitions.graph_nodes import ERRORS_KEY
from promptrails_engine.errors import ApprovalRejectedError, ConfigurationError, PromptRailsError, TemplateError
from promptrails_engine.ports.sink import Span
from promptrails_engine.results import output_text
from promptrails_engine.run.approvals import decision, denial
from promptrails_engine.run.children import run_child
from promptrails_engine.run.context import RunContext
from promptrails_engine.run.expressions import Expression, evaluate_async, holds_async
from promptrails_engine.run.graph import GraphRun, run_each, run_graph
from promptrails_engine.run.guarding import restored
from promptrails_engine.run.labelling import guard_later
from promptrails_engine.run.media_step import run_media_step
from promptrails_engine.run.plan import Checkpoint, MediaTask, Node, Plan, Workflow
from promptrails_engine.run.prompt_step import StepOutput, render_step, run_prompt_step
from promptrails_engine.run.query_step import run_query_step
from promptrails_engine.run.tool_result import result_text
from promptrails_engine.run.tool_step import run_tool_step
from promptrails_engine.run.verdicts import note_borne, raise_borne
from promptrails_engine.schema.instance import kind_of
from promptrails_engine.schema.kinds import is_array, is_object

_MOST_ITEMS = 10_000


@dataclass(slots=True)
class _Result:
    """What a node came to."""

    text: str
    output: Any
    """As `steps.<id>.output`."""
    value: Any
    """As the flat name: the text of a plain answer, else the data."""
    shown: Any = None
    """As in spans, where that is not the output."""

    @property
    def wire(self) -> dict[str, Any]:
        """As the run's output."""
        if isinstance(self.output, str):
            return {"content": self.output, "type": "text"}
        return self.output if is_object(self.output) else {"value": self.output}

    @property
    def seen(self) -> Any:
        """As spans hold it."""
        return self.output if self.shown is None else self.shown


_NOTHING = _Result("", None, None)
"""Of a node that did not run."""


async def run_workflow(ctx: RunContext, root: Span) -> StepOutput:
    """The output of the node on which nothing depends; where there are several, theirs by node id.

    To templates and expressions `steps.<id>.output` and `steps.<id>.text` are the results of all nodes that a node
    depends on, near or far, and `<id>` stands for the result itself; `previous_output` is the text of its only
    dependency.  A node that did not run has null as output, and the run's input is there throughout.
    """
    workflow = ctx.plan.workflow
    if workflow is None:
        raise ConfigurationError(f"the plan of agent '{ctx.plan.agent_name}' holds no graph")
    run = _WorkflowRun(ctx, root, workflow)
    ended = await run_graph(
        workflow.graph,
        run.node,
        policy=workflow.failure_policy,
        joins=workflow.joins,
        passed_over=run.pass_over,
    )
    result = run.output(ended)
    if not ctx.on_record:
        await ctx.begin()  # every node was skipped
    result.unsaid = not run.shown
    return result


class _WorkflowRun:
    """One run of a workflow: the results so far."""

    __slots__ = ("_ctx", "_results", "_root", "_steps", "_workflow", "shown")

    def __init__(self, ctx: RunContext, root: Span, workflow: Workflow) -> None:
        self._ctx = ctx
        self._root = root
        self._workflow = workflow
        self._results: dict[str, _Result] = {}
        self._steps: dict[str, dict[str, Any]] = {}
        self.shown = False
        """Whether the answer has gone to the listeners already."""

    # -------------------------------------------------------------- nodes

    async def node(self, name: str) -> str | None:
        """Run a node; the reason if its condition is false."""
        node = self._workflow.nodes[name]
        ctx = self._ctx
        try:
            return await ctx.step("agent_step", name, node.key, self._root, self._run, node)
        except PromptRailsError as error:
            if self._workflow.failure_policy == "settle":
                note_borne(ctx, node.key, error)
            raise

    async def _run(self, ctx: RunContext, span: Span, node: Node) -> str | None:
        span.attributes["node_type"] = node.kind
        if ctx.past is not None:
            raise_borne(ctx, node.key)
        offered = self._offered(node)
        values: dict[str, Any] = {}
        if node.condition is not None or node.map_over is not None or node.mapping is not None:
            values = {**ctx.input, **offered, "input": ctx.input}
        if node.condition is not None and not await holds_async(node.condition, values):
            reason = f"its condition is false: {node.condition.source}"
            span.attributes["skipped"] = reason
            return reason
        if node.map_over is None:
            result = await self._act(ctx, span, node, offered, values)
        else:
            result = await self._map(ctx, span, node, node.map_over, offered, values)
        span.output = result.seen
        self._results[node.id] = result
        self._steps[node.id] = {"output": result.output, "text": result.text}
        return None

    def pass_over(self, name: str, reason: str) -> None:
        """Say in the trace why a node did not run."""
        node = self._workflow.nodes[name]
        self._ctx.note_span("agent_step", name, node.key, self._root, {"node_type": node.kind, "skipped": reason})

    async def _map(
        self,
        ctx: RunContext,
        span: Span,
        node: Node,
        over: Expression,
        offered: Mapping[str, Any],
        values: Mapping[str, Any],
    ) -> _Result:
        """The list of what the node comes to for each item."""
        items = _items(node, over, await evaluate_async(over, values))
        results: list[Any] = [None] * len(items)
        shown: list[Any] = [None] * len(items)

        async def run_one(index: int) -> None:
            here = {"item": items[index], "index": index}
            found = await ctx.step(
                "agent_step",
                f"{node.id}[{index}]",
                f"{node.key}[{index}]",
                span,
                self._item,
                replace(node, key=f"{node.key}[{index}]"),
                {**offered, **here},
                {**values, **here},
            )
            results[index] = found.value
            shown[index] = found.value if found.shown is None else found.shown

        await run_each(len(items), node.map_concurrency, run_one)
        return _Result(compact_json(results), results, results, shown)

    async def _item(
        self, ctx: RunContext, span: Span, node: Node, offered: Mapping[str, Any], values: Mapping[str, Any]
    ) -> _Result:
        result = await self._act(ctx, span, node, offered, values)
        span.output = result.seen
        return result

    async def _act(
        self, ctx: RunContext, span: Span, node: Node, offered: Mapping[str, Any], values: Mapping[str, Any]
    ) -> _Result:
        """The result of what the node runs."""
        if node.agent is not None:
            return await self._child(ctx, span, node, node.agent, values)
        mapped = {} if node.mapping is None else await node.mapping.evaluate(values)
        if node.tool is not None:
            value = await run_tool_step(ctx, span, node.tool, mapped, node.key)
            return _Result(result_text(value), value, value)
        if node.query is not None:
            rows = await run_query_step(ctx, span, node.query, mapped, node.key)
            return _Result(result_text(rows), rows, rows)
        if node.media is not None:
            return await self._media(ctx, span, node, node.media, offered, mapped)
        if node.checkpoint is not None:
            return await self._approve(ctx, node, node.checkpoint, offered, mapped)
        if node.step is None:
            raise ConfigurationError(f"node '{node.id}' is of type '{node.kind}', which cannot be run")
        step = node.step if node.step.key == node.key else replace(node.step, key=node.key)
        final = node.map_over is None and self._workflow.graph.sinks == (node.id,)
        found = await run_prompt_step(ctx, span, step, ctx.input, {**offered, **mapped}, final=final)
        self.shown = self.shown or final
        return _Result(found.text, found.output, found.text if step.output_validator is None else found.value)

    async def _approve(
        self,
        ctx: RunContext,
        node: Node,
        checkpoint: Checkpoint,
        offered: Mapping[str, Any],
        mapped: dict[str, Any],
    ) -> _Result:
        """What somebody decided.

        Raises:
            Parked: nobody has decided yet.
            ApprovalRejectedError: it was rejected, and that ends the run.
        """
        payload = mapped
        if node.mapping is None and "previous_output" in offered:
            payload = {"content": offered["previous_output"]}
        bound = {"agent_version_id": ctx.plan.version_id}
        shown = restored(ctx.labels.known, payload) if ctx.labels.known else payload  # to who decides, not to models
        decided = await decision(ctx, f"{node.key}/approval", checkpoint.name, shown, bound)
        if decided.status == "rejected" and not checkpoint.goes_on:
            raise ApprovalRejectedError(
                f"'{checkpoint.name}' was {denial(decided)}", details={"approval_id": decided.id}
            )
        output = {
            "status": decided.status,
            "reason": decided.reason,
            "decided_by": decided.decided_by,
            "payload": payload,
        }
        return _Result(decided.status, output, output)

    async def _media(
        self,
        ctx: RunContext,
        span: Span,
        node: Node,
        task: MediaTask,
        offered: Mapping[str, Any],
        mapped: Mapping[str, Any],
    ) -> _Result:
        """What a media job makes, of the text of the node's prompt, or of its only dependency, if nothing else says."""
        text = offered.get("previous_output")
        if node.step is not None:
            step = replace(node.step, key=node.key)
            text = (await render_step(ctx, span, step, ctx.input, {**offered, **mapped}))[-1].content
        made = await run_media_step(ctx, span, task, mapped, text, node.key)
        return _Result(made.text, made.output, made.output, made.shown)

    async def _child(self, ctx: RunContext, span: Span, node: Node, agent: Plan, values: Mapping[str, Any]) -> _Result:
        """What another agent comes to, as a child execution."""
        if node.mapping is not None:
            data = await node.mapping.evaluate(values)
        else:
            data = dict(ctx.input)
            if node.map_over is not None:
                data |= {"item": values["item"], "index": values["index"]}
        final = node.map_over is None and self._workflow.graph.sinks == (node.id,)
        row = await run_child(ctx, span, agent, data, relay=final)
        self.shown = self.shown or final
        ctx.truncated = ctx.truncated or (final and row.truncated)
        output = row.output or {}
        if ctx.guards.tool_results and not final:
            key = f"{node.key}/child"
            output = await guard_later(ctx, span, "tool_results", output, key, f"{key}/guards/result")
        text = output_text(output)
        return _Result(text, output, text if output == {"content": text, "type": "text"} else output)

    # -------------------------------------------------------------- data

    def _offered(self, node: Node) -> dict[str, Any]:
        """What the templates of a node may read beside the input."""
        if not node.parents:
            return {}
        results = self._results
        offered: dict[str, Any] = {name: results.get(name, _NOTHING).value for name in node.reads}
        offered["steps"] = {name: self._steps.get(name, {"output": None, "text": ""}) for name in node.reads}
        if len(node.parents) == 1:
            offered["previous_output"] = results.get(node.parents[0], _NOTHING).text
        return offered

    def output(self, ended: GraphRun) -> StepOutput:
        """The run's output.

        Raises:
            Exception: a fault in the engine, or the first error, if no node that makes the output could run.
        """
        sinks = self._workflow.graph.sinks
        if ended.errors:
            first = next(iter(ended.errors.values()))
            faults = [error for error in ended.errors.values() if not isinstance(error, PromptRailsError)]
            if faults or all(ended.states[name] in ("failed", "blocked") for name in sinks):
                raise faults[0] if faults else first
        results = [self._results.get(name, _NOTHING) for name in sinks]
        if len(sinks) == 1:
            output = results[0].wire
        else:
            output = {
                name: result.wire if ended.states[name] == "done" else None
                for name, result in zip(sinks, results, strict=True)
            }
        if ended.errors:
            output = {**output, ERRORS_KEY: _failures(ended)}
        return StepOutput(output_text(output), output)


def _failures(ended: GraphRun) -> dict[str, dict[str, str]]:
    """What did not run because of an error, and why."""
    found: dict[str, dict[str, str]] = {}
    for name, state in ended.states.items():
        error = ended.errors.get(name)
        if isinstance(error, PromptRailsError):
            found[name] = {"code": error.code, "message": error.message}
        elif state == "blocked":
            found[name] = {"code": "blocked", "message": ended.reasons[name]}
    return found


def _items(node: Node, over: Expression, items: Any) -> list[Any]:
    if not is_array(items):
        raise TemplateError(
            f"map_over of node '{node.id}' has to give a list and gives {kind_of(items)}: {over.source}"
        )
    if len(items) > _MOST_ITEMS:
        raise TemplateError(f"map_over of node '{node.id}' gives {len(items)} items; at most {_MOST_ITEMS} are run")
    return items
