"""What is sent: the body, the key, the address."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest

from promptrails_engine.errors import AuthError, BadRequestError, ConfigurationError
from promptrails_engine.ports.provider import Message, ModelCapabilities, ToolCall, ToolSpec
from promptrails_engine.secrets import Secret
from promptrails_providers.openai_compatible import ENDPOINTS, Endpoint, OpenAICompatibleProvider, create
from tests.providers.loopback import LoopbackServer
from tests.providers.openai_compatible.calls import KEY, ask, drain, request
from tests.providers.replies import chat, error

TOOL = ToolSpec("add", "Adds.", {"type": "object", "properties": {"a": {"type": "number"}}})
CLOSED = {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"], "additionalProperties": False}


async def sent(server: LoopbackServer, name: str = "openai", **fields: Any) -> dict[str, Any]:
    outcome = await ask(server, chat(), wanted=request(**fields), name=name)
    assert outcome.error is None
    return dict(server.requests[-1].json)


async def test_the_smallest_request_holds_nothing_unasked(server: LoopbackServer) -> None:
    assert await sent(server) == {
        "model": "m",
        "messages": [{"role": "user", "content": "hi"}],
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    assert server.requests[0].path == "/v1/chat/completions"
    assert server.requests[0].headers["authorization"] == f"Bearer {KEY}"


async def test_sampling_fields_go_under_the_names_of_the_server(server: LoopbackServer) -> None:
    fields = {"temperature": 0.5, "top_p": 0.9, "top_k": 40, "max_tokens": 9}
    openai = await sent(server, "openai", **fields)
    assert openai["max_completion_tokens"] == 9
    assert "max_tokens" not in openai
    assert "top_k" not in openai
    vllm = await sent(server, "vllm", **fields)
    assert {key: vllm[key] for key in fields} == fields


async def test_a_server_that_refuses_stream_options_gets_none(server: LoopbackServer) -> None:
    assert "stream_options" not in await sent(server, "mistral")


async def test_options_pass_but_do_not_override(server: LoopbackServer) -> None:
    options: dict[str, Any] = {
        "model": "other",
        "messages": [],
        "stream": False,
        "stream_options": {},
        "n": 5,
        "temperature": 2,
        "seed": 3,
        "reasoning_effort": "low",
        "stop": None,
    }
    body = await sent(server, temperature=0.1, options=options)
    assert (body["model"], body["stream"], body["temperature"]) == ("m", True, 0.1)
    assert body["messages"] == [{"role": "user", "content": "hi"}]
    assert (body["seed"], body["reasoning_effort"]) == (3, "low")
    assert "n" not in body
    assert "stop" not in body
    assert body["stream_options"] == {"include_usage": True}


async def test_tools_and_a_conversation_with_calls(server: LoopbackServer) -> None:
    messages = [
        Message("system", "s"),
        Message("user", "u", name="Ann"),
        Message("assistant", "", tool_calls=[ToolCall("c1", "add", '{"a":1}'), ToolCall("c2", "add", "")]),
        Message("tool", "1", tool_call_id="c1", name="add"),
        Message("tool", "2", tool_call_id="c2"),
    ]
    body = await sent(server, messages=messages, tools=[TOOL])
    assert body["tools"] == [
        {"type": "function", "function": {"name": "add", "description": "Adds.", "parameters": dict(TOOL.parameters)}}
    ]
    assert body["messages"][1] == {"role": "user", "content": "u", "name": "Ann"}
    assert body["messages"][2] == {
        "role": "assistant",
        "content": None,
        "tool_calls": [
            {"id": "c1", "type": "function", "function": {"name": "add", "arguments": '{"a":1}'}},
            {"id": "c2", "type": "function", "function": {"name": "add", "arguments": "{}"}},
        ],
    }
    assert body["messages"][3] == {"role": "tool", "content": "1", "tool_call_id": "c1"}


@pytest.mark.parametrize("broken", ['{"a":', "[1]", "nonsense", "[" * 100_000])
async def test_broken_arguments_of_an_earlier_call_are_wrapped(server: LoopbackServer, broken: str) -> None:
    call = Message("assistant", "", tool_calls=[ToolCall("c", "add", broken)])
    body = await sent(server, messages=[call, Message("tool", "bad arguments", tool_call_id="c")])
    arguments = body["messages"][0]["tool_calls"][0]["function"]["arguments"]
    assert json.loads(arguments) == {"invalid_arguments": broken}


async def test_ids_are_shortened_alike_in_call_and_result_where_a_server_needs_it(server: LoopbackServer) -> None:
    messages = [
        Message(
            "assistant", "", tool_calls=[ToolCall("call_long_id_1", "add", "{}"), ToolCall("abcDEF123", "add", "{}")]
        ),
        Message("tool", "1", tool_call_id="call_long_id_1"),
        Message("tool", "2", tool_call_id="abcDEF123"),
    ]
    body = await sent(server, "mistral", messages=messages)
    first, second = (call["id"] for call in body["messages"][0]["tool_calls"])
    assert len(first) == 9
    assert first.isalnum()
    assert second == "abcDEF123"
    assert [message["tool_call_id"] for message in body["messages"][1:]] == [first, second]


@pytest.mark.parametrize(
    ("schema", "strict"),
    [
        (CLOSED, True),
        ({**CLOSED, "additionalProperties": True}, False),
        ({**CLOSED, "required": []}, False),
        ({"type": "array", "items": CLOSED}, False),
        ({**CLOSED, "properties": {"a": {"type": "array", "items": CLOSED}}}, True),
        ({**CLOSED, "properties": {"a": {"type": "object", "properties": {"b": {}}}}}, False),
        ({**CLOSED, "properties": {"a": {"anyOf": [{"type": "string"}, {"type": "null"}]}}}, True),
        ({**CLOSED, "properties": {"a": {"oneOf": [{"type": "string"}]}}}, False),
        ({**CLOSED, "properties": {"a": {"$ref": "#/$defs/x"}}, "$defs": {"x": {"type": "object"}}}, False),
    ],
)
async def test_a_schema_is_strict_where_strict_mode_takes_it(
    server: LoopbackServer, schema: dict[str, Any], strict: bool
) -> None:
    body = await sent(server, output_schema=schema)
    expected = {"name": "output", "schema": schema, "strict": strict}
    assert body["response_format"] == {"type": "json_schema", "json_schema": expected}


async def test_the_name_of_a_schema_is_made_fit(server: LoopbackServer) -> None:
    body = await sent(server, "perplexity", output_schema={**CLOSED, "title": "Réponse finale! " * 9})
    spec = body["response_format"]["json_schema"]
    assert spec["name"].startswith("R_ponse_finale_R_ponse")
    assert len(spec["name"]) <= 64
    assert "strict" not in spec


async def test_text_that_is_no_unicode_is_sent_escaped(server: LoopbackServer) -> None:
    body = await sent(server, messages=[Message("user", "a\ud800\x00é")])
    assert body["messages"][0]["content"] == "a\ud800\x00é"


@pytest.mark.parametrize("value", [math.nan, math.inf, object(), {1, 2}])
async def test_what_json_cannot_say_is_a_bad_request(server: LoopbackServer, value: object) -> None:
    outcome = await ask(server, chat(), wanted=request(options={"x": value}))
    assert isinstance(outcome.error, BadRequestError)
    assert not server.requests


# ------------------------------------------------------------------ keys and addresses


async def test_the_key_is_read_from_the_environment_at_each_call(
    server: LoopbackServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.script(chat())
    provider = OpenAICompatibleProvider("together_ai", server.url)
    for name, key in (("TOGETHERAI_API_KEY", "third-key"), ("TOGETHER_API_KEY", "first-key")):
        monkeypatch.setenv(name, f"  {key}\n")
        assert (await drain(provider)).error is None
        assert server.requests[-1].headers["authorization"] == f"Bearer {key}"
    await provider.aclose()


@pytest.mark.parametrize("name", sorted(prefix for prefix, row in ENDPOINTS.items() if row.key_required))
async def test_a_missing_key_is_named_and_nothing_is_sent(server: LoopbackServer, name: str) -> None:
    outcome = await drain(OpenAICompatibleProvider(name, server.url))
    assert isinstance(outcome.error, AuthError)
    assert ENDPOINTS[name].key_env[0] in outcome.error.message
    assert not server.requests


@pytest.mark.parametrize("name", ["vllm", "hosted_vllm", "llamacpp", "ollama", "lmstudio", "myhost"])
async def test_a_local_server_needs_no_key(server: LoopbackServer, name: str) -> None:
    server.script(chat())
    provider = OpenAICompatibleProvider(name, server.url)
    assert (await drain(provider)).error is None
    assert "authorization" not in server.requests[0].headers
    await provider.aclose()


@pytest.mark.parametrize("key", ["sk-line\nbreak-secret", "sk-schlüssel-geheim"])
async def test_a_key_that_cannot_be_sent_is_refused_unseen(server: LoopbackServer, key: str) -> None:
    outcome = await drain(OpenAICompatibleProvider("openai", server.url, Secret(key)))
    assert isinstance(outcome.error, AuthError)
    assert key not in str(outcome.error)


async def test_the_base_url_moves_by_environment_and_keeps_its_query(
    server: LoopbackServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.script(chat())
    monkeypatch.setenv("OPENAI_BASE_URL", f"{server.root}/gateway/v2/?api-version=7")
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    provider = create("openai")
    assert (await drain(provider)).error is None
    assert server.requests[0].path == "/gateway/v2/chat/completions?api-version=7"
    await provider.aclose()


async def test_credentials_in_the_base_url_become_a_header_and_stay_hidden(server: LoopbackServer) -> None:
    server.script(error(400, "you sent pass word-77"))
    base = server.url.replace("http://", "http://user:pass%20word-77@")
    provider = OpenAICompatibleProvider("myhost", base)
    outcome = await drain(provider)
    assert server.requests[0].headers["authorization"] == "Basic dXNlcjpwYXNzIHdvcmQtNzc="
    assert "word-77" not in repr(provider) + str(outcome.error) + repr(outcome.error)
    await provider.aclose()


async def test_headers_of_the_user_are_sent_and_count_as_secret(server: LoopbackServer) -> None:
    server.script(error(400, "you sent team-token-123456"))
    provider = OpenAICompatibleProvider("openai", server.url, headers={"Authorization": "team-token-123456"})
    outcome = await drain(provider)
    assert server.requests[0].headers["authorization"] == "team-token-123456"
    assert "team-token-123456" not in str(outcome.error)
    await provider.aclose()


@pytest.mark.parametrize("base_url", ["", "no-url", "ftp://host/v1", "http://", "http://h:99999/v1", "http://h\n/v1"])
def test_a_base_url_that_is_none_is_refused_at_once(base_url: str) -> None:
    with pytest.raises(ConfigurationError):
        OpenAICompatibleProvider("myhost", base_url)


def test_a_header_that_cannot_be_sent_is_refused_at_once() -> None:
    with pytest.raises(ConfigurationError):
        OpenAICompatibleProvider("openai", headers={"x-team": "line\r\nbreak"})


def test_an_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(ConfigurationError, match="openai"):
        create("nowhere")


# ------------------------------------------------------------------ the table


def test_every_row_makes_a_provider() -> None:
    for prefix, row in ENDPOINTS.items():
        provider = create(prefix)
        assert provider.name == row.prefix == prefix
        assert provider.capabilities("any") == ModelCapabilities(tools=row.tools, json_schema=row.json_schema)
        assert row.key_env
        assert row.base_url.startswith("https://" if row.key_required else "http://127.0.0.1:")


def test_capabilities_and_rows_can_be_given() -> None:
    capabilities = ModelCapabilities(tools="none", context_window=4096)
    assert OpenAICompatibleProvider("h", "http://h/v1", capabilities=capabilities).capabilities("x") is capabilities
    row = Endpoint(prefix="h", base_url="http://h/v1", json_schema="none")
    assert OpenAICompatibleProvider("h", endpoint=row).capabilities("x").json_schema == "none"


async def test_reasoning_goes_back_with_tool_calls_to_the_server_that_wants_it(server: LoopbackServer) -> None:
    asked = Message("assistant", "", tool_calls=(ToolCall("c1", "add", '{"a": 1}'),), thinking="Add first.")
    messages = [Message("user", "hi"), asked, Message("tool", "2", tool_call_id="c1", name="add")]
    deepseek = await sent(server, "deepseek", messages=messages, tools=[TOOL])
    assert deepseek["messages"][1]["reasoning_content"] == "Add first."
    assert "reasoning_content" not in deepseek["messages"][0]
    openai = await sent(server, "openai", messages=messages, tools=[TOOL])
    assert "Add first." not in json.dumps(openai)
