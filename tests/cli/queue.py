"""A store whose runs are left to workers, and workers in processes of their own."""

from __future__ import annotations

import re
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from promptrails_engine import ChainAgentConfig, Engine, PromptLink, SimpleAgentConfig
from promptrails_engine.results import AgentExecution
from promptrails_engine.testing.scripted import ScriptedProvider
from tests.warm.python import Child

T = TypeVar("T")
DEADLINE_S = 60
TOOLS = '''
import time
from pathlib import Path
from promptrails_engine import ToolContext, tool
from tests.warm.python import Child

@tool
def record(text: str, ctx: ToolContext) -> str:
    """Record a text."""
    with Path("calls.txt").open("a") as calls:
        calls.write(ctx.idempotency_key + "\\n")
    while Path("hold").exists():
        time.sleep(0.01)
    return "recorded"
'''


class Shop:
    """A store with the agents `echo`, `stuck`, `broken`, `careful` and `clerk`, in the folder where the commands run.

    `clerk` is a chain: a prompt whose tool `record` writes `calls.txt`, and waits while there is a file `hold`; then a
    prompt that echoes.  `careful` wants its output approved.
    """

    def __init__(self, folder: Path, workspace: str = "default") -> None:
        self.folder = folder
        self.path = folder / "shop.db"
        self.tools = folder / "my_tools.py"
        self.tools.write_text(TOOLS, encoding="utf-8")
        self._workspace = workspace
        with self.engine() as engine:
            for name in ("echo", "stuck", "broken"):
                prompt = engine.prompts.create(name, user_prompt="{{ text }}", model=f"plugged/{name}")
                engine.agents.create(name, config=SimpleAgentConfig(prompt_id=prompt.id))
            careful = SimpleAgentConfig(prompt_id="echo", approval_required=True, approval_checkpoint_name="publish")
            engine.agents.create("careful", config=careful)
            engine.prompts.create("file", user_prompt="File {{ text }}", model="plugged/clerk", tools=["record"])
            engine.prompts.create("tell", user_prompt="{{ previous_output }}", model="plugged/echo")
            links = [PromptLink(prompt_id=name, role=name, sort_order=i) for i, name in enumerate(("file", "tell"))]
            engine.agents.create("clerk", config=ChainAgentConfig(prompt_ids=links))

    @contextmanager
    def engine(self) -> Iterator[Engine]:
        """An engine that takes nothing up; it knows the provider and the tool by name only."""

        def record(text: str) -> str:
            """Record a text."""
            raise AssertionError

        provider = ScriptedProvider(lambda request: "", name="plugged")
        with Engine(
            self.path, providers=[provider], tools=[record], background=0, workspace_id=self._workspace
        ) as engine:
            yield engine

    def queue(self, agent: str, *texts: str) -> list[str]:
        with self.engine() as engine:
            return [engine.agents.execute(agent, {"text": text}, sync=False).execution_id for text in texts]

    def get(self, execution_id: str) -> AgentExecution:
        with self.engine() as engine:
            return engine.executions.get(execution_id)

    def becomes(self, execution_id: str, *statuses: str) -> AgentExecution:
        """The execution, once it has one of these statuses."""
        with self.engine() as engine:
            return until(lambda: engine.executions.get(execution_id), lambda run: run.status in statuses)

    def hold(self) -> None:
        (self.folder / "hold").touch()

    def go_on(self) -> None:
        (self.folder / "hold").unlink()

    @property
    def calls(self) -> list[str]:
        """What the tool was called with: one line a call."""
        path = self.folder / "calls.txt"
        return path.read_text(encoding="utf-8").splitlines() if path.exists() else []


def until(look: Callable[[], T], good: Callable[[T], bool]) -> T:
    """What a look shows, once it is good."""
    deadline = time.monotonic() + DEADLINE_S
    while not good(found := look()):
        assert time.monotonic() < deadline, f"still {found}"
        time.sleep(0.02)
    return found


class Worker:
    """A worker that has said that it started."""

    def __init__(self, process: Child) -> None:
        self.process = process
        self.started = process.stderr.readline()
        assert self.started.startswith("worker started: "), self.started + process.stderr.read()

    def signal(self, number: int) -> None:
        self.process.send_signal(number)

    def signal_until_it_ends(self, number: int) -> int:
        """Its exit code; two signals that come at once may be heard as one."""
        deadline = time.monotonic() + DEADLINE_S
        while time.monotonic() < deadline:
            self.signal(number)
            try:
                return self.process.wait(0.1)
            except subprocess.TimeoutExpired:
                continue
        raise AssertionError("it does not end")

    def kill(self) -> None:
        self.signal(signal.SIGKILL)
        self.process.wait(DEADLINE_S)

    def ended(self) -> tuple[int, str]:
        """Its exit code, and its last line."""
        _, err = self.process.communicate(timeout=DEADLINE_S)
        return self.process.returncode, err.splitlines()[-1]


def tally(line: str) -> dict[str, int]:
    """How many runs ended how, out of the last line of a worker."""
    said = re.fullmatch(r"worker ended: (.*)", line)
    assert said is not None, line
    return {what: int(count) for count, what in re.findall(r"(\d+) ([^,]+)", said[1])}
