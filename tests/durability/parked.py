"""Many runs that wait for approval, and what they leave in the process that ran them: nothing.

Run as a program, with the URL of a store, how many runs to park first, and how many more; it prints what it measured.
"""

from __future__ import annotations

import asyncio
import gc
import json
import sys
import threading
import time
from pathlib import Path

from promptrails_engine import AsyncEngine, SimpleAgentConfig
from promptrails_engine.run.context import RunContext
from promptrails_engine.store.sql.store import SqlStore
from promptrails_engine.testing import ScriptedProvider
from tests.durability.forks import until

_AT_ONCE = 100


async def measured(url: str, first: int, more: int) -> dict[str, float]:
    """The growth of the memory over `more` runs, after the `first` ones, and what is left of them."""
    provider = ScriptedProvider(lambda request: "an answer")
    async with AsyncEngine(SqlStore(url), providers=[provider], model="scripted/m") as engine:
        prompt = await engine.prompts.create("ask", user_prompt="Say {{ text }}")
        config = SimpleAgentConfig(prompt.id, approval_required=True)
        await engine.agents.create("asks", config=config)
        await _park(engine, provider, first)
        await _park(engine, provider, 1)  # something of the last hundred runs stays until others follow
        before, blocks = await _memory()
        begun = time.monotonic()
        await _park(engine, provider, more)
        seconds = time.monotonic() - begun
        await _park(engine, provider, 1)
        after, blocks_after = await _memory()
        waiting = (await engine.approvals.list(status="pending", limit=1)).meta.total
        assert waiting == first + more + 2, waiting
        contexts = sum(isinstance(thing, RunContext) for thing in gc.get_objects())
    return {
        "runs": first + more,
        "first_kib": before,
        "after_kib": after,
        "bytes_a_run": round((after - before) * 1024 / more, 1),
        "parked_per_s": round(more / seconds),
        "blocks_a_run": round((blocks_after - blocks) / more, 3),
        "contexts": contexts,
    }


async def _nothing_goes_on() -> bool:
    return asyncio.all_tasks() == {asyncio.current_task()}


async def _park(engine: AsyncEngine, provider: ScriptedProvider, count: int) -> None:
    for start in range(0, count, _AT_ONCE):
        some = range(start, min(start + _AT_ONCE, count))
        results = await asyncio.gather(*(engine.agents.execute("asks", {"text": f"number {i}"}) for i in some))
        assert {result.status for result in results} == {"awaiting_approval"}, results
        provider.requests.clear()  # the script keeps what it was asked


async def _memory() -> tuple[int, int]:
    """The resident KiB and the blocks that Python has allocated, once nothing goes on."""
    await until(_nothing_goes_on, "what keeps the lease notices that no run goes on")
    gc.collect()
    return _rss_kib(), sys.getallocatedblocks()


def _rss_kib() -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1])
    raise AssertionError("this system does not tell a process its memory")


def main(url: str, first: str, more: str) -> None:
    found = asyncio.run(measured(url, int(first), int(more)))
    print(json.dumps({**found, "threads": threading.active_count() - 1}))


if __name__ == "__main__":
    main(*sys.argv[1:])
