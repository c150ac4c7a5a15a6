"""A user's file, as a type checker in strict mode sees it.  It is checked, not run."""

from __future__ import annotations

import asyncio

from promptrails_engine import (
    AgentExecution,
    ApprovalPolicy,
    ApprovalRequest,
    ApprovalRequiredEvent,
    AsyncEngine,
    ChainAgentConfig,
    ContentEvent,
    Drawing,
    Engine,
    ExecutionDiff,
    ExecutionResult,
    HookEvent,
    Limits,
    Migration,
    MultiAgentConfig,
    Page,
    Prompt,
    PromptLink,
    PromptVersion,
    RateLimitError,
    SimpleAgentConfig,
    ToolAttachment,
    ToolContext,
    Webhook,
    tool,
)
from promptrails_engine.testing import Reply, ScriptedProvider, ToolUse


@tool
async def lookup(order: int, ctx: ToolContext) -> dict[str, str]:
    """Look an order up."""
    return {"order": str(order), "session": ctx.session_id}


@tool(effect="pure")
def shout(text: str) -> str:
    """Say it loudly."""
    return text.upper()


def sync_service(store: str | None = None) -> str:
    provider = ScriptedProvider([Reply("hello"), ToolUse("lookup", {"order": 1})])
    with Engine(store, providers=[provider], tools=[lookup, shout], limits=Limits(max_cost=1.0)) as engine:
        prompt: Prompt = engine.prompts.create("P", user_prompt="{{ text }}", model="scripted/m", tools=["lookup"])
        version: PromptVersion = engine.prompts.create_version(prompt.id, user_prompt="{{ text }}!", set_current=True)
        agent = engine.agents.create(
            "A", config=ChainAgentConfig([PromptLink(prompt.id, "first", 1)]), labels=[version.version]
        )
        engine.agents.create("M", config=MultiAgentConfig([PromptLink(prompt.id, "r", 1)], aggregation="vote"))
        result: ExecutionResult = engine.agents.execute(agent.id, {"text": "hi"}, session_id="s")
        drawing: Drawing = engine.agents.draw(agent.id, "svg", execution_id=result.execution_id)
        pieces: list[str] = [drawing.text]
        for event in engine.agents.stream(agent.id, {"text": "hi"}):
            if isinstance(event, ContentEvent):
                pieces.append(event.content)
        page: Page[AgentExecution] = engine.executions.list(agent_id=agent.id, limit=10)
        names = [execution.status for execution in page]
        diff: ExecutionDiff = engine.executions.diff(page[0].id, result.execution_id)
        names += [step.key for step in diff.steps if not step.is_same] + [diff.diverged_at or "nowhere"]
        fork: ExecutionResult = engine.executions.fork(
            result.id, at="steps[0]", prompt={"user_prompt": "Hey"}, model="m/n"
        )
        found: Migration = engine.executions.migrate(fork.id, "v2", dry_run=True)
        names += [str(change.new) for change in found.changes] + [step.key for step in found.lost]
        total: float = engine.costs.get_summary().total_cost
        try:
            result.raise_for_status()
        except RateLimitError as error:
            return str(error.retry_after_s)
        return f"{result.text} {pieces} {names} {total} {shout('x')}"


async def told(event: HookEvent) -> None:
    print(event.event, event.data)


def with_approvals() -> list[str]:
    with Engine(hooks={"approval.decided": [told, print, Webhook("https://example.com/hook", secret="s")]}) as engine:
        engine.agents.create(
            "A",
            config=SimpleAgentConfig("P", approval_required=True),
            tools=[ToolAttachment("lookup", requires_approval=True)],
            approval_policy=ApprovalPolicy("assigned", ["ann"], expires_in_s=60),
        )
        page: Page[ApprovalRequest] = engine.approvals.list(status="pending")
        for event in engine.agents.stream("A", {"text": "hi"}):
            if isinstance(event, ApprovalRequiredEvent):
                engine.approvals.decide(event.approval_id, "approved", "fine", decided_by="ann")
        return [request.checkpoint_name for request in page]


async def async_service() -> ExecutionResult:
    async with AsyncEngine(providers=[ScriptedProvider(["hello"])], model="scripted/m") as engine:
        prompt = await engine.prompts.create("P", user_prompt="{{ text }}")
        agent = await engine.agents.create("A", config=SimpleAgentConfig(prompt_id=prompt.id))
        async with engine.agents.stream(agent.id, {"text": "hi"}) as stream:
            async for event in stream:
                print(event.seq, event.type)
        result = await stream.result()
        diff: ExecutionDiff = await engine.executions.diff(result.id, result.id)
        return result if diff.is_empty else (await stream.result())


if __name__ == "__main__":
    print(sync_service(), asyncio.run(async_service()))
