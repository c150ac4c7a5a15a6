"""Services that run DBOS, each in a process of its own: DBOS is one for a whole process, and has threads."""

from __future__ import annotations

import json
import sqlite3
import sys
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.warm.python import Child, warm_python

SQLITE_SERVES_DBOS = sys.version_info < (3, 12) or sqlite3.sqlite_version_info >= (3, 42)
"""On newer Pythons DBOS uses a function that older SQLites do not have."""

PRELUDE = """
import json, os, sys, threading, time
from pathlib import Path
from dbos import DBOS, error as dbos_error
from promptrails_engine import Engine, Limits, PromptRailsError, SimpleAgentConfig, ToolAttachment, tool
from promptrails_engine.fleets import DBOSAgents
from promptrails_engine.testing import ScriptedProvider, ToolUse

folder, store, system = Path(sys.argv[1]), sys.argv[2], sys.argv[3]
effects = folder / "effects.txt"

def say(*values):
    os.write(1, (json.dumps(values) + "\\n").encode())

def stop_here(sign):
    say(sign)
    threading.Event().wait()

def append(line: str) -> str:
    with effects.open("a") as file:
        file.write(line + "\\n")
    return "done"

def answers(request):
    return [message.content for message in request.messages if message.role == "tool"]

def reply(request):
    return "said: " + request.messages[-1].content

def service(reply=reply, tools=(append,), **more):
    engine = Engine(
        store, providers=[ScriptedProvider(reply)], tools=tools, model="scripted/m", background=0,
        lease_s=1, **more
    )
    DBOS(config={
        "name": "service", "system_database_url": system, "log_level": "CRITICAL",
        "application_version": "1", "max_executor_threads": 4, "notification_listener_polling_interval_sec": 0.02,
    })
    return engine, DBOSAgents(engine, look_s=0.1)

def agent(engine, tools=(), **more):
    prompt = engine.prompts.create("Prompt", user_prompt="{{ text }}")
    return engine.agents.create("Agent", config=SimpleAgentConfig(prompt_id=prompt.id), tools=tools, **more)

def until(true):
    # What other threads do.  What never comes ends the test by its limit of time.
    while not (found := true()):
        time.sleep(0.02)
    return found

def stop(engine, agents):
    DBOS.destroy()
    agents.close()
    engine.close(grace_s=0)
"""


class Service:
    """A process that runs a script after the prelude; what it says comes as JSON, a list a line."""

    def __init__(self, process: Child) -> None:
        self.process = process

    def hear(self) -> Any:
        line = self.process.stdout.readline()
        assert line, self.errors()
        return json.loads(line)

    def kill(self) -> None:
        """At once, as when the machine dies."""
        self.process.kill()
        self.process.wait()

    def end(self) -> None:
        """It comes to its end by itself."""
        assert self.process.wait() == 0, self.errors()

    def errors(self) -> str:
        self.process.kill()
        return self.process.stderr.read()


@contextmanager
def service(folder: Path, database: str, script: str) -> Iterator[Service]:
    """The service, which is gone afterwards: its store in the database, and DBOS's next to it."""
    system = f"sqlite:///{folder}/dbos.sqlite" if database.startswith("sqlite") else database
    process = warm_python().start(PRELUDE + textwrap.dedent(script), folder, database, system, env={})
    try:
        yield Service(process)
    finally:
        process.kill()
        process.communicate()
