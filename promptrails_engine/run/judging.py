"""What a model thinks of a text, where a scanner wants to know: asked as any model of the run is.

Each question is an `llm` span below that of the guard.  Its tokens and cost count, its answer is in the journal, and a
run that goes on elsewhere does not ask again.  Asking does not put a run on record: what its guards take out of the
input must not be stored.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from promptrails_engine.errors import BudgetExceededError, OutputInvalidError, PromptRailsError
from promptrails_engine.ports.scanner import AskingScanner, Question, Verdict
from promptrails_engine.ports.sink import Span
from promptrails_engine.run.binding import ModelBinding
from promptrails_engine.run.context import RunContext
from promptrails_engine.run.guards import Guard
from promptrails_engine.run.looking import ScanFailedError
from promptrails_engine.run.model_call import call_model
from promptrails_engine.run.plan import ModelStep, Sampling
from promptrails_engine.run.recall import STOPPERS
from promptrails_engine.schema import compile_schema, extract_json


async def judged(
    ctx: RunContext, span: Span, guard: Guard, model: ModelBinding, texts: Sequence[str], verdicts: Sequence[Verdict]
) -> list[Verdict]:
    """The verdicts, with what the model answers where the scanner asks for it.

    Raises:
        ScanFailedError: the model could not be asked, took too long, or gave no answer that can be used.
        BudgetExceededError: the run may not spend so much.
    """
    scanner = guard.scanner
    if not isinstance(scanner, AskingScanner):
        return list(verdicts)
    try:
        async with asyncio.timeout(guard.timeout_s):
            return [
                await _judged(ctx, span, scanner, model, text, verdict, f"{span.attributes['key']}/judge[{number}]")
                for number, (text, verdict) in enumerate(zip(texts, verdicts, strict=True))
            ]
    except (*STOPPERS, BudgetExceededError):
        raise
    except PromptRailsError as error:
        raise ScanFailedError(error.code) from error
    except TimeoutError:
        raise ScanFailedError("timeout") from None


async def _judged(
    ctx: RunContext, span: Span, scanner: AskingScanner, model: ModelBinding, text: str, verdict: Verdict, key: str
) -> Verdict:
    questions = scanner.questions(text, verdict)
    if not questions:
        return verdict
    answers = [
        await _asked(ctx, span, model, question, key if number == 0 else f"{key}/part[{number}]")
        for number, question in enumerate(questions)
    ]
    return scanner.answered(text, verdict, answers)


async def _asked(ctx: RunContext, span: Span, model: ModelBinding, question: Question, key: str) -> Any:
    """The answer, as JSON data that matches the question's schema.

    Raises:
        PromptRailsError: of the provider; OutputInvalidError: there is no such answer in the reply.
    """
    validator = compile_schema(question.schema)
    step = ModelStep(
        model=model,
        fallback=None,
        sampling=Sampling(temperature=question.temperature, max_tokens=question.max_tokens),
        output_validator=validator,
        specs=(),
        cache_timeout=0,
    )
    reply = await call_model(ctx, span, step, question.messages, key, show=False, offer_tools=False)
    answer = extract_json(reply.text)
    if not validator.is_valid(answer):
        raise OutputInvalidError("the answer is not what was asked for", validator.violations(answer))
    return answer
