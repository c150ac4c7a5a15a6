"""Whatever a tree of agents looks like, its lock leads back to the same plan."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from promptrails_engine import (
    AsyncEngine,
    ChainAgentConfig,
    CompositeAgentConfig,
    CompositeStep,
    MultiAgentConfig,
    PromptLink,
    SimpleAgentConfig,
    SubAgentAttachment,
    WorkflowAgentConfig,
    WorkflowNode,
)
from promptrails_engine.catalog.lock_diff import compare_locks
from promptrails_engine.store import MemoryStore
from tests.catalog.kit import FATES, agent, engine_over, planner, prompt, spoil, steps_of

PROMPTS = ["p0", "p1", "p2"]
MODELS = [None, "scripted/named"]


@st.composite
def trees(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Agents, each of which may run those before it; the last is the root."""
    agents: list[dict[str, Any]] = []
    for index in range(draw(st.integers(1, 6))):
        kinds = ["simple", "chain", "multi_agent", "workflow", *(["composite"] if index else [])]
        below = st.lists(st.sampled_from(range(index)), unique=True, max_size=3) if index else st.just([])
        agents.append(
            {
                "kind": draw(st.sampled_from(kinds)),
                "prompts": draw(st.lists(st.sampled_from(PROMPTS), min_size=1, max_size=3)),
                "below": draw(below),
                "model": draw(st.sampled_from(MODELS)),
                "tools": draw(st.sampled_from([[], ["double"]])),
            }
        )
    return agents


async def build(engine: AsyncEngine, tree: list[dict[str, Any]]) -> str:
    ids: list[str] = []
    for index, made in enumerate(tree):
        below = [ids[each] for each in made["below"]]
        more: dict[str, Any] = {"tools": made["tools"]}
        if made["model"] is not None:
            more["model_config"] = {"model_id": made["model"]}
        if made["kind"] in ("simple", "chain"):
            more["sub_agents"] = [SubAgentAttachment(each, sort_order=n) for n, each in enumerate(below)]
        config = _config(made["kind"], made["prompts"], below or ids[-1:])
        ids.append(await agent(engine, f"agent {index}", config, **more))
    return ids[-1]


def _config(kind: str, prompts: list[str], below: list[str]) -> Any:
    links = [PromptLink(name, f"r{order}", order) for order, name in enumerate(prompts)]
    if kind == "simple":
        return SimpleAgentConfig(prompts[0])
    if kind == "chain":
        return ChainAgentConfig(links)
    if kind == "multi_agent":
        return MultiAgentConfig(
            links, aggregation="prompt", aggregator_prompt_id=prompts[-1], router_prompt_id=prompts[0]
        )
    if kind == "composite":
        return CompositeAgentConfig([CompositeStep(f"s{n}", each) for n, each in enumerate(below)])
    nodes = [WorkflowNode(f"a{n}", node_type="agent", agent_id=each) for n, each in enumerate(below)]
    nodes += [WorkflowNode(f"p{n}", prompt_id=name) for n, name in enumerate(prompts)]
    return WorkflowAgentConfig([WorkflowNode("t", node_type="tool", tool="double", input_mapping={"n": 1}), *nodes])


@settings(max_examples=40, deadline=None)
@given(trees(), st.sampled_from(FATES))
async def test_a_lock_leads_back_to_the_plan_that_it_came_from(tree: list[dict[str, Any]], fate: str) -> None:
    store = MemoryStore()
    await store.open()
    first, _ = engine_over(store)
    for name in PROMPTS:
        await prompt(first, name, f"{name} {{{{ x }}}}", llm_model_id="scripted/own" if name == "p2" else None)
    made = await build(first, tree)
    plan = await planner(first).plan(made, None)
    await spoil(first, fate)
    later, _ = engine_over(store, model="scripted/new")
    again = await planner(later).plan_locked(plan.version_lock)
    assert again.version_lock == plan.version_lock
    assert steps_of(again) == steps_of(plan)
    assert compare_locks(plan.version_lock, again.version_lock) == []
    if fate == "promoted":
        now = (await planner(later).plan(made, None)).version_lock
        changes = compare_locks(plan.version_lock, now)
        assert (changes[0].agent_id, changes[0].kind, changes[0].old, changes[0].new) == (made, "agent", "v1", "v2")
