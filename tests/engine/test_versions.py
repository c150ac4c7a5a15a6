"""Versions through the resources: immutable, promoted, followed, refused."""

from __future__ import annotations

from typing import Any

import pytest

from promptrails_engine import (
    ArchivedError,
    AsyncEngine,
    ChainAgentConfig,
    ConflictError,
    DefinitionError,
    InputInvalidError,
    ModelNotServedError,
    NotFoundError,
    PromptLink,
    SimpleAgentConfig,
    TemplateError,
    ValidationError,
    VersionMismatchError,
)
from tests.engine.kit import one_prompt, scripted


async def test_agents_follow_the_current_version_of_their_prompts():
    async with scripted(lambda r: r.messages[-1].content) as (engine, _):
        agent = await one_prompt(engine, "one")
        first = await engine.agents.execute(agent, {})
        second = await engine.prompts.create_version("Prompt", user_prompt="two", message="better")
        assert (second.version, second.is_current, second.message) == ("v2", False, "better")
        assert (await engine.agents.execute(agent, {})).text == "one"
        await engine.prompts.promote_version("Prompt", "v2")
        third = await engine.agents.execute(agent, {})
        await engine.prompts.promote_version("Prompt", "v1")
        assert [first.text, third.text, (await engine.agents.execute(agent, {})).text] == ["one", "two", "one"]
        assert [v.is_current for v in await engine.prompts.list_versions("Prompt")] == [False, True]
        locks = [(await engine.executions.get(r.execution_id)).version_lock for r in (first, third)]
        assert [lock["prompts"][0]["version"] for lock in locks] == ["v1", "v2"]


async def test_a_named_version_runs_without_being_promoted():
    async with scripted(lambda r: r.messages[-1].content) as (engine, _):
        agent = await one_prompt(engine, "one")
        other = await engine.prompts.create("Other", user_prompt="other")
        version = await engine.agents.create_version(agent, "next", SimpleAgentConfig(other.id))
        assert (await engine.agents.execute(agent, {}, version_id=version.id)).text == "other"
        assert (await engine.agents.execute(agent, {}, version_id="next")).text == "other"
        assert (await engine.agents.execute(agent, {})).text == "one"


async def test_one_version_is_current_and_the_contracts_fields_are_there():
    async with scripted([]) as (engine, _):
        prompt = await engine.prompts.create(
            "P", "what it is", labels=["a"], system_prompt="S", user_prompt="U", model="openai/gpt-4o", temperature=0.2
        )
        version = prompt.current_version
        assert version is not None
        assert (version.version, version.is_current, version.llm_model_id, version.temperature) == (
            "v1",
            True,
            "openai/gpt-4o",
            0.2,
        )
        assert version.llm_model is not None
        assert version.llm_model.model_id == "gpt-4o"
        assert (prompt.description, prompt.labels, prompt.status, prompt.workspace_id) == (
            "what it is",
            ["a"],
            "active",
            "default",
        )
        assert len(prompt.id) == 27
        agent = await engine.agents.create("A", config={"prompt_id": "P"}, type="simple", labels=["x"])
        assert agent.type == "simple"
        assert agent.current_version is not None
        assert agent.current_version.config == {"type": "simple", "prompt_id": prompt.id, "approval_required": False}
        with pytest.raises(AttributeError):
            version.user_prompt = "changed"  # type: ignore[misc]


async def test_names_and_labels_are_unique_and_free_again_after_deletion():
    async with scripted([]) as (engine, _):
        first = await engine.prompts.create("P", user_prompt="u")
        with pytest.raises(ConflictError, match="P"):
            await engine.prompts.create("P", user_prompt="u")
        await engine.prompts.create_version("P", "label", "u2")
        with pytest.raises(ConflictError, match="label"):
            await engine.prompts.create_version("P", "label", "u3")
        await engine.prompts.delete("P")
        with pytest.raises(NotFoundError):
            await engine.prompts.get(first.id)
        assert (await engine.prompts.create("P", user_prompt="u")).id != first.id


async def test_archived_definitions_refuse_to_run_until_they_are_restored():
    async with scripted(lambda _: "ok") as (engine, _):
        agent = await one_prompt(engine)
        await engine.agents.execute(agent, {})
        for resource, name in ((engine.agents, "Agent"), (engine.prompts, "Prompt")):
            assert (await resource.archive(name)).status == "archived"
            with pytest.raises(ArchivedError, match="restore"):
                await engine.agents.execute(agent, {})
            await resource.restore(name)
            assert (await engine.agents.execute(agent, {})).status == "completed"


async def test_updates_change_what_is_not_versioned():
    async with scripted([]) as (engine, _):
        agent = await one_prompt(engine)
        changed = await engine.agents.update(agent, name="Renamed", description="d", labels=["x", "y"])
        assert (changed.name, changed.description, changed.labels) == ("Renamed", "d", ["x", "y"])
        assert (await engine.agents.get("Renamed")).id == agent
        with pytest.raises(ValidationError, match="active or archived"):
            await engine.agents.update(agent, status="gone")
        with pytest.raises(DefinitionError, match="list of strings"):
            await engine.agents.update(agent, labels="oops")


async def test_lists_are_pages_that_iterate():
    async with scripted([]) as (engine, _):
        for number in range(5):
            await engine.prompts.create(f"P{number}", user_prompt="u")
        page = await engine.prompts.list(page=2, limit=2)
        assert (page.meta.total, page.meta.pages, page.meta.total_pages, page.meta.page, page.meta.limit) == (
            5,
            3,
            3,
            2,
            2,
        )
        assert [p.name for p in page] == [p.name for p in page.data]
        assert len(page) == 2
        assert (await engine.prompts.list(name="p3")).data[0].name == "P3"
        for wrong in ({"page": 0}, {"limit": 0}, {"limit": 100_000}, {"page": "1"}):
            with pytest.raises(ValidationError):
                await engine.prompts.list(**wrong)  # type: ignore[arg-type]


async def test_two_versions_are_compared():
    async with scripted([]) as (engine, _):
        await engine.prompts.create("P", user_prompt="Hello {{ name }}", temperature=0.1)
        await engine.prompts.create_version("P", user_prompt="Hello {{ first }}", temperature=0.3, set_current=True)
        diff = await engine.prompts.diff("P", "v1")
        assert not diff.is_empty
        assert "temperature" in str(diff)
        assert "first" in str(diff)
        assert (await engine.prompts.diff("P", "v1", "v1")).is_empty


BAD_PROMPTS: list[tuple[dict[str, Any], type[Exception], str]] = [
    ({"user_prompt": "{{ a"}, TemplateError, "user_prompt"),
    ({"user_prompt": "{% include 'x' %}"}, TemplateError, "include"),
    ({"user_prompt": 3}, DefinitionError, "user_prompt"),
    ({"system_prompt": "only"}, DefinitionError, "user_prompt"),
    ({"user_prompt": "u", "temperature": "hot"}, DefinitionError, "temperature"),
    ({"user_prompt": "u", "temperature": -1}, DefinitionError, "temperature"),
    ({"user_prompt": "u", "max_tokens": 0}, DefinitionError, "max_tokens"),
    ({"user_prompt": "u", "top_p": 2}, DefinitionError, "top_p"),
    ({"user_prompt": "u", "cache_timeout": -1}, DefinitionError, "cache_timeout"),
    ({"user_prompt": "u", "input_schema": {"type": "nonsense"}}, DefinitionError, "type"),
    ({"user_prompt": "u", "output_schema": {"$ref": "http://example.com/x"}}, DefinitionError, "ref"),
    ({"user_prompt": "u", "model": "a/b", "llm_model_id": "c/d"}, DefinitionError, "two names"),
    ({"user_prompt": "u", "config": {"top_k": "x"}}, DefinitionError, "top_k"),
]


@pytest.mark.parametrize(("arguments", "error", "word"), BAD_PROMPTS)
async def test_a_prompt_that_cannot_be_used_is_refused_and_nothing_is_stored(
    arguments: dict[str, Any], error: type[Exception], word: str
):
    async with scripted([]) as (engine, _):
        with pytest.raises(error, match=word):
            await engine.prompts.create("P", **arguments)
        assert (await engine.prompts.list()).meta.total == 0


async def test_what_cannot_be_run_says_so_and_leaves_nothing():
    async with scripted([]) as (engine, _):
        agent = await one_prompt(
            engine, input_schema={"parameters": [{"name": "n", "type": "integer", "required": True}]}
        )
        other = await one_prompt_named(engine, "Other")
        foreign = (await engine.agents.list_versions(other))[0].id
        cases: list[tuple[str, Any, dict[str, Any], type[Exception], str]] = [
            (agent, {"n": "x"}, {}, InputInvalidError, "/n"),
            (agent, {}, {}, InputInvalidError, "n"),
            (agent, "text", {}, InputInvalidError, "object"),
            (agent, {"n": float("nan")}, {}, InputInvalidError, "finite"),
            (agent, {"n": 1}, {"version_id": "v9"}, NotFoundError, "v9"),
            (agent, {"n": 1}, {"version_id": foreign}, VersionMismatchError, "not a version of agent"),
            (agent, {"n": 1}, {"metadata": {"x": object()}}, InputInvalidError, "metadata"),
            ("nobody", {"n": 1}, {}, NotFoundError, "nobody"),
            (other, {"when": object()}, {}, InputInvalidError, "object"),
        ]
        for ref, data, more, error, word in cases:
            with pytest.raises(error, match=word):
                await engine.agents.execute(ref, data, **more)
        assert (await engine.executions.list()).meta.total == 0
        assert (await engine.traces.list()).meta.total == 0


async def one_prompt_named(engine: AsyncEngine, name: str) -> str:
    prompt = await engine.prompts.create(name, user_prompt="{{ when }}")
    return (await engine.agents.create(name, config=SimpleAgentConfig(prompt.id))).id


async def test_a_template_error_at_run_time_leaves_nothing():
    async with scripted([]) as (engine, _):
        agent = await one_prompt(engine, "line one\n{{ missing }}", strict=True)
        with pytest.raises(TemplateError, match="missing"):
            await engine.agents.execute(agent, {})
        assert (await engine.executions.list()).meta.total == 0


async def test_models_that_nobody_serves_are_refused_with_what_to_do():
    async with AsyncEngine() as engine:
        for number, (model, word) in enumerate(
            [
                (None, "Engine\\(model="),
                ("gpt-4o", "provider/model"),
                ("/x", "provider/model"),
                ("x/", "provider/model"),
            ]
        ):
            prompt = await engine.prompts.create(f"P{number}", user_prompt="u", model=model)
            agent = await engine.agents.create(f"A{number}", config=SimpleAgentConfig(prompt.id))
            with pytest.raises(ModelNotServedError, match=word):
                await engine.agents.execute(agent.id, {})


async def test_an_agent_without_a_current_version_says_so():
    async with scripted([]) as (engine, _):
        agent = await engine.agents.create("bare", "simple")
        with pytest.raises(NotFoundError, match="no current version"):
            await engine.agents.execute(agent.id, {})
        with pytest.raises(DefinitionError, match="type"):
            await engine.agents.create("typeless")
        with pytest.raises(DefinitionError, match="config"):
            await engine.agents.create_version("bare")
        with pytest.raises(NotFoundError, match="nothing"):
            await engine.agents.create("dangling", config=SimpleAgentConfig("nothing"))
        with pytest.raises(DefinitionError, match="chain"):
            await engine.agents.create_version("bare", config=ChainAgentConfig([PromptLink("x", "x", 1)]))
