"""Agents as workflows of DBOS: what a service sees."""

from __future__ import annotations

import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from promptrails_engine import AsyncEngine, ConfigurationError, Engine, MissingExtraError
from promptrails_engine.fleets import DBOSAgents
from tests.fleets.kit import service

with_dbos = pytest.mark.skipif(find_spec("dbos") is None, reason="the package dbos is not installed")

ONE_PROCESS = """
def reply(request):
    text = request.messages[-1].content
    return ValueError("boom") if text == "fail" else "said: " + text

engine, agents = service(reply)
made = agent(engine)

@DBOS.workflow(name="parent")
def parent(text):
    return agents.start("Agent", {"text": text}).get_result().text

@DBOS.workflow(name="async_parent")
async def async_parent(text):
    return (await agents.workflow("Agent", {"text": text}))["output"]["content"]

DBOS.launch()
DBOS.register_queue("slow", polling_interval_sec=0.05)

run = agents.start(
    "Agent", {"text": "hello"}, session_id="s", user_id="u", metadata={"order": 7}, limits=Limits(timeout_s=60)
)
result = run.get_result()
record = agents.execution(run.workflow_id)
assert record.id == result.execution_id
say(result.status, result.text, result.token_usage, record.session_id, record.user_id, record.metadata)
say([step["function_name"] for step in DBOS.list_workflow_steps(run.workflow_id)])

again = agents.start("Agent", {"text": "other"}, workflow_id=run.workflow_id)
say(again.get_result() == result, agents.retrieve(run.workflow_id).get_result() == result)
queued = agents.start(made.id, {"text": "queued"}, workflow_id="mine", queue="slow")
say(queued.workflow_id, queued.get_result().text)

failed = agents.start("Agent", {"text": "fail"})
say(failed.get_result().status, DBOS.get_workflow_status(failed.workflow_id).status)
strict = agents.start("Agent", {"text": "fail"}, raise_for_status=True)
for of in (strict, agents.retrieve(strict.workflow_id)):
    try:
        of.get_result()
    except PromptRailsError as error:
        say(type(error).__name__, error.code, DBOS.get_workflow_status(strict.workflow_id).status)
unknown = agents.start("Nobody", {"text": "hello"})
for of in (unknown, agents.retrieve(unknown.workflow_id)):
    try:
        of.get_result()
    except PromptRailsError as error:
        say(error.code, error.message)

say(DBOS.start_workflow(parent, "child").get_result(), DBOS.start_workflow(async_parent, "async").get_result())
stop(engine, agents)
say(engine is not None)
"""


@with_dbos
def test_a_workflow_is_the_agents_execution(database: str, tmp_path: Path) -> None:
    with service(tmp_path, database, ONE_PROCESS) as one:
        usage = {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3}
        assert one.hear() == ["completed", "said: hello", usage, "s", "u", {"order": 7}]
        assert one.hear() == [["begin", "run"]]
        assert one.hear() == [True, True]
        assert one.hear() == ["mine", "said: queued"]
        assert one.hear() == ["failed", "SUCCESS"]
        for _ in range(2):
            assert one.hear() == ["RunFailedError", "provider_error", "ERROR"]
        for _ in range(2):
            code, message = one.hear()
            assert (code, "'Nobody'" in message) == ("not_found", True)
        assert one.hear() == ["said: child", "said: async"]
        assert one.hear() == [True]
        one.end()


APPROVALS = """
def reply(request):
    return "all: " + answers(request)[0] if answers(request) else ToolUse("append", {"line": "one"})

engine, agents = service(reply)
agent(engine, [ToolAttachment("append", requires_approval=True)])
DBOS.launch()
run = agents.start("Agent", {"text": "go"})
[request] = until(lambda: engine.approvals.list(status="pending").data)
# A thread for each would be more than DBOS has here.
others = [agents.start("Agent", {"text": "go"}) for _ in range(20)]
until(lambda: engine.approvals.list(status="pending").meta.total == 21)
say(agents.execution(run.workflow_id).status, DBOS.get_workflow_status(run.workflow_id).status, effects.exists())
engine.approvals.decide(request.id, "approved")
say(run.get_result().text, effects.read_text())
[request] = engine.approvals.list(execution_id=agents.execution(others[0].workflow_id).id)
engine.approvals.decide(request.id, "rejected", "no", resume=False)
say(others[0].get_result().text, effects.read_text())
agents.cancel(others[1].workflow_id)
say(agents.execution(others[1].workflow_id).status)
try:
    others[1].get_result()
except dbos_error.DBOSAwaitedWorkflowCancelledError:
    say("cancelled")
stop(engine, agents)
"""


@with_dbos
def test_a_workflow_waits_for_an_approval_and_goes_on_once_it_is_decided(database: str, tmp_path: Path) -> None:
    with service(tmp_path, database, APPROVALS) as one:
        assert one.hear() == ["awaiting_approval", "PENDING", False]
        assert one.hear() == ["all: done", "one\n"]
        assert one.hear() == ['all: {"error":"denied: no"}', "one\n"]
        assert one.hear() == ["cancelled"]
        assert one.hear() == ["cancelled"]
        one.end()


ENDINGS = """
entered = threading.Event()
async def reply(request):
    import asyncio
    if request.tools:
        return ToolUse("append", {"line": "one"})
    entered.set()
    await asyncio.Event().wait()

engine, agents = service(reply)
agent(engine)
prompt = engine.prompts.get("Prompt").id
asks = [ToolAttachment("append", requires_approval=True)]
soon = {"expires_in_s": 0.01}
engine.agents.create("Asks", config=SimpleAgentConfig(prompt_id=prompt), tools=asks, approval_policy=soon)
DBOS.launch()
result = agents.start("Asks", {"text": "go"}).get_result()
say(result.status, result.error_code, effects.exists())
run = agents.start("Agent", {"text": "go"})
entered.wait()
DBOS.cancel_workflow(run.workflow_id)
try:
    run.get_result()
except dbos_error.DBOSAwaitedWorkflowCancelledError:
    say("cancelled")
for event in engine.executions.stream(agents.execution(run.workflow_id).id):
    pass
say(agents.execution(run.workflow_id).status)
stop(engine, agents)
"""


@with_dbos
def test_an_approval_that_expires_and_a_cancelled_workflow_end_the_execution(database: str, tmp_path: Path) -> None:
    with service(tmp_path, database, ENDINGS) as one:
        assert one.hear() == ["failed", "approval_expired", False]
        assert one.hear() == ["cancelled"]
        assert one.hear() == ["cancelled"]
        one.end()


@pytest.mark.parametrize(("engine", "options"), [(AsyncEngine, {}), (Engine, {"look_s": 0.0})])
def test_what_cannot_be_used_is_refused(engine: Any, options: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError):
        DBOSAgents(engine(), **options)


def test_without_the_package_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "dbos", None)
    with pytest.raises(MissingExtraError, match=r"promptrails-engine\[dbos\]"):
        DBOSAgents(Engine())
