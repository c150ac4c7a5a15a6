"""Runs that wait for decisions: taken to their end, and compared with runs that did not have to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from promptrails_engine import (
    ApprovalRequest,
    AsyncEngine,
    BadRequestError,
    ExecutionResult,
    FunctionTool,
    ToolAttachment,
    tool,
)
from promptrails_engine.events import Event
from promptrails_engine.ports.tool import Effect
from promptrails_engine.testing import Reply, ToolUse

Order = Callable[[Sequence[ApprovalRequest]], Sequence[ApprovalRequest]]
_MOST_PAUSES = 50


@dataclass
class Ledger:
    """What tools did, in order."""

    lines: list[str] = field(default_factory=list)

    def tool(self, name: str, effect: Effect = "effect", fails: bool = False) -> FunctionTool[..., Any]:
        """A tool that writes its argument down, and then may fail."""

        async def write(what: str) -> str:
            self.lines.append(f"{name} {what}")
            if fails:
                raise ValueError(f"{name} is broken")
            return f"{name} did {what}"

        return tool(write, name=name, description="Writes.", effect=effect)

    @property
    def counts(self) -> Counter[str]:
        return Counter(self.lines)


def worker(request: Any) -> Any:
    """Writes what it is told to, or asks all that it can, and reports it; refuses a `no`; repeats all else."""
    last = request.messages[-1]
    if last.role == "tool":
        return f"[{last.content}]"
    verb, _, rest = last.content.partition(" ")
    if verb == "write":
        return ToolUse("write", {"what": rest})
    if verb == "ask":
        calls = [ToolUse(name, {"task": rest}) for name in sorted(spec.name for spec in request.tools)]
        return Reply(tool_calls=calls)
    return BadRequestError("no") if verb == "no" else f"<{last.content}>"


def guarded(*names: str) -> list[ToolAttachment]:
    return [ToolAttachment(name, requires_approval=True) for name in names]


async def pending(engine: AsyncEngine, result: ExecutionResult) -> list[ApprovalRequest]:
    """What the tree waits for, the oldest first."""
    page = await engine.approvals.list(root_execution_id=result.execution_id, status="pending", limit=100)
    return sorted(page, key=lambda request: request.key)


async def decide(engine: AsyncEngine, result: ExecutionResult, *decisions: Any, order: Order = list) -> ExecutionResult:
    """The result once all that waits now is decided: so in turn, the last one for all that follow."""
    requests = order(await pending(engine, result))
    assert requests
    for index, request in enumerate(requests):
        decision = decisions[min(index, len(decisions) - 1)] if decisions else "approved"
        await engine.approvals.decide(request.id, decision, resume=False)
    return await engine.executions.resume(result.execution_id)


async def approved(engine: AsyncEngine, result: ExecutionResult, order: Order = list) -> ExecutionResult:
    """The result at the very end, with all approved that it asks for."""
    for _ in range(_MOST_PAUSES):
        if result.status != "awaiting_approval":
            return result
        result = await decide(engine, result, order=order)
    raise AssertionError("it never ends")


# ------------------------------------------------------------------ what is on record


async def events_of(engine: AsyncEngine, execution_id: str) -> list[Event]:
    return await engine._store.read_events(engine._workspace_id, execution_id, 0)


async def types_of(engine: AsyncEngine, execution_id: str) -> list[str]:
    """The kinds of the events, pieces of an answer as one; their numbers have no gap."""
    events = await events_of(engine, execution_id)
    assert [event.seq for event in events] == list(range(1, len(events) + 1))
    found: list[str] = []
    for event in events:
        if event.type != "content" or found[-1:] != ["content"]:
            found.append(event.type)
    return found


async def shape_of(engine: AsyncEngine, result: ExecutionResult) -> list[tuple[Any, ...]]:
    """The spans of a run as kind, name, key, status and what went wrong, each with those above it."""
    spans = await engine.traces.get_by_trace_id(result.trace_id)
    by_id = {span.span_id: span for span in spans}
    assert len(by_id) == len(spans)

    def path(span: Any) -> tuple[Any, ...]:
        own = (span.kind, span.name, span.attributes.get("key", ""), span.status, span.error_type)
        if not span.parent_span_id:
            return (own,)
        return (*path(by_id[span.parent_span_id]), own)

    return sorted(path(span) for span in spans)


async def tree_of(engine: AsyncEngine, result: ExecutionResult) -> Any:
    """Status, output and spend of the execution and of those below it."""

    def told(one: Any) -> Any:
        spend = (one.token_usage, one.cost, one.cost_known)
        below = sorted((told(child) for child in one.children), key=repr)
        return (one.status, one.output, one.error_code, spend, below)

    return told(await engine.executions.tree(result.execution_id))
