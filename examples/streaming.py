"""Read a stream, leave it, and attach again after the last event that was seen; then stop a run."""

import asyncio

from promptrails_engine import AsyncEngine, ContentEvent, DoneEvent, ErrorEvent, SimpleAgentConfig
from promptrails_engine.ports.provider import ModelRequest
from promptrails_engine.testing import Reply, ScriptedProvider


async def main() -> None:
    gate = asyncio.Event()

    async def reply(request: ModelRequest) -> Reply:
        if request.messages[-1].content == "Wait.":
            await gate.wait()  # a model that never begins to answer
        return Reply(chunks=["The ", "parcel ", "arrives ", "on ", "Friday."])

    async with AsyncEngine(providers=[ScriptedProvider(reply)], model="scripted/any") as engine:
        prompt = await engine.prompts.create("Parcels", user_prompt="{{ question }}")
        agent = await engine.agents.create("Parcels", config=SimpleAgentConfig(prompt_id=prompt.id))

        # Leave after two pieces of the answer: the run goes on without us.
        execution_id, seen, text = "", 0, ""
        async with engine.agents.stream(agent.id, {"question": "Where is it?"}) as stream:
            async for event in stream:
                seen = event.seq
                if event.type == "execution":
                    execution_id = event.execution_id
                elif isinstance(event, ContentEvent):
                    text += event.content
                    if seen == 3:
                        break
        print(f"left after event {seen}: {text!r}")

        # Later, here or in another process that opens the same store: only what is new.
        async for event in engine.executions.stream(execution_id, after=seen):
            if isinstance(event, ContentEvent):
                text += event.content
            elif isinstance(event, DoneEvent):
                print(f"done at event {event.seq}: {text!r}")

        # Stop a run: the stream ends with an error event, the execution as cancelled.
        async for event in engine.agents.stream(agent.id, {"question": "Wait."}):
            if event.type == "execution":
                await engine.executions.cancel(event.execution_id)
            elif isinstance(event, ErrorEvent):
                print(f"{event.code}: {event.message}")


if __name__ == "__main__":
    asyncio.run(main())
