"""Two runs compared: what differs, and where they part."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from promptrails_engine import (
    ChainAgentConfig,
    PromptLink,
    SimpleAgentConfig,
)
from promptrails_engine.errors import AuthError
from promptrails_engine.testing import Reply, ToolUse
from tests.engine.diff_kit import LLM, PROMPT, SLOW, add, of, pair, presence, ran, shout, step
from tests.engine.flows import node, prompts, workflow
from tests.engine.kit import one_prompt, scripted


@pytest.mark.usefixtures("each_store")
async def test_the_same_run_twice_differs_in_times_only():
    """Ids of tool calls are new in each run, and are no difference."""
    calls = [ToolUse("add", {"a": 1, "b": 2}), ToolUse("add", {"a": 2, "b": 2})]
    replies = [Reply(tool_calls=calls), "3", Reply(tool_calls=calls), "3"]
    async with scripted(replies, tools=[add]) as (engine, provider):
        diff = await pair(engine, await one_prompt(engine, tools=["add"]), {"text": "x"}, {"text": "x"})
        sent = [request.messages[-1].tool_call_id for request in provider.requests[1::2]]
        assert sent[0] != sent[1]
        assert diff.is_empty
        assert diff.diverged_at is None
        assert list(presence(diff)) == [PROMPT, LLM, f"{LLM}/tool[0]", f"{LLM}/tool[1]", "prompt/llm[1]"]
        assert set(presence(diff).values()) == {"both"}
        assert all(each.a and each.b and isinstance(each.a.duration_ms, int) for each in diff.steps)
        assert "no differences but times" in str(diff)


@pytest.mark.usefixtures("each_store")
async def test_a_changed_prompt_shows_in_versions_messages_and_answer():
    async with scripted(["Hi.", "Good day to you."]) as (engine, _):
        agent = await one_prompt(engine, "Say: {{ text }}", temperature=0.1)
        first = await ran(engine, agent, {"text": "hello"})
        await engine.prompts.create_version(
            "Prompt", system_prompt="Be polite.", user_prompt="Say: {{ text }}", temperature=0.9, set_current=True
        )
        diff = await engine.executions.diff(first, await ran(engine, agent, {"text": "hello"}))
    assert diff.diverged_at == PROMPT
    assert of(diff.differences)["prompts", "Prompt.version"] == ("v1", "v2")
    assert of(diff.differences)["output", "content"] == ("Hi.", "Good day to you.")
    assert of(diff.differences)["tokens", "completion_tokens"] == (1, 4)
    assert of(step(diff, PROMPT).differences)["prompt", "version"] == ("v1", "v2")
    said = of(step(diff, LLM).differences)
    system = {"role": "system", "content": "Be polite."}
    assert {place: values for place, values in said.items() if place[0] == "messages"} == {
        ("messages", "[0]"): (None, system)
    }
    assert said["settings", "temperature"] == (0.1, 0.9)
    assert said["output", "content"] == ("Hi.", "Good day to you.")
    text = str(diff)
    assert f"they part at {PROMPT}" in text
    assert '+ messages[0]: {"content":"Be polite.","role":"system"}' in text


async def test_a_message_that_has_moved_is_compared_with_itself():
    async with scripted(["a", "a"]) as (engine, _):
        agent = await one_prompt(engine, "one\ntwo {{ text }}\nthree")
        first = await ran(engine, agent, {"text": "x"})
        await engine.prompts.create_version(
            "Prompt", system_prompt="Now.", user_prompt="one\n2 {{ text }}\nthree", set_current=True
        )
        diff = await engine.executions.diff(first, await ran(engine, agent, {"text": "x"}))
    moved = [each for each in step(diff, LLM).differences if each.change == "changed" and each.part == "messages"]
    assert [(each.a_path, each.b_path) for each in moved] == [("[0].content", "[1].content")]
    assert [(hunk.old_lines, hunk.new_lines) for hunk in moved[0].hunks] == [(("two x\n",), ("2 x\n",))]
    lines = [line.strip() for line in str(diff).splitlines()]
    assert lines.index("- two x") + 1 == lines.index("+ 2 x")
    assert "~ messages[0].content (b: [1].content):" in lines


async def test_a_line_that_only_got_a_line_feed_is_not_shown_as_changed():
    async with scripted(["one", "one\ntwo", "one\n"]) as (engine, _):
        agent = await one_prompt(engine, "go")
        one, two, three = [await ran(engine, agent) for _ in range(3)]
        longer, fed = [await engine.executions.diff(one, each) for each in (two, three)]
    lines = [line.strip() for line in str(longer).splitlines()]
    assert "+ two" in lines
    assert "- one" not in lines
    assert "~ line feed at the end" in str(fed)


@pytest.mark.usefixtures("each_store")
async def test_a_new_version_with_the_same_words_does_nothing_else():
    async with scripted(["a", "a"]) as (engine, _):
        agent = await one_prompt(engine)
        first = await ran(engine, agent, {"text": "x"})
        await engine.prompts.create_version("Prompt", user_prompt="Say: {{ text }}", top_p=0.5, set_current=True)
        diff = await engine.executions.diff(first, await ran(engine, agent, {"text": "x"}))
    assert (diff.is_empty, diff.diverged_at) == (False, None)
    assert list(of(diff.differences)) == [("prompts", "Prompt.version")]
    assert "no step does anything else" in str(diff)


@pytest.mark.usefixtures("each_store")
async def test_an_extra_tool_call_stands_at_its_place():
    replies = ["3", ToolUse("shout", {"text": "a"}), "3"]
    async with scripted(replies, tools=[shout]) as (engine, _):
        diff = await pair(engine, await one_prompt(engine, "go", tools=["shout"]))
    tool = f"{LLM}/tool[0]"
    assert list(presence(diff).items()) == [(PROMPT, "both"), (LLM, "both"), (tool, "b"), ("prompt/llm[1]", "b")]
    assert diff.diverged_at == LLM
    extra = step(diff, tool)
    assert extra.a is None
    assert extra.b is not None
    assert (extra.b.kind, extra.b.name, extra.b.status) == ("tool", "shout", "ok")
    assert f"+ {tool}  tool shout" in str(diff)


@pytest.mark.usefixtures("each_store")
async def test_arguments_and_results_of_tools_are_compared_inside():
    replies = [ToolUse("shout", {"text": "a"}), "ok", ToolUse("shout", {"text": "b"}), "ok"]
    async with scripted(replies, tools=[shout]) as (engine, _):
        diff = await pair(engine, await one_prompt(engine, "go", tools=["shout"]))
    assert diff.diverged_at == LLM
    assert of(step(diff, f"{LLM}/tool[0]").differences) == {
        ("arguments", "text"): ("a", "b"),
        ("result", "loud"): ("A", "B"),
    }
    assert of(step(diff, LLM).differences)["output", "tool_calls[0].arguments.text"] == ("a", "b")


@pytest.mark.usefixtures("each_store")
async def test_a_failed_run_beside_one_that_completed():
    async with scripted([AuthError("the key is refused"), "fine"]) as (engine, _):
        diff = await pair(engine, await one_prompt(engine, "go"))
    assert (diff.a.status, diff.a.error_code, diff.b.status) == ("failed", "auth", "completed")
    whole = of(diff.differences)
    assert whole["status", ""] == ("failed", "completed")
    assert whole["error_code", ""] == ("auth", "")
    assert whole["output", ""] == (None, {"content": "fine", "type": "text"})
    assert diff.diverged_at == LLM
    assert of(step(diff, LLM).differences)["error_code", ""] == ("auth", "")
    assert step(diff, LLM).a.error == "the key is refused"  # type: ignore[union-attr]
    assert 'error of a: "the key is refused"' in str(diff)


@pytest.mark.usefixtures("each_store")
async def test_attempts_under_one_key_are_matched_by_their_order():
    async with scripted([SLOW, "fine", SLOW, SLOW, "fine"]) as (engine, _):
        diff = await pair(engine, await one_prompt(engine, "go"))
    keys = {PROMPT: "both", LLM: "both", f"{LLM}/retry": "both", f"{LLM}/retry#2": "b"}
    assert list(presence(diff).items()) == list(keys.items())
    assert step(diff, LLM).is_same
    assert diff.diverged_at == f"{LLM}/retry"
    assert of(step(diff, f"{LLM}/retry").differences)["error_code", ""] == ("", "rate_limited")


@pytest.mark.usefixtures("each_store")
async def test_what_is_only_in_the_second_stands_where_it_was_there():
    call = ToolUse("shout", {"text": "a"})
    async with scripted([call, "ok", SLOW, call, "ok"], tools=[shout]) as (engine, _):
        agent = await one_prompt(engine, "go", tools=["shout"])
        first, second = await ran(engine, agent), await ran(engine, agent)
        diffs = [await engine.executions.diff(*ids) for ids in ((first, second), (second, first))]
    keys = [PROMPT, LLM, f"{LLM}/retry", f"{LLM}/tool[0]", "prompt/llm[1]"]
    assert [list(presence(diff)) for diff in diffs] == [keys, keys]
    assert [presence(diff)[f"{LLM}/retry"] for diff in diffs] == ["b", "a"]


async def test_steps_keep_their_order_on_a_clock_too_coarse_to_tell():
    stopped = SimpleNamespace(now=lambda: 1_767_225_600.0, monotonic=lambda: 0.0)
    schema = {"type": "object"}
    replies = [SLOW, ToolUse("shout", {"text": "a"}), "not JSON", "{}"]
    async with scripted(replies * 2, tools=[shout], clock=stopped) as (engine, _):
        prompt = await engine.prompts.create("P", user_prompt="go", tools=["shout"], output_schema=schema)
        config = SimpleAgentConfig(prompt_id=prompt.id)
        agent = await engine.agents.create("A", config=config, input_schema=schema, output_schema=schema)
        diff = await pair(engine, agent.id)
    assert diff.is_empty
    keys = ["input", PROMPT, LLM, f"{LLM}/retry", f"{LLM}/tool[0]", "prompt/llm[1]", "prompt/repair[0]/llm[0]"]
    assert list(presence(diff)) == [*keys, "output"]


@pytest.mark.usefixtures("each_store")
async def test_the_answer_of_a_fallback_model_is_a_step_of_its_own():
    async with scripted(["fine", SLOW, SLOW, SLOW, "fine"]) as (engine, _):
        agent = await one_prompt(engine, "go", llm_model_id="scripted/m", fallback_llm_model_id="scripted/other")
        diff = await pair(engine, agent)
    attempts = [f"{LLM}/retry", f"{LLM}/retry#2", f"{LLM}/fallback"]
    assert list(presence(diff).items()) == [(PROMPT, "both"), (LLM, "both"), *((key, "b") for key in attempts)]
    assert step(diff, f"{LLM}/fallback").b.model == "scripted/other"  # type: ignore[union-attr]
    assert diff.diverged_at == LLM


@pytest.mark.usefixtures("each_store")
async def test_a_skipped_node_parts_them_and_what_comes_of_it_does_not():
    async with prompts({"a": "a", "b": "b {{ a }}", "c": "c {{ a }} {{ steps.b.text }}"}) as (engine, _):
        flow = await workflow(
            engine,
            node("a"),
            node("b", "a", condition="{{ wanted }}"),
            node("c", "a", "b", join="always"),
        )
        diff = await pair(engine, flow, {"wanted": True}, {"wanted": False})
    assert diff.diverged_at == "nodes[a]/prompt"  # its input holds `wanted`
    b = step(diff, "nodes[b]")
    assert b.present == "both"
    assert of(b.differences)["skipped", ""] == ("", "its condition is false: {{ wanted }}")
    assert presence(diff)["nodes[b]/llm[0]"] == "a"
    assert step(diff, "nodes[a]").is_same


async def test_a_step_around_others_counts_for_what_did_not_come_from_within():
    async with scripted(["one", "two", "one", "zwei"]) as (engine, _):
        prompt = await engine.prompts.create("P", user_prompt="go")
        links = [PromptLink(prompt.id, role, n) for n, role in enumerate(("first", "second"))]
        agent = await engine.agents.create("Chain", config=ChainAgentConfig(links))
        diff = await pair(engine, agent.id)
    assert not step(diff, "steps[1]").is_same
    assert diff.diverged_at == "steps[1]/llm[0]"
