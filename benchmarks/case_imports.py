"""What it costs to import the package, and to make an engine, in fresh interpreters."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys

from harness import Goal, Row, Size

HEAVY = (
    "litellm", "presidio_analyzer", "httpx", "numpy", "sqlalchemy", "networkx", "alembic", "opentelemetry", "rich",
    "typer",
)  # fmt: skip
FLOOR = "import pydantic, jinja2"
USED = "import asyncio, jinja2, pydantic\nclass Model(pydantic.BaseModel):\n    text: str"
"""The same packages with one model made, since `import pydantic` loads next to nothing, and with asyncio."""
OURS = {
    "import promptrails_engine": "import promptrails_engine",
    "import Engine; Engine()": "from promptrails_engine import Engine; Engine()",
}
FIRST = """
from promptrails_engine import Engine, SimpleAgentConfig
from promptrails_engine.testing import ScriptedProvider
with Engine(providers=[ScriptedProvider(["Hi."])], model="scripted/m") as engine:
    prompt = engine.prompts.create("p", user_prompt="Say {{ text }}")
    agent = engine.agents.create("a", config=SimpleAgentConfig(prompt.id))
    assert engine.agents.execute(agent.id, {"text": "hi"}).text == "Hi."
"""
PROGRAM = """
import json, sys, time
start = time.process_time()
{statement}
cpu = time.process_time() - start
print(json.dumps([cpu, [name for name in {heavy} if name in sys.modules], len(sys.modules)]))
"""


def imports(size: Size) -> list[Row]:
    statements = [FLOOR, USED, *OURS.values(), FIRST]
    cpu: dict[str, list[float]] = {statement: [] for statement in statements}
    loaded: dict[str, list[str]] = {}
    for number in range(size.pick(25, 3) + 1):
        for statement in statements:
            seconds, loaded[statement], _ = fresh(statement)
            if number:  # the first writes the byte code
                cpu[statement].append(seconds)
    rows = []
    for case, statement in OURS.items():
        heavy = loaded[statement]
        rows.append(against(case, statement, FLOOR, cpu, Goal(1.5)))
        note = f"loads {', '.join(heavy)}" if heavy else f"none of {len(HEAVY)}"
        rows.append(Row(f"heavy packages, {case}", len(heavy), unit="", goal=Goal(0, of="ours"), note=note))
    rows.append(against("Engine(), against packages in use", statement, USED, cpu))
    rows[-1].note = "the floor: asyncio, jinja2, and pydantic with one model made"
    rows.append(against("the first run of a process, whole", FIRST, USED, cpu))
    rows[-1].note = "import, engine, prompt, agent, a scripted run, close"
    return rows


def against(case: str, statement: str, floor: str, cpu: dict[str, list[float]], goal: Goal | None = None) -> Row:
    best = {"floor": min(cpu[floor]) * 1e6, "ours": min(cpu[statement]) * 1e6}
    ours, bare = statistics.median(cpu[statement]) * 1e6, statistics.median(cpu[floor]) * 1e6
    return Row(case, ours, bare, goal=goal, best=best)


def fresh(statement: str) -> tuple[float, list[str], int]:
    """CPU seconds of the statement, the heavy packages that it loaded, and how many modules there are."""
    program = PROGRAM.format(statement=statement, heavy=HEAVY)
    # An installed package has its byte code; an environment that forbids writing it must not make us compile each time.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, env=environment)
    seconds, heavy, modules = json.loads(done.stdout)
    return seconds, heavy, modules
