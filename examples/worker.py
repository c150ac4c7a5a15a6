"""Runs that one process queues, and two others do.  `promptrails-engine worker` is such a worker, ready made."""

import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

from promptrails_engine import Engine, SimpleAgentConfig
from promptrails_engine.ports.provider import ModelRequest
from promptrails_engine.testing import Reply, ScriptedProvider

RUNS = 16


def answer(request: ModelRequest) -> Reply:
    return Reply(f"Seen: {request.messages[-1].content}", delay_s=0.05)


def open_engine(folder: Path) -> Engine:
    """An engine that leaves what it queues to workers."""
    return Engine(folder / "jobs.db", providers=[ScriptedProvider(answer)], model="scripted/any", background=0)


def work(folder: Path) -> None:
    with open_engine(folder) as engine:
        engine.start_worker(concurrency=4)
        engine.idle()  # until there is nothing more to do; a service would wait for its own end
        print(f"a worker has ended: {engine.tally}")


def queue(folder: Path) -> list[str]:
    """The ids of runs that are on record, and that nobody runs yet."""
    with open_engine(folder) as engine:
        prompt = engine.prompts.create("Read", user_prompt="{{ name }}")
        engine.agents.create("Reader", config=SimpleAgentConfig(prompt_id=prompt.id))
        return [engine.agents.execute("Reader", {"name": f"file {n}"}, sync=False).execution_id for n in range(RUNS)]


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        ids = queue(folder)
        workers = [subprocess.Popen([sys.executable, __file__, str(folder)]) for _ in range(2)]
        for worker in workers:
            worker.wait()
        with open_engine(folder) as engine:
            print(dict(Counter(engine.executions.get(execution_id).status for execution_id in ids)))


if __name__ == "__main__":
    if sys.argv[1:]:
        work(Path(sys.argv[1]))
    else:
        main()
