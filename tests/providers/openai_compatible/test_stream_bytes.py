"""A stream means the same wherever the network cuts it."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Sequence
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptrails_engine.errors import ResponseTooLargeError
from promptrails_engine.ports.provider import Delta, Finish, TextDelta
from promptrails_providers.openai_compatible.http_errors import Call
from promptrails_providers.openai_compatible.inflate import make_inflater
from promptrails_providers.openai_compatible.reader import AnswerReader
from promptrails_providers.openai_compatible.sse import MAX_LINE_BYTES
from tests.providers.loopback import LoopbackServer
from tests.providers.openai_compatible.calls import ask
from tests.providers.replies import DONE, call, encode, event, streamed, usage

ANSWER = b"".join(
    [
        b"\xef\xbb\xbf: comment\r\n\r\n",
        encode(event({"role": "assistant", "content": ""})),
        encode(event({"reasoning_content": "why"})).replace(b"\n", b"\r\n"),
        encode(event({"content": "Grüße 🙂 漢字"})),
        b'event: message\nid: 1\ndata: {"choices": [{"delta":\ndata: {"content": "two lines"}}]}\n\n',
        b'data: {"choices": [{"delta":\r\ndata: {"content": " more"}}]}\r\n\r\n',
        encode(event({"content": " \ud800 \x00 \u2028 end"})).replace(b"\n", b"\r"),
        encode(event({"tool_calls": [call(0, "c1", "add", '{"a"')]})),
        encode(event({"tool_calls": [{"index": 0, "function": {"arguments": ":1}"}}]})),
        encode(event({}, "tool_calls")),
        encode(event(usage=usage())),
        DONE,
    ]
)


def read(pieces: Sequence[bytes]) -> tuple[list[Delta], str | None]:
    """Deltas and the code of the failure."""
    reader = AnswerReader(Call("p", "m", "http://h"), ("reasoning_content",))
    deltas: list[Delta] = []
    for piece in pieces:
        deltas += reader.feed(piece)
        if reader.failure is not None:
            return deltas, reader.failure.code
    deltas += reader.end()
    return deltas, reader.failure.code if reader.failure else None


WHOLE = read([ANSWER])


def test_the_whole_answer_is_read() -> None:
    deltas, failure = WHOLE
    assert failure is None
    assert deltas[-1] == Finish("tool_calls")
    text = "".join(delta.text for delta in deltas if isinstance(delta, TextDelta))
    assert text == "Grüße 🙂 漢字two lines more \ud800 \x00 \u2028 end"


@pytest.mark.parametrize("step", [1, 2, 3, 7, 64, 1000])
def test_cut_into_equal_pieces(step: int) -> None:
    assert read([ANSWER[i : i + step] for i in range(0, len(ANSWER), step)]) == WHOLE


def test_cut_once_at_every_offset() -> None:
    for offset in range(len(ANSWER) + 1):
        assert read([ANSWER[:offset], ANSWER[offset:]]) == WHOLE, offset


def test_cut_between_all_lines() -> None:
    assert read(ANSWER.splitlines(keepends=True)) == WHOLE


@pytest.mark.parametrize(
    "pieces",
    [
        [b'data: {"choices": [{"delta":\n', b'data: {"content": "a"}}]}\n\n'],
        [b"event: error\n", b'data: {"code": 503}\n\n'],
        [b"da", b'data: {"choices": []}\n\n'],
        [encode(event({"content": "a"}))[:-1], b"\n", encode(event({"content": "b"}))],
    ],
)
def test_what_came_before_counts_for_a_chunk_that_looks_like_a_whole_event(pieces: list[bytes]) -> None:
    assert read(pieces) == read([b"".join(pieces)])


@given(st.lists(st.integers(0, len(ANSWER)), max_size=12))
def test_cut_anywhere(offsets: list[int]) -> None:
    marks = [0, *sorted(offsets), len(ANSWER)]
    assert read([ANSWER[a:b] for a, b in pairwise(marks)]) == WHOLE


@given(st.integers(0, len(ANSWER) - len(DONE) - 1))
def test_cut_short_anywhere_it_never_succeeds_without_its_finish_reason(end: int) -> None:
    deltas, failure = read([ANSWER[:end]])
    if b'tool_calls"' in ANSWER[:end] and any(isinstance(delta, Finish) for delta in deltas):
        assert deltas[: len(deltas) - 1] == WHOLE[0][: len(deltas) - 1]
    else:
        assert failure is not None
        assert deltas == WHOLE[0][: len(deltas)]


@given(st.binary(max_size=300), st.lists(st.integers(0, 300), max_size=6))
def test_any_bytes_give_the_same_verdict_however_cut_and_no_other_exception(data: bytes, offsets: list[int]) -> None:
    marks = [0, *sorted(min(offset, len(data)) for offset in offsets), len(data)]
    assert read([data[a:b] for a, b in pairwise(marks)]) == read([data])


@given(
    st.lists(
        st.sampled_from(
            [b"data: ", b"data", b"{}", b"\n", b"\r", b"\n\n", b"[DONE]", b'{"choices":', b"null", b"error:"]
        )
    )
)
def test_any_lines_give_the_same_verdict_however_cut(parts: list[bytes]) -> None:
    assert read(parts) == read([b"".join(parts)])


@pytest.mark.parametrize("size", [0, 1, 65535, 65536, 65537, 65700, 131072, 200_001])
@pytest.mark.parametrize("step", [1, 50, 1 << 20])
def test_compressed_bytes_come_out_whole_in_bounded_pieces(size: int, step: int) -> None:
    data = (b"abcdefghij" * (size // 10 + 1))[:size]
    packed = gzip.compress(data) + gzip.compress(b"second member")
    inflater = make_inflater("gzip")
    assert inflater is not None
    pieces = [piece for i in range(0, len(packed), step) for piece in inflater.feed(packed[i : i + step])]
    assert b"".join(pieces) == data + b"second member"
    assert max(map(len, pieces)) <= 65536


def test_compressed_bytes_without_a_trailer_come_out_to_the_last() -> None:
    for size in range(65_500, 65_900):
        packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
        packed = packer.compress(b"a" * size) + packer.flush()
        inflater = make_inflater("deflate")
        assert inflater is not None
        assert sum(map(len, inflater.feed(packed))) == size


@pytest.mark.parametrize("offset", [40, 200, 640])
async def test_cut_on_a_real_connection(server: LoopbackServer, offset: int) -> None:
    outcome = await ask(server, streamed([ANSWER[:offset], ANSWER[offset:]]))
    assert (outcome.deltas, outcome.error) == (WHOLE[0], None)


@pytest.mark.parametrize(
    "pieces",
    [
        pytest.param([b"data: " + b"x" * (MAX_LINE_BYTES + 1)], id="one line at once"),
        pytest.param([b"data: ", *[b"x" * 65536] * 17], id="one line in pieces"),
        pytest.param([b"data: " + b"x" * 65530 + b"\n"] * 17, id="one event of many lines"),
        pytest.param([b" " * 65536] * 17, id="blank from the start"),
        pytest.param([encode(event({"content": "x" * 500_000}))] * 35, id="content"),
        pytest.param([encode(event({"tool_calls": [call(0, "c", "f", "x" * 500_000)]}))] * 35, id="arguments"),
        pytest.param([b'{"choices": [' + b" " * 65536] + [b" " * 65536] * 256, id="a document"),
        pytest.param([b": heartbeat\n\n", *[b": " + b"x" * 999_990 + b"\n\n"] * 140], id="heartbeats"),
    ],
)
def test_what_is_too_large_is_stopped(pieces: list[bytes]) -> None:
    assert read(pieces)[1] == ResponseTooLargeError.code
