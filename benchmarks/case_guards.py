"""Guards: what a guarded run and a guarded chunk cost, against the same patterns without an engine."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Awaitable, Callable

import fakes
import floors
import work
from harness import Contender, Row, Size, cpu_row, in_turns
from scanner_texts import terms

from promptrails_engine import AsyncEngine, GuardrailSpec
from promptrails_engine.guardrails.scanners import Scanners

TERMS = terms(20)
LONGEST = max(map(len, TERMS))
PATTERN = re.compile("|".join(map(re.escape, sorted(TERMS, key=len, reverse=True))), re.IGNORECASE)
BANNED = {"substrings": TERMS}
LABEL = "[REDACTED]"
JUDGES = ("secrets", "prompt_injection", "toxicity")


def question(i: int) -> str:
    """A question with a banned term in it, now and then."""
    return f"{work.question(i)} {TERMS[i % 20]}" if i % 4 == 0 else work.question(i)


def answered(i: int) -> str:
    text = question(i)
    return work.answer(f"You are {work.ROLE}. Answer this: {PATTERN.sub(LABEL, text)}")


async def runs(size: Size) -> list[Row]:
    """A run with a list of terms on the input and on the output, and one with three scanners on the input."""
    listed = [GuardrailSpec("input", "ban_substrings", "redact", BANNED)]
    listed.append(GuardrailSpec("output", "ban_substrings", "block", BANNED))
    judged = [GuardrailSpec("input", name, "block") for name in JUDGES]
    return [
        await against("guarded run, two lists of terms", listed, with_patterns(), question, answered, size),
        await against("guarded run, three scanners", judged, with_scanners(), work.question, work.simple, size),
    ]


async def against(
    case: str,
    guards: list[GuardrailSpec],
    floor_once: Callable[[int], Awaitable[str]],
    asked: Callable[[int], str],
    expected: Callable[[int], str],
    size: Size,
) -> Row:
    async with AsyncEngine(providers=[fakes.InstantModel()], model=fakes.MODEL) as engine:
        agent_id, execute = await fakes.simple_agent(engine, guardrails=guards), engine.agents.execute

        async def once(i: int) -> str:
            result = await execute(agent_id, {"role": work.ROLE, "question": asked(i)})
            return result.text

        ours, floor = Contender("ours", once, expected), Contender("floor", floor_once, expected)
        await in_turns([floor, ours], size)
    note = "the floor: a bare run, and " + ("the same terms as one pattern" if asked is question else "scan() by hand")
    return cpu_row(case, floor, ours, note=note)


def with_patterns() -> Callable[[int], Awaitable[str]]:
    """A bare run whose values and answer go through one compiled pattern."""
    bare = floors.simple(asked=lambda i: PATTERN.sub(LABEL, question(i)), role=lambda: PATTERN.sub(LABEL, work.ROLE))

    async def once(i: int) -> str:
        text = await bare(i)
        if PATTERN.search(text):
            raise AssertionError("blocked")
        return text

    return once


def with_scanners() -> Callable[[int], Awaitable[str]]:
    """A bare run whose values go through the same scanners, called one after another."""
    scanners, bare = [Scanners({}).build(name, {}) for name in JUDGES], floors.simple()

    async def once(i: int) -> str:
        for text in (work.ROLE, work.question(i)):
            for scanner in scanners:
                if scanner.scan(text).triggered:
                    raise AssertionError("blocked")
        return await bare(i)

    return once


async def chunks(size: Size) -> list[Row]:
    """1,000 chunks through a guard that takes terms out while they come; the floor holds back the longest term."""
    guards = [GuardrailSpec("output", "ban_substrings", "redact", BANNED)]
    async with AsyncEngine(providers=[fakes.ChunkModel()], model=fakes.MODEL) as engine:
        agent_id = await fakes.simple_agent(engine, guardrails=guards)

        async def once(i: int) -> str:
            stream = engine.agents.stream(agent_id, fakes.simple_input(i))
            return "".join([event.content async for event in stream if event.type == "content"])

        ours = Contender("ours", once, work.streamed)
        floor = Contender("floor", held_back, work.streamed)
        await in_turns([floor, ours], size, warm=size.pick(20, 3))
    note = "the floor: one pattern over what is held back"
    return [cpu_row("guarded streamed chunk", floor, ours, per=work.CHUNKS, note=note)]


async def held_back(i: int) -> str:
    """The chunks with the pattern applied to all but the last characters, which a term may still begin in."""

    async def let_go() -> AsyncIterator[str]:
        held = ""
        async for event in floors.events():
            held = PATTERN.sub(LABEL, held + event.text)
            free = len(held) - LONGEST
            if free > 0:
                yield held[:free]
                held = held[free:]
        yield held

    return "".join([text async for text in let_go()])
