"""Agents as workflows of DBOS: processes that die, and those that take over."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import pytest

from promptrails_engine import Engine, ToolEndEvent
from tests.fleets.kit import service

pytestmark = [
    pytest.mark.once,
    pytest.mark.skipif(find_spec("dbos") is None, reason="the package dbos is not installed"),
]

# The model asks for three effects one after the other, and then for no more.
REPLY = """
import asyncio
held = threading.Event()
async def reply(request):
    done = len(answers(request))
    if done == {hold}:
        held.set()
        await asyncio.Event().wait()
    return ToolUse("append", {{"line": str(done)}}) if done < 3 else "done"

engine, agents = service(reply)
"""

STARTS = """
agent(engine, [ToolAttachment("append")])
DBOS.launch()
run = agents.start("Agent", {"text": "go"}, workflow_id="mine")
"""

HELD = """
held.wait()
say("held")
run.get_result()
"""

GOES_ON = """
DBOS.launch()
result = agents.retrieve("mine").get_result()
say(result.status, result.text, effects.read_text().split(), engine.executions.list().meta.total)
stop(engine, agents)
"""


def wait_for_record(url: str, calls: int) -> None:
    """Return once so many calls of tools are on record."""
    with Engine(url, background=0) as engine:
        [execution] = engine.executions.list()
        ends = 0
        for event in engine.executions.stream(execution.id):
            ends += isinstance(event, ToolEndEvent)
            if ends == calls:
                return


def test_after_a_kill_the_next_process_goes_on_and_repeats_no_effect(database: str, tmp_path: Path) -> None:
    with service(tmp_path, database, REPLY.format(hold=2) + STARTS + HELD) as first:
        assert first.hear() == ["held"]
        wait_for_record(database, 2)
        first.kill()
    assert (tmp_path / "effects.txt").read_text() == "0\n1\n"
    with service(tmp_path, database, REPLY.format(hold=-1) + GOES_ON) as second:
        assert second.hear() == ["completed", "done", ["0", "1", "2"], 1]
        second.end()


IN_DOUBT = """
def append(line: str) -> str:
    with effects.open("a") as file:
        file.write(line + "\\n")
    if line == "0":
        stop_here("held")
    return "done"

def reply(request):
    done = len(answers(request))
    return ToolUse("append", {"line": str(done)}) if done < 3 else "done"

engine, agents = service(reply, [append])
"""

RESOLVES = """
DBOS.launch()
execution = until(lambda: next(iter(engine.executions.list(status="in_doubt").data), None))
[doubt] = engine.executions.doubts(execution.id)
say(DBOS.get_workflow_status("mine").status, doubt.tool, doubt.arguments)
engine.executions.resolve(doubt.execution_id, doubt.step, "value", "done", resume=False)
result = agents.retrieve("mine").get_result()
say(result.status, result.text, effects.read_text().split())
stop(engine, agents)
"""


def test_an_effect_in_doubt_waits_until_somebody_says_what_became_of_it(database: str, tmp_path: Path) -> None:
    with service(tmp_path, database, IN_DOUBT + STARTS + "run.get_result()") as first:
        assert first.hear() == ["held"]
        first.kill()
    with service(tmp_path, database, IN_DOUBT + RESOLVES) as second:
        assert second.hear() == ["PENDING", "append", {"line": "0"}]
        assert second.hear() == ["completed", "done", ["0", "1", "2"]]
        second.end()


STOPS = """
held.wait()
{order}
say("stopped")
"""
DBOS_FIRST = "stop(engine, agents)"
ENGINE_FIRST = "engine.close(grace_s=0)\nDBOS.destroy()\nagents.close()"


def test_a_service_that_stops_leaves_its_workflows_to_the_next_process(database: str, tmp_path: Path) -> None:
    with service(tmp_path, database, REPLY.format(hold=1) + STARTS + STOPS.format(order=DBOS_FIRST)) as one:
        assert one.hear() == ["stopped"]
        one.end()
    with service(tmp_path, database, REPLY.format(hold=2) + "DBOS.launch()" + STOPS.format(order=ENGINE_FIRST)) as two:
        assert two.hear() == ["stopped"]
        two.end()
    with service(tmp_path, database, REPLY.format(hold=-1) + GOES_ON) as three:
        assert three.hear() == ["completed", "done", ["0", "1", "2"], 1]
        three.end()
