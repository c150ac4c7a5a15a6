"""A scanner that is asked outside of any run, with the model that it may want to ask."""

from __future__ import annotations

from dataclasses import replace
from typing import NoReturn

from promptrails_engine.errors import PromptRailsError, RunError
from promptrails_engine.ports.scanner import AskingScanner, Scanner, Verdict
from promptrails_engine.ports.sink import Span
from promptrails_engine.resources.base import Parts
from promptrails_engine.run.context import RunContext
from promptrails_engine.run.guards import Guard
from promptrails_engine.run.judging import judged
from promptrails_engine.run.looking import ScanFailedError, look
from promptrails_engine.run.prompt_step import StepOutput
from promptrails_engine.run.runner import Runner, RunOptions
from promptrails_engine.store.memory import MemoryStore

_ASKING_S = 60.0


async def lone_scan(parts: Parts, scanner: Scanner, text: str) -> Verdict:
    """What a scanner says of a text, after its judge has been asked: by the engine's limits, and in its traces.

    No execution is stored.

    Raises:
        PromptRailsError: of the model's provider; OutputInvalidError: it gave no answer that can be used.
    """
    asks = scanner.asks if isinstance(scanner, AskingScanner) else None
    meta = scanner.meta
    judge = None if asks is None else parts.planner.bind(asks)
    guard = Guard(meta.type, scanner, "input", "log", True, _ASKING_S, judge=judge)
    verdicts: list[Verdict] = []
    failures: list[ScanFailedError] = []

    async def step(ctx: RunContext, span: Span) -> None:
        span.attributes |= {"scanner_type": meta.type}
        found = await look(ctx, guard, [text])
        verdicts.extend(found if judge is None else await judged(ctx, span, guard, judge, [text], found))

    async def strategy(ctx: RunContext, root: Span) -> StepOutput:
        try:
            await ctx.step("guardrail", guard.name, "scan", root, step)
        except ScanFailedError as failed:
            failures.append(failed)
        return StepOutput("", {})

    runner = Runner(replace(parts.services, store=MemoryStore()), {"simple": strategy})
    try:
        row = await runner.run(parts.planner.bare_plan("guardrails.scan"), {}, RunOptions())
    finally:
        await runner.close(0)
    if failures:
        _raise(failures[0])
    if not verdicts:
        raise RunError(row.error or "the scan was stopped", code=row.error_code or "run_error")
    return verdicts[0]


def _raise(failed: ScanFailedError) -> NoReturn:
    if isinstance(failed.__cause__, PromptRailsError):
        raise failed.__cause__
    raise RunError(f"there is no verdict: {failed.message}")
