"""A process is killed in the middle of a run; another one goes on with it, and sends nothing twice."""

import asyncio
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from promptrails_engine import ChainAgentConfig, Engine, PromptLink, ToolContext, tool
from promptrails_engine.ports.provider import ModelRequest
from promptrails_engine.testing import ScriptedProvider, ToolUse


def open_engine(folder: Path, *, hangs: bool = False, recover: bool = False) -> Engine:
    """An engine with a tool that writes a line into a file, which stands for the world outside."""

    @tool
    def send_parcel(order: str, ctx: ToolContext) -> str:
        """Send a parcel."""
        with (folder / "parcels.txt").open("a") as parcels:
            parcels.write(f"{order} {ctx.idempotency_key}\n")
        return f"parcel for {order} sent"

    async def answer(request: ModelRequest) -> str | ToolUse:
        text = request.messages[-1].content
        if text.startswith("Send"):
            return ToolUse("send_parcel", {"order": "A-17"})
        if hangs and text.startswith("Tell"):
            await asyncio.Event().wait()  # a model that takes its time
        return f"Dear customer: {text}" if text.startswith("Tell") else text

    return Engine(
        folder / "shop.db",
        providers=[ScriptedProvider(answer)],
        tools=[send_parcel],
        model="scripted/any",
        lease_s=1,  # how long the others wait before they take this process for dead; 30 by default
        recover=recover,
    )


def child(folder: Path) -> None:
    """Runs the agent; it hangs in the second step, and does not live to see the end."""
    with open_engine(folder, hangs=True) as engine:
        engine.agents.execute("Order", {"order": "A-17"})


def define(folder: Path) -> None:
    with open_engine(folder) as engine:
        send = engine.prompts.create("Send", user_prompt="Send order {{ order }}.", tools=["send_parcel"])
        tell = engine.prompts.create("Tell", user_prompt="Tell the customer. {{ previous_output }}")
        links = [PromptLink(prompt_id=p.id, role=p.name, sort_order=i) for i, p in enumerate((send, tell))]
        engine.agents.create("Order", config=ChainAgentConfig(prompt_ids=links))


def kill_in_the_middle(folder: Path) -> str:
    """The id of a run whose process was killed after its first step."""
    process = subprocess.Popen([sys.executable, __file__, str(folder)])
    with open_engine(folder) as engine:
        while not (found := engine.executions.list()).data:
            time.sleep(0.05)
        for event in engine.executions.stream(found[0].id):  # from the file: it runs in the other process
            if event.type == "tool_end":
                break
        process.kill()
        process.wait()
        print(f"killed: exit code {process.returncode}, the run is {engine.executions.get(found[0].id).status}")
        return found[0].id


def go_on(folder: Path, execution_id: str) -> None:
    with open_engine(folder, recover=True) as engine:
        result = engine.executions.stream(execution_id).result()
        print(f"{result.status}: {result.text}")
    parcels = (folder / "parcels.txt").read_text().splitlines()
    print(f"parcels sent: {len(parcels)}")


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        define(folder)
        go_on(folder, kill_in_the_middle(folder))


if __name__ == "__main__":
    if sys.argv[1:]:
        child(Path(sys.argv[1]))
    else:
        main()
