"""Agents of type multi_agent: prompts side by side, and what becomes of their results."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from promptrails_engine import (
    BadRequestError,
    ContentEvent,
    InputInvalidError,
    MultiAgentConfig,
    PromptLink,
    TemplateError,
    Trace,
)
from tests.engine.side_kit import replies, roles, schema, side_agent

pytestmark = pytest.mark.usefixtures("each_store")
LABEL = {"output_schema": schema(label={"type": "string"}, why={"type": "string"})}

OBJECT = {"output_schema": {"type": "object"}}


def label(name: str, why: str = "") -> str:
    return json.dumps({"label": name, "why": why})


def _key(span: Trace | None) -> Any:
    return None if span is None else span.attributes.get("key", "")


def text(content: str) -> dict[str, str]:
    return {"content": content, "type": "text"}


# ------------------------------------------------------------------ the mapping


async def test_all_prompts_run_at_once_over_the_same_input_and_the_output_is_keyed_by_role():
    async with roles({"b": "B", "a": "A"}, held="ab") as (engine, model):
        agent = await side_agent(engine, ["b", "a"])
        call = asyncio.create_task(engine.agents.execute(agent, {"text": "hi"}))
        await model.all_arrived()  # each waits for its answer, and so none has waited for another
        model.release("a")
        model.release("b")
        result = await call
        assert result.output == {"b": text("B"), "a": text("A")}
        assert list(result.output) == ["b", "a"]
        assert json.loads(result.text) == result.output
        assert [model.requests[role][0].messages[-1].content for role in "ba"] == ["b: hi", "a: hi"]
        assert result.token_usage == {"prompt_tokens": 20, "completion_tokens": 4, "total_tokens": 24}
        assert result.cost == pytest.approx(2 * (10 * 1.0 + 2 * 10.0) / 1e6)


async def test_sort_order_and_not_the_order_of_the_links_orders_the_output():
    async with roles({"a": "A", "b": "B"}) as (engine, _):
        for name in "ab":
            await engine.prompts.create(name, user_prompt=f"{name}:")
        links = [PromptLink("a", "a", 9), PromptLink("b", "b", -1)]
        agent = await engine.agents.create("A", config=MultiAgentConfig(links))
        assert list((await engine.agents.execute(agent.id, {})).output or {}) == ["b", "a"]


async def test_spans_keys_and_the_version_lock_hold_all_prompts():
    extra = {"pick": "pick: {{ roles }}", "join": "join: {{ results.a.text }}"}
    answers = {"a": "A", "b": "B", "pick": '{"roles":["b","a"]}', "join": "done"}
    async with roles(answers) as (engine, _):
        config = {"aggregation": "prompt", "aggregator_prompt_id": "join", "router_prompt_id": "pick"}
        agent = await side_agent(engine, "ab", extra=extra, **config)
        result = await engine.agents.execute(agent, {})
        spans = await engine.traces.get_by_trace_id(result.trace_id)
        by_id = {span.span_id: span for span in spans}
        tree = {
            span.attributes.get("key", ""): (span.kind, span.name, _key(by_id.get(span.parent_span_id)))
            for span in spans
        }
        expected: dict[str, Any] = {"": ("agent", "Side", None)}
        for key, name, prompt in (
            ("router", "router", "pick"), ("roles[a]", "a", "p a"), ("roles[b]", "b", "p b"),
            ("aggregator", "aggregator", "join"),
        ):  # fmt: skip
            expected |= {
                key: ("agent_step", name, ""),
                f"{key}/prompt": ("prompt", prompt, key),
                f"{key}/llm[0]": ("llm", "priced", key),
            }
        assert tree == expected
        assert all(span.status == "ok" and span.duration_ms is not None for span in spans)
        lock = (await engine.executions.get(result.execution_id)).version_lock
        prompts = [(await engine.prompts.get(name)).id for name in ("pick", "p a", "p b", "join")]
        assert [entry["prompt_id"] for entry in lock["prompts"]] == prompts


@pytest.mark.parametrize(
    ("more", "events"),
    [
        ({}, ["execution", "content", "done"]),
        ({"aggregation": "vote"}, ["execution", "content", "done"]),
        ({"aggregation": "prompt", "aggregator_prompt_id": "join"}, ["execution", "content", "content", "done"]),
    ],
    ids=["mapping", "vote", "prompt"],
)
async def test_only_the_answer_is_said_and_a_stream_leaves_the_record_of_a_plain_call(more: Any, events: list[str]):
    async with roles({"a": "one two three", "b": "B", "join": "the end"}) as (engine, _):
        agent = await side_agent(engine, "ab", extra={"join": "join:"}, **more)
        plain = await engine.agents.execute(agent, {"text": "t"})
        stream = engine.agents.stream(agent, {"text": "t"})
        live = [event async for event in stream]
        streamed = await stream.result()
        assert [event.type for event in live] == events
        assert "".join(event.content for event in live if isinstance(event, ContentEvent)) == plain.text
        stored = [[event async for event in engine.executions.stream(r.execution_id)] for r in (plain, streamed)]
        assert (stored[1], stored[0][1:]) == (live, live[1:])
        assert (plain.output, plain.token_usage, plain.cost) == (streamed.output, streamed.token_usage, streamed.cost)
        one, two = [await engine.traces.get_by_trace_id(r.trace_id) for r in (plain, streamed)]
        assert [(s.kind, s.name, s.input, s.output, s.attributes) for s in one] == [
            (s.kind, s.name, s.input, s.output, s.attributes) for s in two
        ]


async def test_an_output_that_the_agents_schema_refuses_is_never_said():
    async with roles({"a": "A"}) as (engine, _):
        agent = await side_agent(engine, "a", agent={"output_schema": {"required": ["b"]}})
        stream = engine.agents.stream(agent, {})
        assert [event.type async for event in stream] == ["execution", "error"]
        assert (await stream.result()).error_code == "output_invalid"


async def test_an_answer_that_was_cut_marks_the_run_where_it_is_part_of_the_output():
    async with roles({"a": "A", "join": "J"}, finish="length") as (engine, _):
        assert (await engine.agents.execute(await side_agent(engine, "a"), {})).truncated


async def test_input_that_cannot_be_run_leaves_nothing_whichever_prompt_refuses_it():
    async with roles({"a": "A", "b": "B"}) as (engine, model):
        await side_agent(engine, "ab")
        await engine.prompts.create_version("p b", user_prompt="b:", input_schema={"required": ["n"]}, set_current=True)
        with pytest.raises(InputInvalidError, match="p b"):
            await engine.agents.execute("Side", {"text": "t"})
        await engine.prompts.create_version(
            "p b", user_prompt="b: {{ n.x }}", config={"strict": True}, set_current=True
        )
        with pytest.raises(TemplateError):
            await engine.agents.execute("Side", {"text": "t"})
        assert (await engine.executions.list()).meta.total == 0
        assert not model.requests["a"]


async def test_a_new_version_of_any_of_its_prompts_is_followed_at_once():
    async with roles({"a": "A", "join": "J"}) as (engine, model):
        config = {"aggregation": "prompt", "aggregator_prompt_id": "join"}
        await side_agent(engine, "a", extra={"join": "join: one"}, **config)
        await engine.agents.execute("Side", {})
        await engine.prompts.create_version("join", user_prompt="join: two", set_current=True)
        await engine.agents.execute("Side", {})
        assert [request.messages[-1].content for request in model.requests["join"]] == ["join: one", "join: two"]
        await engine.prompts.archive("join")
        with pytest.raises(Exception, match="'join' is archived"):
            await engine.agents.execute("Side", {})


# ------------------------------------------------------------------ the aggregator


async def test_the_aggregator_sees_every_result_and_its_answer_is_the_runs():
    template = (
        "join: {% for role, r in results.items() %}{{ role }}={{ r.output.label }}/{{ r.text }} {% endfor %}"
        "{{ steps['second one'].output.why }} {{ text }}"
    )
    answers = {"first": label("x"), "second one": label("y", "z"), "join": '{"verdict": "fine"}'}
    async with roles(answers) as (engine, model):
        config = {"aggregation": "prompt", "aggregator_prompt_id": "join"}
        agent = {"output_schema": schema(verdict={"type": "string"})}
        names = ["first", "second one"]
        await side_agent(engine, names, prompt=LABEL, extra={"join": template}, agent=agent, **config)
        result = await engine.agents.execute("Side", {"text": "hi"})
        assert result.output == {"verdict": "fine"}
        (request,) = model.requests["join"]
        assert request.messages[-1].content == (
            'join: first=x/{"label":"x","why":""} second one=y/{"label":"y","why":"z"} z hi'
        )
        assert request.output_schema == agent["output_schema"]  # the agent's: the prompt has none of its own
        assert model.requests["first"][0].output_schema == LABEL["output_schema"]


# ------------------------------------------------------------------ votes


async def test_a_vote_says_the_value_and_the_counts():
    answers = {"a": label("x", "1"), "b": label("y", "2"), "c": label("y", "3"), "d": label("x", "4"), "e": label("y")}
    async with roles(answers) as (engine, _):
        await side_agent(engine, "abcde", prompt=LABEL, aggregation="vote", vote_field="label")
        result = await engine.agents.execute("Side", {})
        assert result.output == {
            "value": "y",
            "votes": 5,
            "counts": [
                {"value": "y", "count": 3, "roles": ["b", "c", "e"]},
                {"value": "x", "count": 2, "roles": ["a", "d"]},
            ],
        }
        (span,) = await engine.traces.list(kind="postprocessing")
        assert (span.name, span.output) == ("vote", result.output)


@pytest.mark.parametrize(
    ("prompt", "answers", "value"),
    [
        ({}, {"a": " no", "b": "yes", "c": "yes\n"}, "yes"),
        ({}, {"a": "no", "b": "yes"}, "no"),
        ({"output_schema": {"type": "number"}}, {"a": "2", "b": "1.0", "c": "1"}, 1.0),
        (OBJECT, {"a": '{"x":1,"y":0}', "b": "{}", "c": '{"y":0,"x":1}'}, {"x": 1, "y": 0}),
        ({"output_schema": {"type": ["object", "integer"]}}, {"a": '{"value":1}', "b": "1", "c": "1"}, 1),
    ],
    ids=["text", "tie goes to the first", "numbers", "objects", "anything"],
)  # fmt: skip
async def test_whole_values_are_voted_on(prompt: Any, answers: Any, value: Any):
    async with roles(answers) as (engine, _):
        await side_agent(engine, answers, prompt=prompt, aggregation="vote")
        assert ((await engine.agents.execute("Side", {})).output or {})["value"] == value


async def test_an_output_without_the_field_is_a_failure_of_its_prompt():
    async with roles({"a": '{"other":1}', "b": '{"label":1}', "c": "[1]"}) as (engine, _):
        config = {"prompt": {"output_schema": {"type": ["object", "array"]}}, "aggregation": "vote"}
        await side_agent(engine, "abc", **config, vote_field="label", failure_policy="settle")
        output = (await engine.agents.execute("Side", {})).output or {}
        assert (output["value"], output["votes"]) == (1, 1)
        assert set(output["errors"]) == {"a", "c"}
        assert "no field 'label'" in output["errors"]["a"]["message"]
        assert output["errors"]["c"]["code"] == "output_invalid"
        failed = await engine.traces.list(kind="agent_step", status="error")
        assert {span.name for span in failed} == {"a", "c"}


# ------------------------------------------------------------------ the first valid


async def test_the_first_output_that_the_agents_schema_allows_wins_and_the_others_are_cancelled():
    answers = {"slow": label("s"), "wrong": '{"label":1}', "broken": BadRequestError("no"), "good": label("g")}
    async with roles(answers, held=["slow", "good"]) as (engine, model):
        agent = {"output_schema": LABEL["output_schema"]}
        own = {"output_schema": {"type": "object"}}  # of the prompts: looser than the agent's
        await side_agent(engine, answers, prompt=own, agent=agent, aggregation="first_valid")
        stream = engine.agents.stream("Side", {})
        await stream.__anext__()
        await model.all_arrived()
        await model.ended["wrong"].wait()
        model.release("good")
        rest = [event async for event in stream]
        result = await stream.result()
        assert result.output == {"label": "g", "why": ""}
        assert [event.type for event in rest] == ["content", "done"]
        assert json.loads(rest[0].content) == result.output  # type: ignore[union-attr] # the first is the content
        assert model.open == set()
        spans = {span.name: span.error_type for span in await engine.traces.list(kind="agent_step")}
        assert spans == {"slow": "cancelled", "wrong": "output_invalid", "broken": "bad_request", "good": ""}
        assert result.cost is None  # the slow call was under way: nobody knows what it will be charged at
        assert result.cost_known > 0


async def test_prompts_without_a_schema_are_held_to_the_agents():
    async with roles({"a": replies("nonsense", label("x"))}) as (engine, model):
        await side_agent(engine, "a", agent=LABEL, aggregation="first_valid")
        assert (await engine.agents.execute("Side", {})).output == {"label": "x", "why": ""}
        assert model.requests["a"][0].output_schema == LABEL["output_schema"]


async def test_no_valid_output_fails_the_run_with_the_reasons_of_all():
    async with roles({"a": BadRequestError("out of tea"), "b": "{}"}) as (engine, _):
        await side_agent(
            engine, "ab", prompt={"output_schema": {"type": "object"}}, agent=LABEL, aggregation="first_valid"
        )
        result = await engine.agents.execute("Side", {})
        assert (result.status, result.error_code) == ("failed", "branches_failed")
        assert "a: out of tea; b: the output breaks" in result.error


# ------------------------------------------------------------------ routing


async def test_the_router_picks_the_roles_that_run():
    answers = {"a": "A", "b": "B", "c": "C", "pick": '{"roles": ["c", "a", "c"]}'}
    async with roles(answers) as (engine, model):
        await side_agent(engine, "abc", extra={"pick": "pick: {{ roles }} {{ text }}"}, router_prompt_id="pick")
        result = await engine.agents.execute("Side", {"text": "hi"})
        assert result.output == {"a": text("A"), "c": text("C")}
        assert model.requests["b"] == []
        (request,) = model.requests["pick"]
        assert request.messages[-1].content == "pick: ['a', 'b', 'c'] hi"
        assert request.output_schema == {
            "type": "object",
            "properties": {
                "roles": {"type": "array", "items": {"type": "string", "enum": ["a", "b", "c"]}, "minItems": 1}
            },
            "required": ["roles"],
            "additionalProperties": False,
        }


async def test_a_router_that_names_strangers_or_nobody_is_asked_again_and_then_fails_the_run():
    pick = replies('{"roles": ["z"]}', '{"roles": []}', '{"roles": ["a"]}', *['{"roles": []}'] * 3)
    async with roles({"a": "A", "b": "B", "pick": pick}) as (engine, model):
        await side_agent(engine, "ab", extra={"pick": "pick:"}, router_prompt_id="pick")
        assert (await engine.agents.execute("Side", {})).output == {"a": text("A")}
        assert (await engine.agents.execute("Side", {})).error_code == "output_invalid"
        assert len(model.requests["a"]) == 1


# ------------------------------------------------------------------ preview, and the sync face of definitions


async def test_a_preview_shows_every_prompt_with_what_is_not_known_by_name():
    async with roles({}) as (engine, _):
        extra = {"pick": "pick: {{ roles }}", "join": "{{ results.a.text }} {{ results.a.output.label }} {{ errors }}"}
        config = {"aggregation": "prompt", "aggregator_prompt_id": "join", "failure_policy": "settle"}
        await side_agent(engine, "a", prompt=LABEL, extra=extra, router_prompt_id="pick", **config)
        shown = [preview.user_prompt for preview in await engine.agents.preview("Side", {"text": "t"})]
        assert shown == ["pick: ['a']", "a: t", "{{ results.a.text }} {{ results.a.output.label }} {}"]


async def test_definitions_are_stored_with_ids_and_compared_link_by_link():
    async with roles({}) as (engine, _):
        extra = {"one": "1", "two": "2", "pick": "p"}
        config = {"aggregation": "prompt", "aggregator_prompt_id": "one"}
        await side_agent(engine, "a", extra=extra, **config)
        stored = (await engine.agents.get_version("Side")).config
        assert stored["aggregator_prompt_id"] == (await engine.prompts.get("one")).id
        links = [PromptLink("p a", "a", 0)]
        changed = MultiAgentConfig(
            links, aggregation="prompt", aggregator_prompt_id="two", router_prompt_id="pick", failure_policy="settle"
        )
        await engine.agents.create_version("Side", "v2", changed)
        diff = await engine.agents.diff("Side", "v1", "v2")
        ids = {name: (await engine.prompts.get(name)).id for name in extra}
        assert {change.path: (change.part, change.kind, change.new) for change in diff.changes} == {
            "aggregator_prompt_id": ("links", "changed", ids["two"]),
            "router_prompt_id": ("links", "added", ids["pick"]),
            "config.failure_policy": ("parameters", "added", "settle"),
        }


async def test_the_first_valid_output_may_be_something_else_than_an_object():
    async with roles({"a": '"hello"'}) as (engine, _):
        await side_agent(engine, "a", agent={"output_schema": {"type": "string"}}, aggregation="first_valid")
        assert (await engine.agents.execute("Side", {})).output == {"value": "hello"}
