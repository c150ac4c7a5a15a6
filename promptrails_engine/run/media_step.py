"""A media job of a node of a workflow: submitted, looked at until it is over, and its asset fetched."""

from __future__ import annotations

import base64
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from promptrails_engine.errors import (
    InputInvalidError,
    PromptRailsError,
    ProviderError,
    ProviderProtocolError,
    ProviderTimeoutError,
    RateLimitError,
    ResponseTooLargeError,
    Violation,
)
from promptrails_engine.events import TokenUsage
from promptrails_engine.ports.media import (
    MAX_POLLS,
    POLL_INTERVAL_S,
    MediaAsset,
    MediaJob,
    MediaRequest,
    MediaType,
)
from promptrails_engine.ports.sink import Span, SpanKind
from promptrails_engine.run.adapter_call import call_adapter
from promptrails_engine.run.context import RunContext
from promptrails_engine.run.plan import MediaTask
from promptrails_engine.run.recall import count_again, retell
from promptrails_engine.schema.instance import kind_of
from promptrails_engine.secrets import mask
from promptrails_engine.tracing.payload import without_bytes

T = TypeVar("T")
INLINE_BYTES = 256 * 1024
"""Of an asset that is kept as a data URL; a bigger one has to be at an address."""
_POLL_ERRORS = 3
_LONGEST_WAIT_S = 60.0
_KINDS: Mapping[MediaType, SpanKind] = {
    "tts": "speech",
    "stt": "speech",
    "image_gen": "image",
    "image_edit": "image",
    "video_gen": "video",
    "video_from_image": "video",
}
_NEEDED: Mapping[MediaType, Sequence[str]] = {
    "tts": ("prompt",),
    "stt": ("input_url",),
    "image_gen": ("prompt",),
    "image_edit": ("prompt", "input_url"),
    "video_gen": ("prompt",),
    "video_from_image": ("input_url",),
}
_CONTENT_TYPE = re.compile(r"[\w.+-]+/[\w.+-]+(?:\s*;[^,\r\n]*)?")
_NO_TOKENS = TokenUsage(0, 0, 0)


@dataclass(frozen=True, slots=True)
class MediaResult:
    """What a media job came to."""

    text: str
    """The transcript, else the address."""
    output: dict[str, Any]
    shown: dict[str, Any]
    """The output as spans hold it: without the bytes."""


async def run_media_step(
    ctx: RunContext, parent: Span, task: MediaTask, inputs: Mapping[str, Any], text: str | None, key: str
) -> MediaResult:
    """The asset of a job made from the inputs; `text` is its prompt where they have none and it needs one.

    Raises:
        InputInvalidError: an input is missing, or is no text.
        BudgetExceededError: it could cost more than is left.
        PromptRailsError: of the provider, or of a job that failed or did not end.
    """
    request = _request(task, inputs, text)
    if not ctx.on_record:
        await ctx.begin()
    key = f"{key}/media"
    if ctx.past is not None and (record := ctx.journal.recorded(key)) is not None:
        retell(ctx, parent, key)
        count_again(ctx, None, record["cost"])
        return MediaResult(record["text"], record["output"], record["shown"])
    ctx.journal.send()
    result, cost = await ctx.step(_KINDS[task.media_type], task.model_name, key, parent, _make, task, request)
    outcome = {"text": result.text, "output": result.output, "shown": result.shown, "cost": cost}
    ctx.journal.note(key, "media", "idempotent", outcome)
    return result


def _request(task: MediaTask, inputs: Mapping[str, Any], text: str | None) -> MediaRequest:
    given = {**task.options, **inputs}
    needed = _NEEDED[task.media_type]
    if given.get("prompt") is None and "prompt" in needed:
        given["prompt"] = text
    texts = {name: given.pop(name, None) for name in ("prompt", "input_url")}
    wrong = [
        Violation(f"/{name}", f"must be text, not {kind_of(value)}; give it in the node's input_mapping")
        for name, value in texts.items()
        if not ((isinstance(value, str) and value) or (value is None and name not in needed))
    ]
    if wrong:
        raise InputInvalidError(f"input of {task.media_type} by '{task.model_name}'", wrong)
    return MediaRequest(task.model, task.media_type, texts["prompt"], texts["input_url"], given)


async def _make(
    ctx: RunContext, span: Span, task: MediaTask, request: MediaRequest
) -> tuple[MediaResult, float | None]:
    """The asset, and what it has cost in USD."""
    span.model_name = task.model_name
    span.attributes |= {"provider": task.provider.name, "model": task.model, "media_type": task.media_type}
    span.input = {
        "prompt": request.prompt,
        "input_url": request.input_url and without_bytes(request.input_url),
        "options": dict(request.options),
    }
    asset = await _asset(ctx, span, task, request)
    result = _kept(asset, task)
    span.attributes["content_type"] = asset.content_type
    if asset.url is not None:
        span.attributes["asset_url"] = without_bytes(asset.url)
    span.output = result.shown
    return result, asset.cost


async def _asset(ctx: RunContext, span: Span, task: MediaTask, request: MediaRequest) -> MediaAsset:
    """What the job makes, paid for from the run's budget."""
    budget = ctx.budget
    reserved = None if budget is None else await budget.reserve_cost(task.provider.price(request), task.model_name)
    begun = True
    asset: MediaAsset | None = None
    try:
        try:
            job = await _job(ctx, span, task, request)
        except PromptRailsError as error:
            begun = isinstance(error, ProviderTimeoutError)  # else it was refused, and costs nothing
            raise
        if not job.done:
            await _wait(ctx, span, task, job)
        asset = await _call(ctx, task, lambda: task.provider.fetch(job))
        return asset
    finally:
        cost = None if asset is None else asset.cost
        if begun:
            ctx.count(None, cost)
            span.cost = cost
        if budget is not None and reserved is not None:
            if begun:
                budget.settle(reserved, None if cost is None else _NO_TOKENS, cost)
            else:
                budget.release(reserved)


async def _job(ctx: RunContext, span: Span, task: MediaTask, request: MediaRequest) -> MediaJob:
    """The job, submitted now, or before the run was interrupted."""
    journal, key = ctx.journal, f"{span.attributes['key']}/job"
    record = None if ctx.past is None else journal.recorded(key)
    if record is not None:
        return MediaJob(record["id"], request, record["done"])
    job = await _call(ctx, task, lambda: task.provider.submit(request))
    journal.note(key, "media", "idempotent", {"id": job.id, "done": job.done})
    journal.send()
    return job


async def _wait(ctx: RunContext, span: Span, task: MediaTask, job: MediaJob) -> None:
    """Return when the job is done.

    Raises:
        ProviderError: it failed.
        ProviderTimeoutError: it did not end.
        PromptRailsError: the provider does not say how it is doing.
    """
    pause, troubles = POLL_INTERVAL_S, 0
    for look in range(1, MAX_POLLS + 1):
        await ctx.services.sleep(pause)
        pause = POLL_INTERVAL_S
        span.attributes["polls"] = look
        try:
            status = await _call(ctx, task, lambda: task.provider.poll(job))
        except PromptRailsError as error:
            troubles += 1
            if not error.retryable or troubles == _POLL_ERRORS:
                raise
            if isinstance(error, RateLimitError) and error.retry_after_s is not None:
                pause = min(max(pause, error.retry_after_s), _LONGEST_WAIT_S)
            continue  # the job goes on meanwhile
        troubles = 0
        if status.state == "done":
            return
        if status.state == "failed":
            why = mask(status.error) or "the provider does not say why"
            raise ProviderError(f"the {task.media_type} job of '{task.model_name}' failed: {why}", code="media_failed")
    raise ProviderTimeoutError(
        f"the {task.media_type} job of '{task.model_name}' was not done after {MAX_POLLS} looks, {POLL_INTERVAL_S:g} s "
        "apart; try again, or ask for less",
        phase="total",
    )


async def _call(ctx: RunContext, task: MediaTask, call: Callable[[], Awaitable[T]]) -> T:
    noun = f"media provider '{task.provider.name}'"
    late = ProviderTimeoutError(f"{noun} gave no answer within {ctx.limits.call_s} s", phase="total")
    return await call_adapter(ctx, call, late, ProviderError, noun)


# ------------------------------------------------------------------ the asset


def _kept(asset: MediaAsset, task: MediaTask) -> MediaResult:
    """What is kept of an asset.

    Raises:
        ProviderProtocolError: it has neither bytes nor an address, or says no type.
        ResponseTooLargeError: it is big, and has no address.
    """
    data, url = asset.data, asset.url
    if not _CONTENT_TYPE.fullmatch(asset.content_type) or not (data or url):
        raise ProviderProtocolError(
            f"'{task.model_name}' made something without a type, or with neither bytes nor an address"
        )
    kept: dict[str, Any] = {"content_type": asset.content_type, "model": task.model_name, "media_type": task.media_type}
    if data is not None:
        kept["size_bytes"] = len(data)
    inline = url is not None and url.startswith("data:")
    size = len(data) if data is not None else len(url or "") * 3 // 4 if inline else 0
    if size > INLINE_BYTES and (url is None or inline):
        raise ResponseTooLargeError(
            f"'{task.model_name}' made {size} bytes without an address for them; at most {INLINE_BYTES} are kept: "
            "ask for less, or use a provider that keeps its assets and gives their addresses"
        )
    if data and len(data) <= INLINE_BYTES:
        if asset.content_type.startswith("text/"):
            kept["text"] = data.decode("utf-8", "replace")
        else:
            url = f"data:{asset.content_type};base64,{base64.b64encode(data).decode()}"
    if url is not None:
        kept["url"] = url
    shown = {**kept, "url": without_bytes(url)} if url is not None else kept
    return MediaResult(kept.get("text", url or ""), {"asset": kept}, {"asset": shown})
