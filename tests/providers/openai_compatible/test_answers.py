"""What answers become: deltas in order, and one Finish."""

from __future__ import annotations

import json
from typing import Any

import pytest

from promptrails_engine.events import TokenUsage
from promptrails_engine.ports.provider import (
    Finish,
    RefusalDelta,
    TextDelta,
    ThinkingDelta,
    ToolCallDelta,
    UsageDelta,
)
from tests.providers.loopback import LoopbackServer, Received, Reply
from tests.providers.openai_compatible.calls import Outcome, ask
from tests.providers.replies import DONE, call, chat, encode, event, json_reply, plain, sse, streamed, usage

STOP = event({}, "stop")
USAGE = TokenUsage(prompt_tokens=7, completion_tokens=3, total_tokens=10)


async def test_a_full_answer_in_order(server: LoopbackServer) -> None:
    script = chat("Hello there", thinking="hmm", refusal="no", tool_calls=[("c1", "add", '{"a":1}')])
    assert (await ask(server, script)).deltas == [
        ThinkingDelta("hmm"),
        TextDelta("Hello "),
        TextDelta("there"),
        RefusalDelta("no"),
        ToolCallDelta(0, "c1", "add", '{"a'),
        ToolCallDelta(0, arguments='":1}'),
        UsageDelta(USAGE),
        Finish("tool_calls"),
    ]


async def test_a_server_that_does_not_stream_is_understood(server: LoopbackServer) -> None:
    script = chat("Hello", thinking="hmm", refusal="no", tool_calls=[("c1", "add", "{}"), ("c2", "add", "{}")])

    def whole(received: Received) -> Reply:
        body = json.dumps({**received.json, "stream": False}).encode()
        return script(Received(received.method, received.path, received.headers, body))

    assert (await ask(server, whole)).deltas == [
        ThinkingDelta("hmm"),
        TextDelta("Hello"),
        RefusalDelta("no"),
        ToolCallDelta(0, "c1", "add", "{}"),
        ToolCallDelta(1, "c2", "add", "{}"),
        UsageDelta(USAGE),
        Finish("tool_calls"),
    ]


@pytest.mark.parametrize("content_type", ["application/json", "text/plain", "application/octet-stream"])
async def test_a_stream_is_told_by_its_bytes_not_by_its_type(server: LoopbackServer, content_type: str) -> None:
    body = b"\xef\xbb\xbf\r\n: hello\n\n" + encode(event({"content": "a"})) + encode(STOP) + DONE
    outcome = await ask(server, plain(200, body, content_type))
    assert (outcome.text, outcome.finish) == ("a", "stop")


@pytest.mark.parametrize("newline", [b"\n", b"\r\n", b"\r"])
async def test_comments_other_fields_and_line_ends(server: LoopbackServer, newline: bytes) -> None:
    lines = [
        b": OPENROUTER PROCESSING",
        b"",
        b"id: 7",
        b"retry: 10",
        b"event: message",
        b"data:" + json.dumps(event({"content": "a"})).encode(),
        b"",
        b'data: {"choices": [{"delta":',
        b'data: {"content": "b"}, "finish_reason": "stop"}]}',
        b"",
        b"data: [DONE]",
        b"",
        b"",
    ]
    outcome = await ask(server, streamed([newline.join(lines)]))
    assert (outcome.text, outcome.finish) == ("ab", "stop")


async def test_the_end_mark_and_the_last_empty_line_may_be_missing(server: LoopbackServer) -> None:
    last = encode(event({"content": "b"}, "stop")).rstrip()
    outcome = await ask(server, streamed([encode(event({"content": "a"})), last]))
    assert (outcome.text, outcome.finish, outcome.error) == ("ab", "stop", None)


async def test_nothing_after_the_end_mark_counts(server: LoopbackServer) -> None:
    outcome = await ask(server, sse(STOP, DONE, event({"content": "late"}), b"data: {\n\n", done=False))
    assert (outcome.text, outcome.finish, outcome.error) == ("", "stop", None)


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("stop", "stop"),
        ("eos", "stop"),
        ("end_turn", "stop"),
        ("length", "length"),
        ("max_tokens", "length"),
        ("model_length", "length"),
        ("tool_calls", "tool_calls"),
        ("function_call", "tool_calls"),
        ("content_filter", "content_filter"),
    ],
)
async def test_finish_reasons(server: LoopbackServer, said: str, meant: str) -> None:
    outcome = await ask(server, sse(event({"content": "a"}), event({}, said)))
    assert outcome.deltas == [TextDelta("a"), Finish(meant)]  # type: ignore[arg-type]  # one of the literals


async def test_empty_pieces_other_choices_and_events_without_choices_are_skipped(server: LoopbackServer) -> None:
    other = {"choices": [{"index": 1, "delta": {"content": "second answer"}, "finish_reason": "length"}]}
    odd: dict[str, object] = {"id": "x", "choices": None, "prompt_filter_results": []}
    pieces: list[object] = [
        event({"role": "assistant", "content": ""}),
        other,
        odd,
        event({"content": None}),
        event({"content": "a"}),
    ]
    assert (await ask(server, sse(*pieces, STOP))).deltas == [TextDelta("a"), Finish("stop")]


async def test_reasoning_under_either_name_once(server: LoopbackServer) -> None:
    both = {"reasoning_content": "x", "reasoning": "x", "reasoning_details": [{"text": "x"}]}
    outcome = await ask(server, sse(event(both), event({"reasoning": "y"}), event({"content": "a"}), STOP))
    assert outcome.deltas == [ThinkingDelta("x"), ThinkingDelta("y"), TextDelta("a"), Finish("stop")]


async def test_content_in_typed_parts(server: LoopbackServer) -> None:
    parts = [
        {"type": "thinking", "thinking": [{"type": "text", "text": "t1"}, {"type": "text", "text": "t2"}]},
        {"type": "text", "text": "a"},
        {"type": "unknown"},
    ]
    outcome = await ask(server, sse(event({"content": parts}), STOP))
    assert outcome.deltas == [ThinkingDelta("t1t2"), TextDelta("a"), Finish("stop")]


@pytest.mark.parametrize("text", ["a\ud800b", "nul\x00", "\u202etxet", "\U000e0041", "🙂é漢"])
async def test_odd_text_is_kept_for_the_caller(server: LoopbackServer, text: str) -> None:
    assert (await ask(server, sse(event({"content": text}), STOP))).text == text


# ------------------------------------------------------------------ tool calls


def joined(outcome: Outcome) -> list[tuple[str, str, str]]:
    """Calls as an engine would fold them; also checks that id and name come with the first piece alone."""
    calls: dict[int, list[str]] = {}
    for delta in outcome.deltas:
        if isinstance(delta, ToolCallDelta):
            if delta.index in calls:
                assert (delta.id, delta.name) == ("", "")
                calls[delta.index][2] += delta.arguments
            else:
                assert delta.id
                calls[delta.index] = [delta.id, delta.name, delta.arguments]
    assert sorted(calls) == list(range(len(calls)))
    return [(id, name, arguments) for id, name, arguments in calls.values()]


def piece(**fields: Any) -> dict[str, Any]:
    function = {key: fields.pop(key) for key in ("name", "arguments") if key in fields}
    return event({"tool_calls": [{**fields, "function": function}]})


SPLIT = [("c1", "add", '{"a":1}'), ("c2", "sub", '{"b":2}')]


@pytest.mark.parametrize(
    "pieces",
    [
        pytest.param(
            [
                piece(index=0, id="c1", name="add", arguments='{"a"'),
                piece(index=0, arguments=":1}"),
                piece(index=1, id="c2", name="sub", arguments='{"b"'),
                piece(index=1, arguments=":2}"),
            ],
            id="as documented",
        ),
        pytest.param(
            [
                piece(index=0, id="c1", name="add", arguments='{"a"'),
                piece(index=1, id="c2", name="sub", arguments='{"b"'),
                piece(index=0, arguments=":1}"),
                piece(index=1, arguments=":2}"),
            ],
            id="interleaved",
        ),
        pytest.param(
            [
                piece(index=0, id="c1", name="add", arguments='{"a"'),
                piece(index=0, id="c1", name="add", arguments=":1}"),
                piece(index=1, id="c2", name="sub", arguments='{"b"'),
                piece(index=1, id="c2", name="sub", arguments=":2}"),
            ],
            id="id and name repeated",
        ),
        pytest.param(
            [
                piece(id="c1", name="add", arguments='{"a"'),
                piece(arguments=":1}"),
                piece(id="c2", name="sub", arguments='{"b"'),
                piece(id="c2", arguments=":2}"),
            ],
            id="no index",
        ),
        pytest.param(
            [
                piece(index=0, id="c1", name="add", arguments='{"a"'),
                piece(index=0, id="random-1", arguments=":1}"),
                piece(index=1, id="c2", name="sub", arguments='{"b"'),
                piece(index=1, id="random-2", arguments=":2}"),
            ],
            id="a new id in every piece",
        ),
        pytest.param(
            [
                piece(index=0, id="c1", name="add", arguments='{"a":1}'),
                piece(index=0, id="c2", name="sub", arguments='{"b":2}'),
            ],
            id="index 0 for all",
        ),
        pytest.param(
            [event({"tool_calls": [call(0, "c1", "add", '{"a":1}'), call(1, "c2", "sub", '{"b":2}')]})],
            id="all in one event",
        ),
        pytest.param(
            [
                piece(index=3, id="c1", name="add", arguments='{"a":1}'),
                piece(index=7, id="c2", name="sub", arguments='{"b":2}'),
            ],
            id="indexes with gaps",
        ),
    ],
)
async def test_pieces_of_parallel_calls_are_told_apart(server: LoopbackServer, pieces: list[dict[str, Any]]) -> None:
    outcome = await ask(server, sse(*pieces, event({}, "tool_calls")))
    assert joined(outcome) == SPLIT
    assert outcome.finish == "tool_calls"


async def test_calls_without_ids_get_ids_of_their_own(server: LoopbackServer) -> None:
    outcome = await ask(
        server, sse(piece(name="add", arguments={"a": 1}), piece(name="add", arguments="{}"), event({}, "stop"))
    )
    (first, *call_1), (second, *call_2) = joined(outcome)
    assert first != second
    assert (call_1, call_2) == (["add", '{"a": 1}'], ["add", "{}"])


async def test_two_whole_calls_with_one_id_stay_two(server: LoopbackServer) -> None:
    twice = [{"id": "c", "type": "function", "function": {"name": "add", "arguments": "{}"}}] * 2
    choice = {"message": {"content": None, "tool_calls": twice}, "finish_reason": "tool_calls"}
    assert joined(await ask(server, json_reply({"choices": [choice]}))) == [("c", "add", "{}")] * 2


async def test_the_older_form_of_a_call(server: LoopbackServer) -> None:
    pieces = [{"name": "add", "arguments": '{"a"'}, {"arguments": ":1}"}]
    outcome = await ask(server, sse(*(event({"function_call": p}) for p in pieces), event({}, "function_call")))
    [(_, name, arguments)] = joined(outcome)
    assert (name, arguments, outcome.finish) == ("add", '{"a":1}', "tool_calls")


# ------------------------------------------------------------------ usage


@pytest.mark.parametrize(
    ("counts", "expected"),
    [
        (usage(), USAGE),
        ({"prompt_tokens": 1, "completion_tokens": 2}, TokenUsage(1, 2, 3)),
        ({"prompt_tokens": 4.0, "completion_tokens": None}, TokenUsage(prompt_tokens=4)),
        ({"prompt_tokens": -1, "completion_tokens": 2, "total_tokens": 1}, TokenUsage(None, 2, 1)),
        ({"prompt_tokens": 10**12, "completion_tokens": 2}, TokenUsage(None, 2)),
        ({"prompt_tokens": "7", "completion_tokens": True}, None),
        ({"prompt_tokens": 1.5, "completion_tokens": float("nan")}, None),
        ({"prompt_tokens": float("inf"), "completion_tokens": -0.5}, None),
        ([1, 2], None),
        ("none", None),
        (
            {
                **usage(),
                "prompt_tokens_details": {"cached_tokens": 5, "cache_write_tokens": 1},
                "completion_tokens_details": {"reasoning_tokens": 2},
            },
            TokenUsage(7, 3, 10, 5, 1, 2),
        ),
        ({**usage(), "prompt_cache_hit_tokens": 6, "prompt_tokens_details": None}, TokenUsage(7, 3, 10, 6)),
    ],
)
async def test_usage_that_can_be_believed(server: LoopbackServer, counts: object, expected: TokenUsage | None) -> None:
    outcome = await ask(server, sse(event({"content": "a"}), STOP, {**event(), "usage": counts}))
    assert outcome.usage == expected
    assert outcome.finish == "stop"


async def test_a_count_in_every_event_is_told_when_it_changes(server: LoopbackServer) -> None:
    counts = [usage(7, 1), usage(7, 1), usage(7, 2)]
    outcome = await ask(server, sse(*(event({"content": "a"}, usage=count) for count in counts), STOP))
    reports = [delta.usage.completion_tokens for delta in outcome.deltas if isinstance(delta, UsageDelta)]
    assert reports == [1, 2]


async def test_no_usage_is_no_delta(server: LoopbackServer) -> None:
    assert (await ask(server, sse(event({"content": "a"}), STOP))).usage is None
