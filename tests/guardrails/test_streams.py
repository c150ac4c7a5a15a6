"""Outputs that are heard while they come, all but what a guard may still have something to say of."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from promptrails_engine import ProviderUnavailableError
from promptrails_engine.events import ErrorEvent
from promptrails_engine.testing import Reply
from tests.guardrails.kit import Numbers, NumbersScanner, guard, guarded


def pieces(*texts: str) -> Reply:
    return Reply("".join(texts), chunks=texts)


def in_pieces(text: str, sizes: list[int]) -> list[str]:
    found: list[str] = []
    for size in sizes:
        found.append(text[:size])
        text = text[size:]
    return [piece for piece in [*found, text] if piece]


async def heard(engine: Any, agent: Any) -> tuple[list[str], Any]:
    stream = engine.agents.stream(agent.id, {"text": "x"})
    events = [event async for event in stream]
    return [event.content for event in events if event.type == "content"], events[-1]


async def test_what_cannot_become_a_number_is_heard_at_once_and_a_number_is_held_until_its_end() -> None:
    reply = pieces("one ", "1", "2", "3", " two", " 4")
    async with guarded([guard("output")], lambda request: reply) as (engine, agent, _):
        texts, last = await heard(engine, agent)
        assert texts == ["one ", "[N] two", " ", "[N]"]
        assert last.output["content"] == "one [N] two [N]"


async def test_two_guards_hold_one_behind_the_other() -> None:
    reply = pieces("AB", "C 1", "2 D", "E")
    guards = [guard("output", replacement="X"), guard("output", upper=True, replacement="9")]
    async with guarded(guards, lambda request: reply) as (engine, agent, _):
        texts, last = await heard(engine, agent)
        assert "".join(texts) == last.output["content"] == "9 9 9"


async def test_a_block_while_it_comes_says_how_much_was_heard() -> None:
    reply = pieces("first ", "then ", "12", "3 more")
    async with guarded([guard("output", "block", stream="window")], lambda request: reply) as (engine, agent, _):
        texts, last = await heard(engine, agent)
        assert "".join(texts) == "first then "
        assert isinstance(last, ErrorEvent)
        assert "after 11 characters were heard" in last.message


async def test_a_scanner_that_fails_while_it_comes_lets_nothing_out() -> None:
    async with guarded([guard("output", fails=True)], lambda request: pieces("a ", "b")) as (engine, agent, _):
        texts, last = await heard(engine, agent)
        assert texts == []
        assert last.code == "guardrail_blocked"


async def test_an_attempt_that_fails_is_taken_back_while_nothing_of_it_was_heard() -> None:
    gone = ProviderUnavailableError("gone")
    replies = iter([Reply("12", error=gone), pieces("34", " end")])
    async with guarded([guard("output")], lambda request: next(replies)) as (engine, agent, _):
        texts, last = await heard(engine, agent)
        assert "".join(texts) == "[N] end"
        assert last.type == "done"


@given(st.text(alphabet="ab12 \n", max_size=60), st.lists(st.integers(1, 9), max_size=20))
async def test_however_it_is_cut_the_stream_is_the_answer(text: str, sizes: list[int]) -> None:
    text = f"x{text}x"
    reply = pieces(*in_pieces(text, sizes))
    async with guarded([guard("output")], lambda request: reply) as (engine, agent, _):
        texts, last = await heard(engine, agent)
        assert "".join(texts) == last.output["content"]
        assert not any(char.isdigit() for char in last.output["content"])


class Counting(Numbers):
    """Counts the characters that are looked at to see what can be let go."""

    def __init__(self) -> None:
        super().__init__()
        self.looked_at = 0


class CountingScanner(NumbersScanner):
    def settled(self, text: str) -> int | None:
        assert isinstance(self._module, Counting)
        self._module.looked_at += len(text)
        return super().settled(text)


Counting.kind = CountingScanner


async def test_what_is_held_for_long_is_looked_at_a_few_times_however_small_the_parts_are() -> None:
    text = "7" * 60_000
    reply = pieces(*in_pieces(text, [20] * 3000))
    counting = Counting()
    async with guarded([guard("output")], lambda request: reply, scanner=counting) as (engine, agent, _):
        texts, _ = await heard(engine, agent)
        assert texts == ["[N]"]
    assert len(text) < counting.looked_at < 20 * len(text)  # of every part anew it were 1500 times
