"""Runs that wait keep the versions that they began with, until somebody migrates them."""

from __future__ import annotations

from typing import Any

import pytest

from promptrails_engine import (
    AsyncEngine,
    ChainAgentConfig,
    CompositeAgentConfig,
    CompositeStep,
    ConflictError,
    Migration,
    NotFoundError,
    PromptLink,
    WorkflowAgentConfig,
    WorkflowNode,
)
from tests.catalog.kit import INPUT, prompt, simple
from tests.engine.fork_kit import ran, three_steps, watched
from tests.engine.park_kit import decide

pytestmark = pytest.mark.usefixtures("each_store")
GUARDED: dict[str, Any] = {"tools": [{"name": "double", "requires_approval": True}]}


async def two_prompts(engine: AsyncEngine, **more: Any) -> str:
    """A chain whose first prompt calls a tool that has to be approved."""
    links = [
        PromptLink(await prompt(engine, "first", tools=["double"]), "a", 0),
        PromptLink(await prompt(engine, "second", "second {{ previous_output }}", tools=[]), "b", 1),
    ]
    return (await engine.agents.create("Two", config=ChainAgentConfig(links), **{**GUARDED, **more})).id


async def test_a_run_that_waits_goes_on_with_its_own_version_whatever_is_promoted():
    async with watched() as (engine, watch):
        result = await engine.agents.execute(await two_prompts(engine), INPUT)
        await engine.prompts.create_version(
            "second", user_prompt="broken {{ nobody.knows }}", strict=True, set_current=True
        )
        watch.asked()
        assert (await decide(engine, result)).raise_for_status().text == "<second [4]>"
        assert watch.asked() == ["4", "second [4]"]
        failed = await engine.agents.execute("Two", INPUT)
        assert (await decide(engine, failed)).error_code == "template_error"


async def test_a_dry_run_shows_what_would_change_and_changes_nothing():
    async with watched() as (engine, watch):
        result = await engine.agents.execute(await two_prompts(engine), INPUT)
        before = await engine.executions.get(result.id)
        version = await engine.prompts.create_version(
            "second", user_prompt="new {{ previous_output }}", model="scripted/n", set_current=True
        )
        found = await engine.executions.migrate(result.id)
        assert isinstance(found, Migration)
        assert [(one.kind, one.name_or_id, one.old, one.new) for one in found.changes] == [
            ("prompt", version.prompt_id, "v1", "v2"),
            ("model", version.prompt_id, "scripted/m", "scripted/n"),
        ]
        assert (found.applied, found.status, found.is_safe) == (False, "awaiting_approval", True)
        assert str(found).splitlines() == [
            f"execution {result.id} (awaiting_approval) would go on with other versions",
            f"  ~ prompt {version.prompt_id}: v1 -> v2",
            f"  ~ model {version.prompt_id}: scripted/m -> scripted/n",
        ]
        assert await engine.executions.get(result.id) == before
        watch.asked()
        assert (await decide(engine, result)).text == "<second [4]>"


async def test_a_migrated_run_goes_on_with_the_new_versions_and_what_is_on_record():
    async with watched() as (engine, watch):
        result = await engine.agents.execute(await two_prompts(engine), INPUT)
        await engine.prompts.create_version(
            "second", user_prompt="new {{ previous_output }}", tools=[], set_current=True
        )
        found = await engine.executions.migrate(result.id, dry_run=False)
        assert (found.applied, len(found.changes)) == (True, 1)
        assert [pin["version"] for pin in (await engine.executions.get(result.id)).version_lock["prompts"]] == [
            "v1",
            "v2",
        ]
        watch.asked()
        assert (await decide(engine, result)).raise_for_status().text == "<new [4]>"
        assert watch.asked() == ["4", "new [4]"]
        assert (await engine.executions.get(result.id)).version_lock["prompts"][1]["version"] == "v2"


async def test_nothing_changes_where_the_versions_are_the_same():
    async with watched() as (engine, _watch):
        result = await engine.agents.execute(await two_prompts(engine), INPUT)
        found = await engine.executions.migrate(result.id)
        assert found.changes == ()
        assert str(found) == f"execution {result.id} (awaiting_approval) has these versions already"
        assert found.to_dict()["execution_id"] == result.id


async def test_another_version_of_the_agent_voids_what_was_asked_under_the_old_one():
    async with watched() as (engine, watch):
        result = await engine.agents.execute(await two_prompts(engine), INPUT)
        agent = await engine.agents.get("Two")
        assert agent.current_version is not None
        await engine.agents.create_version("Two", config=agent.current_version.config, version="next", **GUARDED)
        assert (await engine.executions.migrate(result.id)).changes == ()
        found = await engine.executions.migrate(result.id, to="next")
        request = (await engine.approvals.list())[0]
        assert [(one.approval_id, one.status, one.checkpoint_name) for one in found.void_approvals] == [
            (request.id, "pending", "double")
        ]
        assert not found.is_safe
        assert request.id in str(found)
        await engine.executions.migrate(result.id, to="next", dry_run=False)
        assert (await engine.executions.get(result.id)).agent_version_id != agent.current_version.id
        ended = await decide(engine, result)
        assert (ended.status, ended.error_code, watch.called()) == ("failed", "approval_mismatch", 0)


async def test_an_approval_of_the_output_is_bound_to_the_agents_version_too():
    async with watched() as (engine, _watch):
        made = await prompt(engine, "p")
        config = {"type": "simple", "prompt_id": made, "approval_required": True}
        result = await engine.agents.execute((await engine.agents.create("A", config=config)).id, INPUT)
        await engine.prompts.create_version("p", user_prompt="new", set_current=True)
        assert (await engine.executions.migrate(result.id)).is_safe
        for changes, why in (
            ({"approval_checkpoint_name": "other"}, "nothing there asks for 'approval' any more"),
            ({"approval_required": False}, "nothing there asks for 'approval' any more"),
            ({"temperature": 0.2}, "it is bound to"),
        ):
            await engine.agents.create_version("A", config={**config, **changes}, set_current=True)
            found = await engine.executions.migrate(result.id)
            assert next(one.why for one in found.void_approvals).startswith(why)


async def test_outcomes_for_which_the_new_version_has_no_place_are_named():
    async with watched() as (engine, _watch):
        first, second = await prompt(engine, "a", tools=[]), await prompt(engine, "b", tools=["double"])
        nodes = [
            WorkflowNode("gone", prompt_id=first),
            WorkflowNode("other", prompt_id=first),
            WorkflowNode("stays", prompt_id=first),
            WorkflowNode("asks", ["gone", "other", "stays"], prompt_id=second),
        ]
        made = await engine.agents.create("Flow", config=WorkflowAgentConfig(nodes), **GUARDED)
        result = await engine.agents.execute(made.id, INPUT)
        assert result.status == "awaiting_approval"
        changed = [
            WorkflowNode("other", node_type="tool", tool="double", input_mapping={"n": 1}),
            WorkflowNode("stays", prompt_id=first),
            WorkflowNode("new", ["other", "stays"], prompt_id=first),
        ]
        await engine.agents.create_version("Flow", config=WorkflowAgentConfig(changed), set_current=True)
        found = await engine.executions.migrate(result.id)
        assert sorted(step.key for step in found.lost) == [
            "nodes[asks]/llm[0]",
            "nodes[gone]/llm[0]",
            "nodes[other]/llm[0]",
        ]
        assert [one.why for one in found.void_approvals] == ["nothing there asks for 'double' any more"]
        assert "not recalled: nodes[gone]/llm[0]" in str(found)


async def test_children_that_wait_are_migrated_with_their_root():
    async with watched() as (engine, watch):
        first, below = await simple(engine, "first"), await two_prompts(engine)
        config = CompositeAgentConfig([CompositeStep("a", first), CompositeStep("b", below, ["a"])])
        root = await engine.agents.execute((await engine.agents.create("Root", config=config)).id, INPUT)
        await engine.prompts.create_version(
            "second", user_prompt="new {{ previous_output }}", tools=[], set_current=True
        )
        await engine.prompts.create_version("p first", user_prompt="unheard", set_current=True)
        ended, child = (await engine.executions.get(root.id)).children
        with pytest.raises(ConflictError, match="migrate its root"):
            await engine.executions.migrate(child.id)
        found = await engine.executions.migrate(root.id, dry_run=False)
        assert {one.agent_id for one in found.changes} == {first, below}
        assert found.is_safe
        again = (await engine.executions.get(root.id)).children
        assert again[0].version_lock == ended.version_lock
        assert again[1].version_lock != child.version_lock
        watch.asked()
        assert (await decide(engine, root)).raise_for_status().text == "<new [4]>"
        assert watch.asked() == ["4", "new [4]"]


async def test_a_child_whose_agent_is_not_run_any_more_is_lost():
    async with watched() as (engine, _watch):
        first, below = await simple(engine, "first"), await two_prompts(engine)
        config = CompositeAgentConfig([CompositeStep("a", first), CompositeStep("b", below, ["a"])])
        root = await engine.agents.execute((await engine.agents.create("Root", config=config)).id, INPUT)
        await engine.agents.create_version("Root", config={"steps": [{"id": "a", "agent_id": first}]}, set_current=True)
        child = (await engine.executions.get(root.id)).children[1]
        found = await engine.executions.migrate(root.id)
        assert [(one.execution_id, one.key) for one in found.lost] == [(child.id, "steps[0]/llm[0]")]
        assert [one.why for one in found.void_approvals] == ["its agent is not run any more"]


async def test_only_what_waits_can_be_migrated():
    async with watched() as (engine, watch):
        ended = await ran(engine, watch, await three_steps(engine))
        for dry_run in (True, False):
            with pytest.raises(ConflictError, match="has ended as completed"):
                await engine.executions.migrate(ended.id, dry_run=dry_run)
        with pytest.raises(NotFoundError):
            await engine.executions.migrate("nobody")


async def test_a_queued_run_is_migrated_before_it_begins():
    async with watched(background=0) as (engine, watch):
        queued = await engine.agents.execute(await simple(engine), INPUT, sync=False)
        await engine.prompts.create_version("p simple", user_prompt="new {{ x }}", set_current=True)
        assert len((await engine.executions.migrate(queued.id, dry_run=False)).changes) == 1
        assert (await engine.executions.resume(queued.id)).raise_for_status().text == "<new 1>"
        assert watch.asked() == ["new 1"]


async def test_somebody_who_takes_it_up_meanwhile_is_faster(monkeypatch: pytest.MonkeyPatch):
    async with watched() as (engine, watch):
        result = await engine.agents.execute(await two_prompts(engine), INPUT)
        await engine.prompts.create_version("second", user_prompt="new", set_current=True)
        store = engine._parts.services.store
        replace_lock = store.replace_lock

        async def late(*args: Any) -> bool:
            await decide(engine, result)
            return await replace_lock(*args)

        monkeypatch.setattr(type(store), "replace_lock", lambda self, *args: late(*args))
        with pytest.raises(ConflictError, match="was not migrated") as caught:
            await engine.executions.migrate(result.id, dry_run=False)
        assert caught.value.details["status"] == "completed"
        assert watch.asked()[-1] == "second [4]"


async def test_a_fork_is_migrated_unless_its_steps_run_what_no_version_says():
    async with watched() as (engine, watch):
        source = await engine.agents.execute(await two_prompts(engine), INPUT)
        await engine.prompts.create_version(
            "second", user_prompt="new {{ previous_output }}", tools=[], set_current=True
        )
        plain = await engine.executions.fork(source.id, at="steps[0]/llm[0]/tool[0]")
        assert len((await engine.executions.migrate(plain.id, dry_run=False)).changes) == 1
        assert (await engine.executions.get(plain.id)).version_lock["fork"]["execution_id"] == source.id
        assert (await decide(engine, plain)).text == "<new [4]>"
        changed = await engine.executions.fork(source.id, at="steps[0]/llm[0]/tool[0]", model="scripted/n")
        with pytest.raises(ConflictError, match=r"steps\[0\]"):
            await engine.executions.migrate(changed.id)
        assert watch.called() == 1
