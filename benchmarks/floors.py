"""The same work with no engine: compiled templates, an instant model, two pydantic objects a run."""

from __future__ import annotations

import asyncio
import json
import queue
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import jinja2
import work
from pydantic import BaseModel

ENVIRONMENT = jinja2.Environment()


class Request(BaseModel):
    run_id: str
    started_at: float
    prompt: str


class Result(BaseModel):
    run_id: str
    started_at: float
    ended_at: float
    text: str


class Results(BaseModel):
    run_id: str
    started_at: float
    ended_at: float
    output: dict[str, str]


async def instant_model(request: Request) -> str:
    return work.answer(request.prompt)


async def slow_model(request: Request) -> str:
    await asyncio.sleep(work.SLEEP_S)
    return work.answer(request.prompt)


def simple(
    model: Callable[[Request], Awaitable[str]] = instant_model,
    *,
    asked: Callable[[int], str] = work.question,
    role: Callable[[], str] = lambda: work.ROLE,
) -> Callable[[int], Awaitable[str]]:
    template = ENVIRONMENT.from_string(work.SIMPLE)

    async def once(i: int) -> str:
        run_id, started = str(uuid.uuid4()), time.time()
        prompt = template.render(role=role(), question=asked(i))
        text = await model(Request(run_id=run_id, started_at=started, prompt=prompt))
        return Result(run_id=run_id, started_at=started, ended_at=time.time(), text=text).text

    return once


def chain() -> Callable[[int], Awaitable[str]]:
    templates = [ENVIRONMENT.from_string(source) for source in work.CHAIN]

    async def once(i: int) -> str:
        run_id, started = str(uuid.uuid4()), time.time()
        values, text = {"text": work.question(i)}, ""
        for template in templates:
            prompt = template.render(values, previous_output=text)
            text = await instant_model(Request(run_id=run_id, started_at=started, prompt=prompt))
        return Result(run_id=run_id, started_at=started, ended_at=time.time(), text=text).text

    return once


def parallel() -> Callable[[int], Awaitable[dict[str, str]]]:
    templates = {f"role{n}": ENVIRONMENT.from_string(source) for n, source in enumerate(work.PARALLEL)}

    async def once(i: int) -> dict[str, str]:
        run_id, started = str(uuid.uuid4()), time.time()
        values = {"text": work.question(i)}
        requests = (Request(run_id=run_id, started_at=started, prompt=t.render(values)) for t in templates.values())
        texts = await asyncio.gather(*(instant_model(request) for request in requests))
        output = dict(zip(templates, texts, strict=True))
        return Results(run_id=run_id, started_at=started, ended_at=time.time(), output=output).output

    return once


# ------------------------------------------------------------------ tools


class AddArguments(BaseModel):
    a: int
    b: int


class Turn(BaseModel):
    role: str
    content: str = ""
    tool: str = ""
    arguments: str = ""


def add(a: int, b: int) -> int:
    return a + b


def tool_round() -> Callable[[int], Awaitable[str]]:
    template = ENVIRONMENT.from_string("{{ number }}")

    async def model(turns: list[Turn]) -> Turn:
        last = turns[-1]
        if last.role == "tool":
            return Turn(role="assistant", content=f"total {last.content}")
        return Turn(role="assistant", tool="add", arguments=work.tool_arguments(int(last.content)))

    async def once(i: int) -> str:
        run_id, started = str(uuid.uuid4()), time.time()
        turns = [Turn(role="user", content=template.render(number=i))]
        while True:
            reply = await model(turns)
            if not reply.tool:
                break
            arguments = AddArguments.model_validate_json(reply.arguments)
            turns += [reply, Turn(role="tool", content=str(add(arguments.a, arguments.b)))]
        return Result(run_id=run_id, started_at=started, ended_at=time.time(), text=reply.content).text

    return once


# ------------------------------------------------------------------ streams


@dataclass(slots=True)
class Event:
    run_id: str
    seq: int
    text: str


async def chunks() -> AsyncIterator[str]:
    """A model that waits one turn of the loop before each chunk, as for a network."""
    for _ in range(work.CHUNKS):
        await asyncio.sleep(0)
        yield work.CHUNK


async def events() -> AsyncIterator[Event]:
    run_id, seq = str(uuid.uuid4()), 0
    async for text in chunks():
        seq += 1
        yield Event(run_id, seq, text)


def stream() -> Callable[[int], Awaitable[str]]:
    async def once(i: int) -> str:
        return "".join([event.text async for event in events()])

    return once


def sync_stream(loop: asyncio.AbstractEventLoop) -> Callable[[int], str]:
    """The events made on the loop of another thread, read from a queue here."""

    async def produce(events: queue.SimpleQueue[Event | None]) -> None:
        run_id, seq = str(uuid.uuid4()), 0
        async for text in chunks():
            seq += 1
            events.put(Event(run_id, seq, text))
        events.put(None)

    def once(i: int) -> str:
        events: queue.SimpleQueue[Event | None] = queue.SimpleQueue()
        future = asyncio.run_coroutine_threadsafe(produce(events), loop)
        texts = [event.text for event in iter(events.get, None)]
        future.result()
        return "".join(texts)

    return once


# ------------------------------------------------------------------ storing

TABLE = "create table runs (id text primary key, started real, ended real, input text, output text)"
INSERT = "insert into runs values (?, ?, ?, ?, ?)"


def stored_row(i: int) -> tuple[Any, ...]:
    """What a run leaves behind at the least: its id, two times, the input and the output."""
    now = time.time()
    data = json.dumps({"role": work.ROLE, "question": work.question(i)})
    return (str(uuid.uuid4()), now, now, data, json.dumps({"content": work.simple(i)}))
