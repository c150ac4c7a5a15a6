"""Simple and chain agents, from definition to record."""

from __future__ import annotations

import pytest

from promptrails_engine import ChainAgentConfig, PromptLink, RunFailedError, SimpleAgentConfig
from promptrails_engine.models.registry import LLMModel
from tests.engine.kit import SCHEMA, one_prompt, scripted

pytestmark = pytest.mark.usefixtures("each_store")


async def test_a_run_renders_calls_and_records():
    async with scripted(["Short."]) as (engine, provider):
        agent = await one_prompt(engine, "Summarize: {{ text }}", system_prompt="Be concise.")
        result = await engine.agents.execute(agent, {"text": "a long text"}, session_id="s", user_id="u")
        assert (result.status, result.output, result.text) == (
            "completed",
            {"content": "Short.", "type": "text"},
            "Short.",
        )
        assert result.token_usage == {"prompt_tokens": 6, "completion_tokens": 1, "total_tokens": 7}
        assert [(m.role, m.content) for m in provider.requests[0].messages] == [
            ("system", "Be concise."),
            ("user", "Summarize: a long text"),
        ]
        record = await engine.executions.get(result.execution_id)
        assert (record.status, record.input, record.output) == ("completed", {"text": "a long text"}, result.output)
        assert (record.session_id, record.user_id, record.trace_id) == ("s", "u", result.trace_id)
        version = (await engine.agents.get(agent)).current_version
        assert version is not None
        assert record.agent_version_id == version.id
        lock = record.version_lock
        assert lock["agent"]["digest"] == version.digest
        prompt = await engine.prompts.get_version("Prompt")
        assert lock["prompts"] == [
            {
                "prompt_id": prompt.prompt_id,
                "version_id": prompt.id,
                "version": "v1",
                "digest": prompt.digest,
                "model": "scripted/m",
            }
        ]


async def test_a_run_costs_what_its_tokens_cost_and_nothing_is_made_up():
    model = LLMModel(id="mine", provider="scripted", model_id="m", input_price=2.0, output_price=10.0)
    async with scripted(["one two", "one two"], models=[model]) as (engine, _):
        agent = await one_prompt(engine, "a b c d")
        result = await engine.agents.execute(agent, {})
        assert result.cost == pytest.approx((4 * 2.0 + 2 * 10.0) / 1e6)
        summary = await engine.costs.get_summary()
        assert summary.total_cost == pytest.approx(result.cost)
        by_id = await engine.prompts.create("By id", user_prompt="a b c d", llm_model_id="mine")
        agent2 = await engine.agents.create("By id", config=SimpleAgentConfig(prompt_id=by_id.id))
        assert (await engine.agents.execute(agent2.id, {})).cost == pytest.approx(result.cost)
    async with scripted(["one two"], workspace_id="other") as (engine, _):
        result = await engine.agents.execute(await one_prompt(engine), {})
        assert result.cost is None
        assert result.cost_known == 0.0
        summary = await engine.costs.get_agent_summary("Agent")
        assert (summary.total_executions, summary.unknown_cost_executions) == (1, 1)


async def test_a_chain_runs_by_sort_order_and_passes_text_and_input_on():
    async with scripted([{"category": "order", "number": 7}, "The answer."]) as (engine, provider):
        await engine.prompts.create("classify", user_prompt="Classify {{ text }}", output_schema=SCHEMA)
        await engine.prompts.create(
            "reply", user_prompt="{{ text }} | {{ previous_output }} | {{ steps.first.output.category }}"
        )
        links = [PromptLink("reply", "second", 20), PromptLink("classify", "first", 10)]
        agent = await engine.agents.create("Chain", config=ChainAgentConfig(links))
        result = await engine.agents.execute(agent.id, {"text": "where is it"})
        assert result.text == "The answer."
        assert provider.requests[1].messages[-1].content == 'where is it | {"category":"order","number":7} | order'
        assert provider.requests[0].output_schema is not None
        spans = await engine.traces.get_by_trace_id(result.trace_id)
        assert [(s.kind, s.name) for s in spans] == [
            ("chain", "Chain"),
            ("agent_step", "first"),
            ("prompt", "classify"),
            ("llm", "scripted/m"),
            ("agent_step", "second"),
            ("prompt", "reply"),
            ("llm", "scripted/m"),
        ]
        parents = {s.span_id: s.kind for s in spans}
        assert [parents.get(s.parent_span_id, "") for s in spans] == [
            "", "chain", "agent_step", "agent_step", "chain", "agent_step", "agent_step",
        ]  # fmt: skip


async def test_a_strict_schema_of_a_later_prompt_is_not_broken_by_what_the_engine_offers():
    strict = {"type": "object", "properties": {"text": {"type": "string"}}, "additionalProperties": False}
    async with scripted(["one", "two"]) as (engine, _):
        for name in ("a", "b"):
            await engine.prompts.create(name, user_prompt="{{ text }} {{ previous_output }}", input_schema=strict)
        agent = await engine.agents.create(
            "Chain", config=ChainAgentConfig([PromptLink("a", "a", 1), PromptLink("b", "b", 2)])
        )
        assert (await engine.agents.execute(agent.id, {"text": "x"})).text == "two"


async def test_a_failing_later_step_is_a_failed_result_with_all_that_happened_on_record():
    async with scripted(["one", ValueError("bad adapter")]) as (engine, _):
        for name in ("a", "b"):
            await engine.prompts.create(name, user_prompt="{{ text }}")
        agent = await engine.agents.create(
            "Chain", config=ChainAgentConfig([PromptLink("a", "a", 1), PromptLink("b", "b", 2)])
        )
        result = await engine.agents.execute(agent.id, {"text": "x"})
        assert (result.status, result.error_code, result.output) == ("failed", "provider_error", None)
        with pytest.raises(RunFailedError) as failed:
            result.raise_for_status()
        assert failed.value.code == "provider_error"
        failures = await engine.traces.list(status="error", execution_id=result.execution_id)
        assert {span.kind for span in failures} == {"llm", "agent_step", "chain"}
        assert {span.error_type for span in failures} == {"provider_error"}
        assert (await engine.executions.list(status="failed")).meta.total == 1


async def test_agent_settings_override_those_of_the_prompt():
    async with scripted(["x"] * 4) as (engine, provider):
        prompt = await engine.prompts.create("p", user_prompt="hi", temperature=0.1, max_tokens=5, top_p=0.5)
        plain = await engine.agents.create("plain", config=SimpleAgentConfig(prompt.id))
        config = await engine.agents.create(
            "config", config=SimpleAgentConfig(prompt.id, temperature=0.9, max_tokens=6, llm_model_id="scripted/other")
        )
        model = await engine.agents.create(
            "model", config=SimpleAgentConfig(prompt.id), model_config={"temperature": 0.4, "top_k": 3}
        )
        default = await engine.prompts.create("d", user_prompt="hi")
        last = await engine.agents.create("default", config=SimpleAgentConfig(default.id))
        for agent in (plain, config, model, last):
            await engine.agents.execute(agent.id, {})
        seen = [(r.model, r.temperature, r.max_tokens, r.top_p, r.top_k) for r in provider.requests]
        assert seen == [
            ("m", 0.1, 5, 0.5, None),
            ("other", 0.9, 6, 0.5, None),
            ("m", 0.4, 5, 0.5, 3),
            ("m", 0.7, None, None, None),
        ]


async def test_options_of_the_prompt_config_go_to_the_provider_and_the_engines_own_do_not():
    async with scripted(["x"]) as (engine, provider):
        agent = await one_prompt(engine, config={"reasoning_effort": "low", "strict": True, "top_k": 9}, tools=[])
        await engine.agents.execute(agent, {"text": "t"})
        assert dict(provider.requests[0].options) == {"reasoning_effort": "low"}
        assert provider.requests[0].top_k == 9


async def test_a_prompt_runs_by_itself():
    async with scripted(["A.", "B."]) as (engine, provider):
        await engine.prompts.create("p", user_prompt="{{ q }}")
        result = await engine.prompts.execute("p", {"q": "why"})
        assert (result.text, result.status) == ("A.", "completed")
        assert (await engine.executions.get(result.execution_id)).agent_id == ""
        answer = await engine.prompts.run_prompt(
            "p", {"input": {"q": "how"}, "user_prompt": "Now {{ q }}", "max_tokens": 3}
        )
        assert (answer.content, answer.model) == ("B.", "scripted/m")
        assert (provider.requests[1].messages[0].content, provider.requests[1].max_tokens) == ("Now how", 3)
        assert len(await engine.prompts.list_versions("p")) == 1


async def test_preview_shows_the_exact_bytes_that_are_sent():
    async with scripted(["x"]) as (engine, provider):
        agent = await one_prompt(engine, "{% for w in words %}{{ w|upper }} {% endfor %}", system_prompt="S {{ tone }}")
        preview = (await engine.agents.preview(agent, {"words": ["a", "b"]}))[0]
        assert not provider.requests
        assert (await engine.executions.list()).meta.total == 0
        await engine.agents.execute(agent, {"words": ["a", "b"]})
        sent = provider.requests[0]
        assert preview.messages == [m.to_dict() for m in sent.messages]
        assert (preview.temperature, preview.max_tokens, preview.tools) == (sent.temperature, sent.max_tokens, [])
        assert preview.user_prompt == "A B "
        assert preview.system_prompt == "S "


async def test_defaults_of_both_schemas_are_filled_in_and_the_callers_input_is_not_touched():
    async with scripted(["x"]) as (engine, provider):
        agent = await one_prompt(
            engine,
            "{{ a }}{{ b }}",
            input_schema={"properties": {"b": {"type": "string", "default": "B"}}},
            agent_input_schema={"parameters": [{"name": "a", "type": "string", "default": "A"}]},
        )
        given: dict[str, str] = {}
        await engine.agents.execute(agent, given)
        assert provider.requests[0].messages[-1].content == "AB"
        assert given == {}
