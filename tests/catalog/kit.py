"""What the tests of pinned plans share: agents of every kind, what may happen to them, and what a model was asked."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from typing import Any

from promptrails_engine import (
    AsyncEngine,
    ChainAgentConfig,
    CompositeAgentConfig,
    CompositeStep,
    ExecutionResult,
    MultiAgentConfig,
    PromptLink,
    SimpleAgentConfig,
    SubAgentAttachment,
    WorkflowAgentConfig,
    WorkflowNode,
)
from promptrails_engine.catalog.planner import Planner
from promptrails_engine.rows import execution_result
from promptrails_engine.run.pipeline import plan_input
from promptrails_engine.run.plan import Plan
from promptrails_engine.run.runner import RunOptions
from promptrails_engine.testing import ScriptedProvider, ToolUse

FATES = ["promoted", "archived", "deleted"]
INPUT = {"x": "1"}


def double(n: int) -> int:
    """Twice the number."""
    return 2 * n


def answer(request: Any) -> Any:
    """An echo; who has tools calls the first of them once, and who picks takes `a`."""
    last = request.messages[-1]
    if last.role == "tool":
        return f"[{last.content}]"
    if request.tools:
        tool = request.tools[0]
        return ToolUse(tool.name, {"n": 2} if tool.name == "double" else {"task": "sub"})
    return '{"roles": ["a"]}' if last.content.startswith("pick") else f"<{last.content}>"


def engine_over(store: Any = None, *, model: str = "scripted/m", **more: Any) -> tuple[AsyncEngine, ScriptedProvider]:
    provider = ScriptedProvider(answer)
    return AsyncEngine(store, providers=[provider], model=model, **{"tools": [double], **more}), provider


def planner(engine: AsyncEngine) -> Planner:
    return engine._parts.planner


async def run(engine: AsyncEngine, plan: Plan) -> ExecutionResult:
    row = await engine._parts.runner.run(plan, plan_input(plan, INPUT), RunOptions())
    return execution_result(row)


async def lock_of(engine: AsyncEngine, result: ExecutionResult) -> dict[str, Any]:
    return (await engine.executions.get(result.execution_id)).version_lock


def asked(provider: ScriptedProvider) -> list[Any]:
    """All that the model was asked, in no order: what runs side by side has none."""
    return sorted(
        (
            request.model,
            [(message.role, message.content) for message in request.messages],
            [tool.name for tool in request.tools],
            request.temperature,
        )
        for request in provider.requests
    )


def steps_of(plan: Plan) -> list[Any]:
    """Of all prompts of a tree: where they are, their versions, texts and models."""
    return [
        (one.agent_id, one.version_id, step.key, step.version.id, step.version.user_prompt, step.model.name)
        for one in tree(plan)
        for step in one.steps
    ]


def tree(plan: Plan) -> Iterator[Plan]:
    yield plan
    nodes = plan.workflow.nodes.values() if plan.workflow is not None else ()
    for node in nodes:
        if node.agent is not None:
            yield from tree(node.agent)
    for sub in plan.steps[0].sub_agents.values() if plan.steps else ():
        yield from tree(sub.plan)


# ------------------------------------------------------------------ agents


async def prompt(engine: AsyncEngine, name: str, text: str | None = None, **more: Any) -> str:
    return (await engine.prompts.create(name, user_prompt=text or f"{name} {{{{ x }}}}", **more)).id


async def agent(engine: AsyncEngine, name: str, config: Any, **more: Any) -> str:
    return (await engine.agents.create(name, config=config, **more)).id


async def simple(engine: AsyncEngine, name: str = "simple", **more: Any) -> str:
    text = more.pop("text", None)
    return await agent(engine, name, SimpleAgentConfig(await prompt(engine, f"p {name}", text)), **more)


async def with_tools(engine: AsyncEngine) -> str:
    return await simple(engine, tools=["double"], model_config={"temperature": 0.1})


async def with_a_model(engine: AsyncEngine) -> str:
    return await simple(engine, model_config={"model_id": "scripted/fixed"})


async def chain(engine: AsyncEngine) -> str:
    first = await prompt(engine, "first", "first {{ x }} {{ previous_output }}")
    second = await prompt(engine, "second", "second {{ previous_output }}", llm_model_id="scripted/own")
    links = [PromptLink(ref, f"r{order}", order) for order, ref in enumerate([first, second, first])]
    return await agent(engine, "chain", ChainAgentConfig(links))


async def multi(engine: AsyncEngine) -> str:
    links = [PromptLink(await prompt(engine, name), name, order) for order, name in enumerate("ab")]
    router = await prompt(engine, "pick", "pick {{ roles }}")
    joined = await prompt(engine, "join", "join {{ results.a.text }}")
    config = MultiAgentConfig(
        links, aggregation="prompt", aggregator_prompt_id=joined, router_prompt_id=router, failure_policy="settle"
    )
    return await agent(engine, "multi", config)


async def workflow(engine: AsyncEngine) -> str:
    helper = await simple(engine, "helper", text="H {{ q }}")
    nodes = [
        WorkflowNode("last", ["sub", "tool"], prompt_id=await prompt(engine, "last", "last {{ sub }} {{ tool }}")),
        WorkflowNode("tool", ["p"], node_type="tool", tool="double", input_mapping={"n": 4}),
        WorkflowNode("sub", ["p"], node_type="agent", agent_id=helper, input_mapping={"q": "{{ p }}"}),
        WorkflowNode("p", prompt_id=await prompt(engine, "p")),
    ]
    return await agent(engine, "workflow", WorkflowAgentConfig(nodes))


async def composite(engine: AsyncEngine) -> str:
    one = await simple(engine, "one")
    steps = [CompositeStep("s", one), CompositeStep("again", one, ["s"], input_mapping={"x": "{{ steps.s.text }}"})]
    return await agent(engine, "composite", CompositeAgentConfig(steps))


async def desk(engine: AsyncEngine) -> str:
    subs = [
        SubAgentAttachment(await simple(engine, "Help desk", text="H {{ task }}"), sort_order=1),
        SubAgentAttachment(await simple(engine, "Other", text="O {{ task }}"), alias="second", sort_order=2),
    ]
    return await simple(engine, "desk", sub_agents=subs, run_budget={"max_children": 9})


async def nested(engine: AsyncEngine) -> str:
    nodes = [
        WorkflowNode("d", node_type="agent", agent_id=await desk(engine)),
        WorkflowNode("c", ["d"], node_type="agent", agent_id=await chain(engine), input_mapping={"x": "{{ d }}"}),
    ]
    flow = await agent(engine, "flow", WorkflowAgentConfig(nodes))
    steps = [CompositeStep("m", await multi(engine)), CompositeStep("f", flow, ["m"])]
    return await agent(engine, "nested", CompositeAgentConfig(steps))


KINDS: dict[str, Callable[[AsyncEngine], Awaitable[str]]] = {
    made.__name__: made for made in (simple, with_tools, with_a_model, chain, multi, workflow, composite, desk, nested)
}


# ------------------------------------------------------------------ what happens to them


async def spoil(engine: AsyncEngine, fate: str) -> None:
    """Every prompt and agent that there is gets a current version that does something else; then worse."""
    prompts, agents = await engine.prompts.list(limit=100), await engine.agents.list(limit=100)
    wrong = await prompt(engine, "wrong", "wrong", llm_model_id="scripted/wrong")
    other = await agent(engine, "wrong", SimpleAgentConfig(wrong))
    configs: dict[str, Any] = {
        "simple": SimpleAgentConfig(wrong),
        "chain": ChainAgentConfig([PromptLink(wrong, "r", 0)]),
        "multi_agent": MultiAgentConfig([PromptLink(wrong, "r", 0)]),
        "workflow": WorkflowAgentConfig([WorkflowNode("n", prompt_id=wrong)]),
        "composite": CompositeAgentConfig([CompositeStep("s", other)]),
    }
    for one in agents:
        await engine.agents.create_version(one.id, config=configs[one.type], set_current=True)
    for one in prompts:
        text = {"user_prompt": "spoiled", "llm_model_id": "scripted/wrong"}
        await engine.prompts.create_version(one.id, set_current=True, **text)
    for resource, found in ((engine.agents, agents), (engine.prompts, prompts)):
        for one in found:
            if fate != "promoted":
                await resource.update(one.id, name=f"was {one.name}")
                await resource.archive(one.id)
            if fate == "deleted":
                await resource.delete(one.id)
