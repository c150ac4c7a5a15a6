"""The demo's support desk: an engine with the shop's tool, and an agent loaded from definition files."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.resources import as_file, files
from pathlib import Path

from promptrails_engine.cli.demo_rows import Answered, CustomerMessage, answered
from promptrails_engine.cli.demo_script import scripted_reply
from promptrails_engine.cli.demo_shop import Shop
from promptrails_engine.cli.exits import UsageError
from promptrails_engine.definitions.settings import Limits
from promptrails_engine.engine import Engine
from promptrails_engine.events import Event
from promptrails_engine.results import Trace
from promptrails_engine.testing.scripted import ScriptedProvider
from promptrails_engine.tracing import JsonlSink

AGENT = "support-desk"
SCRIPTED = "scripted"
"""The model name that stands for no model at all."""
_FILES = ("demo.db", "demo.db-journal", "demo.db-wal", "demo.db-shm", "demo.db-lock", "trace.jsonl", "results.jsonl")


@dataclass(frozen=True, slots=True)
class Folder:
    """Where the demo writes."""

    root: Path

    @property
    def store(self) -> Path:
        return self.root / "demo.db"

    @property
    def spans(self) -> Path:
        return self.root / "trace.jsonl"

    @property
    def results(self) -> Path:
        return self.root / "results.jsonl"

    @property
    def definitions(self) -> Path:
        return self.root / "definitions"

    def clear(self) -> None:
        """Make the folder, without what an earlier demo left in it; other files stay.

        Raises:
            UsageError: it cannot be written to.
        """
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            for name in _FILES:
                (self.root / name).unlink(missing_ok=True)
            shutil.rmtree(self.definitions, ignore_errors=True)
            with as_file(files("promptrails_engine.cli").joinpath("demo_data/definitions")) as shipped:
                shutil.copytree(shipped, self.definitions)
        except OSError as error:
            raise UsageError(f"'{self.root}' cannot be written to: {error.strerror or error}") from None


class Desk:
    """Answers messages of customers with the agent in the folder's definitions."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def answer(self, message: CustomerMessage, show: Callable[[Event], None]) -> tuple[Answered, list[Trace]]:
        """The answer and the spans of its run; every event of the run is shown as it comes.

        An interrupt stops the run.
        """
        engine = self._engine
        metadata = {"message_id": message.id}
        stream = engine.agents.stream(AGENT, {"message": message.text}, metadata=metadata)
        execution_id = ""
        try:
            for event in stream:
                execution_id = execution_id or getattr(event, "execution_id", "")
                show(event)
            result = stream.result()
        except KeyboardInterrupt:
            if execution_id:
                engine.executions.cancel(execution_id)
            raise
        spans = engine.traces.get_by_trace_id(result.trace_id)
        return answered(message, result, spans), spans


@contextmanager
def open_desk(folder: Folder, model: str) -> Generator[Desk]:
    """A desk whose model is `model`: `scripted`, or a `provider/model` name.

    Raises:
        UsageError: the folder cannot be written to.
        ModelNotServedError, MissingExtraError: the model is not there.
    """
    folder.clear()
    shop = Shop(folder.root / "shop.db")
    scripted = model == SCRIPTED
    with Engine(
        str(folder.store),
        providers=[ScriptedProvider(scripted_reply, name=SCRIPTED)] if scripted else [],
        tools=[shop.tool()],
        sinks=[JsonlSink(folder.spans)],
        model=f"{SCRIPTED}/demo" if scripted else model,
        limits=Limits(max_rounds=2),  # one look-up, then an answer
    ) as engine:
        engine.definitions.load(folder.definitions)
        engine.agents.preview(AGENT, {"message": "Hello"})  # finds out whether the model is there, without calling it
        yield Desk(engine)
