"""A small network service with one AsyncEngine for its whole life: many clients at once, answers as they are made."""

import asyncio
import json

from promptrails_engine import AsyncEngine, PromptRailsError, SimpleAgentConfig, event_to_dict
from promptrails_engine.ports.provider import ModelRequest
from promptrails_engine.testing import Reply, ScriptedProvider


def answer(request: ModelRequest) -> Reply:
    city = request.messages[-1].content.removeprefix("Greet ")
    return Reply(chunks=["Good ", "morning, ", f"{city}!"])


async def serve(engine: AsyncEngine, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """One client: a line of JSON in, the run's events out, one a line."""
    try:
        data = json.loads(await reader.readline())
        async for event in engine.agents.stream("Greeter", data["input"], user_id=data["user"]):
            writer.write(json.dumps(event_to_dict(event)).encode() + b"\n")
            await writer.drain()
    except PromptRailsError as error:  # input that cannot be run; a run that fails is an `error` event
        writer.write(json.dumps({"type": "refused", "code": error.code, "message": error.message}).encode() + b"\n")
    finally:
        writer.close()
        await writer.wait_closed()


async def ask(port: int, user: str, data: dict[str, str]) -> str:
    """What one client hears, in short."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(json.dumps({"user": user, "input": data}).encode() + b"\n")
    events = [json.loads(line) async for line in reader]
    writer.close()
    await writer.wait_closed()
    last = events[-1]
    if last["type"] == "refused":
        return f"{user}: {last['code']}: {last['message']}"
    return f"{user}: {last['output']['content']} ({len(events)} events)"


async def main() -> None:
    async with AsyncEngine(providers=[ScriptedProvider(answer)], model="scripted/any") as engine:
        prompt = await engine.prompts.create(
            "Greet",
            user_prompt="Greet {{ city }}",
            input_schema={"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
        )
        await engine.agents.create("Greeter", config=SimpleAgentConfig(prompt_id=prompt.id))

        server = await asyncio.start_server(lambda r, w: serve(engine, r, w), "127.0.0.1", 0)
        async with server:
            port = server.sockets[0].getsockname()[1]
            answers = await asyncio.gather(
                ask(port, "ada", {"city": "Ankara"}),
                ask(port, "grace", {"city": "New York"}),
                ask(port, "linus", {"town": "Helsinki"}),
            )
        print(*answers, sep="\n")
        print((await engine.executions.list(user_id="ada")).meta.total, "execution of ada on record")


if __name__ == "__main__":
    asyncio.run(main())
