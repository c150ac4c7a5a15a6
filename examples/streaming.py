"""Read a stream, leave it, and attach again after the last event that was seen; then stop a run."""

import asyncio

from promptrails_engine import (
    AsyncEngine,
    ContentEvent,
    DoneEvent,
    ErrorEvent,
    ExecutionEvent,
    SimpleAgentConfig,
)
from promptrails_engine.ports.provider import ModelRequest
from promptrails_engine.testing import Reply, ScriptedProvider


async def reply(request: ModelRequest) -> Reply:
    if request.messages[-1].content == "Wait.":
        await asyncio.Event().wait()  # a model that never begins to answer
    return Reply(chunks=["The ", "parcel ", "arrives ", "on ", "Friday."])


async def leave_and_attach_again(engine: AsyncEngine) -> None:
    execution_id, seen, text = "", 0, ""
    async with engine.agents.stream("Parcels", {"question": "Where is it?"}) as stream:
        async for event in stream:
            seen = event.seq
            if isinstance(event, ExecutionEvent):
                execution_id = event.execution_id
            elif isinstance(event, ContentEvent):
                text += event.content
                if seen == 3:
                    break  # the run goes on without us
    print(f"left after event {seen}: {text!r}")

    # Later, here or in another process that opens the same store: only what is new.
    async for event in engine.executions.stream(execution_id, after=seen):
        if isinstance(event, ContentEvent):
            text += event.content
        elif isinstance(event, DoneEvent):
            print(f"done at event {event.seq}: {text!r}")


async def stop(engine: AsyncEngine) -> None:
    async for event in engine.agents.stream("Parcels", {"question": "Wait."}):
        if isinstance(event, ExecutionEvent):
            await engine.executions.cancel(event.execution_id)
        elif isinstance(event, ErrorEvent):
            print(f"{event.code}: {event.message}")


async def main() -> None:
    async with AsyncEngine(providers=[ScriptedProvider(reply)], model="scripted/any") as engine:
        prompt = await engine.prompts.create("Parcels", user_prompt="{{ question }}")
        await engine.agents.create("Parcels", config=SimpleAgentConfig(prompt_id=prompt.id))
        await leave_and_attach_again(engine)
        await stop(engine)


if __name__ == "__main__":
    asyncio.run(main())
