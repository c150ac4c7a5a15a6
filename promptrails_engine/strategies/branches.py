"""The prompts of a multi_agent, run side by side: which failures are borne, and when enough have succeeded."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from promptrails_engine.errors import BranchesFailedError, PromptRailsError, RunError
from promptrails_engine.ports.provider import Message
from promptrails_engine.ports.sink import Span
from promptrails_engine.run.context import RunContext
from promptrails_engine.run.parking import Parked, all_parked
from promptrails_engine.run.plan import Gather, PromptStep
from promptrails_engine.run.prompt_step import StepOutput, answer_step, render_step
from promptrails_engine.run.recall import STOPPERS
from promptrails_engine.run.side_by_side import side_by_side
from promptrails_engine.run.spans import PARKED, fail_span
from promptrails_engine.run.verdicts import note_needed, recall_needed

_VERDICT = "roles"
Accept = Callable[[PromptStep, StepOutput], None]
"""Raises a PromptRailsError for an output that does not count."""


@dataclass(slots=True)
class Findings:
    """What came of the branches, by role, in the order of the branches.  Those that were not needed are in neither."""

    results: dict[str, StepOutput] = field(default_factory=dict[str, StepOutput])
    errors: dict[str, PromptRailsError] = field(default_factory=dict[str, PromptRailsError])


async def run_branches(
    ctx: RunContext, root: Span, gather: Gather, steps: Sequence[PromptStep], accept: Accept
) -> Findings:
    """The results of these steps, as far as the failure policy wants them.

    All messages are made before the first model is called, and before the execution is on record: so input that cannot
    be run leaves nothing behind here either.

    Raises:
        PromptRailsError: of the step that failed; BranchesFailedError.
    """
    verdict = Verdict(gather, len(steps))
    ready: list[_Branch] = []
    needed = recall_needed(ctx, _VERDICT, {step.role: step.key for step in steps})
    try:
        await _render(ctx, root, [step for step in steps if step.role in needed], verdict, ready)
        if ready and not verdict.final:
            if not ctx.on_record:
                await ctx.begin()
            await _answer_all(ctx, ready, verdict, accept)
    finally:
        for branch in ready:
            if branch.span.ended_at is None and branch.span.error_type != PARKED:  # nobody has begun on it
                fail_span(branch.span, asyncio.CancelledError())
                ctx.close_span(branch.span)
    found = verdict.findings([step.role for step in steps])
    note_needed(ctx, _VERDICT, [*found.results, *found.errors], len(steps))
    return found


class Verdict:
    """Counts how the branches end, and says when no other needs to be waited for."""

    def __init__(self, gather: Gather, total: int) -> None:
        first = gather.aggregation == "first_valid"
        self._total = total
        self._alone = gather.failure_policy == "fail_fast" and not first
        """Whether one failure is the run's."""
        self._enough = 1 if first else gather.quorum
        self._least = total if self._alone else self._enough or 1
        self._results: dict[str, StepOutput] = {}
        self._errors: dict[str, PromptRailsError] = {}
        self._fatal: BaseException | None = None
        self._parked: list[Parked] = []
        self.final = False

    def note(self, role: str, outcome: StepOutput | BaseException) -> bool:
        """Whether this decides it: enough have succeeded, or too few can still do."""
        if isinstance(outcome, Parked):
            self._parked.append(outcome)  # the others go on to their end
            return self.final
        if isinstance(outcome, asyncio.CancelledError):
            outcome = RunError(f"something cancelled the task of '{role}', which nobody had asked for")
        if isinstance(outcome, StepOutput):
            self._results[role] = outcome
            self.final = self._enough is not None and len(self._results) >= self._enough
        elif not isinstance(outcome, PromptRailsError) or isinstance(outcome, STOPPERS):
            self._fatal = outcome
            self.final = True
        else:
            self._errors[role] = outcome
            self.final = self._total - len(self._errors) < self._least
        return self.final

    def findings(self, roles: Sequence[str]) -> Findings:
        """What was found.

        Raises:
            PromptRailsError: it is too little.
            Parked: it may still be enough, once there are decisions.
        """
        if self._fatal is not None:
            raise self._fatal
        if self._parked and not self.final:
            raise all_parked(self._parked)
        if len(self._results) < self._least:
            if self._alone:
                raise next(iter(self._errors.values()))
            least = f"{self._least} of {self._total} prompts had" if self._total > 1 else "the only prompt had"
            raise BranchesFailedError(f"{least} to succeed, and too few did; look at what each ran into", self._errors)
        results = {role: self._results[role] for role in roles if role in self._results}
        return Findings(results, {role: self._errors[role] for role in roles if role in self._errors})


@dataclass(slots=True)
class _Branch:
    step: PromptStep
    span: Span
    messages: list[Message]


async def _render(
    ctx: RunContext, root: Span, steps: Sequence[PromptStep], verdict: Verdict, ready: list[_Branch]
) -> None:
    """Add the branches whose messages can be made."""
    for step in steps:
        span = ctx.open_span("agent_step", step.role, step.key, root)
        try:
            messages = await render_step(ctx, span, step, ctx.input)
        except BaseException as error:
            fail_span(span, error)
            ctx.close_span(span)
            if isinstance(error, asyncio.CancelledError):
                raise
            if verdict.note(step.role, error):
                return
        else:
            ready.append(_Branch(step, span, messages))


async def _answer_all(ctx: RunContext, ready: Sequence[_Branch], verdict: Verdict, accept: Accept) -> None:
    budget = ctx.budget
    others = len(ready) - 1
    if budget is not None:
        budget.share(others)

    def ended(place: int, outcome: StepOutput | BaseException) -> bool:
        nonlocal others
        others -= 1
        if budget is not None:
            budget.share(-1)
        return verdict.note(ready[place].step.role, outcome)

    try:
        await side_by_side([_answer(ctx, branch, accept) for branch in ready], ended)
    finally:
        if budget is not None:
            budget.share(-others)


async def _answer(ctx: RunContext, branch: _Branch, accept: Accept) -> StepOutput:
    span = branch.span
    try:
        result = await answer_step(ctx, span, branch.step, branch.messages, final=False)
        span.output = result.output
        accept(branch.step, result)
    except BaseException as error:
        fail_span(span, error)
        raise
    finally:
        ctx.close_span(span)
    return result
