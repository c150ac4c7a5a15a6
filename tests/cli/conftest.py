"""The command line, in this process and in one of its own; a provider that is found by entry point."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from promptrails_engine.cli import main
from tests.warm.python import Child, warm_python

ROOT = Path(__file__).resolve().parents[2]
PROVIDER = """
import asyncio
from promptrails_engine.cli.demo_script import scripted_reply
from promptrails_engine.errors import AuthError, ContextOverflowError
from promptrails_engine.testing.scripted import Reply, ScriptedProvider, ToolUse

async def reply(request):
    text = request.messages[-1].content
    if request.model == "broken":
        return Reply("So far ", error=ContextOverflowError("the prompt is too long"))
    if request.model == "locked":
        return AuthError("the key is refused")
    if request.model == "stuck" and "jacket" in text:
        await asyncio.Event().wait()
    if request.model == "clerk" and request.messages[-1].role == "user":
        return ToolUse("record", {"text": text})
    return "Good " + text if request.model in ("echo", "clerk") else scripted_reply(request)

def create(name):
    return ScriptedProvider(reply, name=name)
"""
ENTRY_POINTS = "[promptrails_engine.providers]\nplugged = plugged_provider:create\n"
DEFINITIONS = {
    "greet.yaml": "kind: prompt\nname: greet\nuser_prompt: Greet {{ who }}\nmodel: plugged/echo\n"
    "input_schema: {type: object, properties: {who: {type: string}}, required: [who]}\n",
    "unpriced.yaml": "kind: prompt\nname: bare\nuser_prompt: Say {{ who }}\nmax_tokens: 9\n",
    "greeter.yaml": "kind: agent\nname: greeter\ntype: simple\nconfig: {prompt: greet}\n",
    "bare.yaml": "kind: agent\nname: bare\ntype: simple\nconfig: {prompt: bare}\n",
}


@dataclass(frozen=True)
class Ended:
    code: int
    out: str
    err: str


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str]) -> Callable[..., Ended]:
    """Runs a command line in this process."""

    def run(*arguments: object) -> Ended:
        with pytest.raises(SystemExit) as ended:
            main([str(argument) for argument in arguments])
        said = capsys.readouterr()
        return Ended(int(ended.value.code or 0), said.out, said.err)

    return run


@pytest.fixture(scope="session")
def plugins(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that, on the path, brings the provider `plugged`."""
    folder = tmp_path_factory.mktemp("plugins")
    (folder / "plugged_provider.py").write_text(PROVIDER, encoding="utf-8")
    info = folder / "plugged-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: plugged\nVersion: 1\n", encoding="utf-8")
    (info / "entry_points.txt").write_text(ENTRY_POINTS, encoding="utf-8")
    return folder


COMMAND = Path(sys.executable).parent / "promptrails-engine"
"""The installed command."""
_CODE = "import sys\nfrom promptrails_engine.cli import main\nsys.exit(main())"
"""What it does."""


@pytest.fixture
def here(tmp_path: Path) -> Path:
    """The empty folder in which commands run."""
    folder = tmp_path / "here"
    folder.mkdir()
    return folder


@pytest.fixture
def bare(plugins: Path) -> dict[str, str]:
    """Their environment: no keys, and the plugged provider."""
    kept = {name: value for name, value in os.environ.items() if not name.endswith(("_API_KEY", "PYTHONPATH"))}
    path = os.pathsep.join((str(plugins), str(ROOT / "tests/subprocess_guard")))
    return {**kept, "PYTHONPATH": path, "PYTHONIOENCODING": "utf-8"}


@pytest.fixture
def launch(plugins: Path, here: Path, bare: dict[str, str]) -> Callable[..., Child]:
    """Starts the command, in a process that has loaded the package already."""

    def start(*arguments: object) -> Child:
        return warm_python().start(_CODE, *arguments, cwd=here, env=bare, path=[plugins], command=str(COMMAND))

    return start


@pytest.fixture
def shell(launch: Callable[..., Child], here: Path, bare: dict[str, str]) -> Callable[..., Ended]:
    """As `launch`, to the end; with variables of its own it is the installed command in a new interpreter."""

    def run(*arguments: object, given: str = "", **env: str) -> Ended:
        if not env:
            with launch(*arguments) as process:
                out, err = process.communicate(given, timeout=60)
            return Ended(process.returncode, out, err)
        done = subprocess.run(
            [str(part) for part in (COMMAND, *arguments)],
            input=given,
            capture_output=True,
            check=False,
            timeout=60,
            cwd=here,
            env={**bare, **env},
            encoding=env.get("PYTHONIOENCODING", "utf-8"),
        )
        return Ended(done.returncode, done.stdout, done.stderr)

    return run


@pytest.fixture
def definitions(tmp_path: Path) -> Path:
    """A folder with two prompts and an agent for each; both a prompt and an agent are named `bare`."""
    folder = tmp_path / "definitions"
    folder.mkdir()
    for name, text in DEFINITIONS.items():
        (folder / name).write_text(text, encoding="utf-8")
    return folder
