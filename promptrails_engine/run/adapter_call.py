"""One call of an adapter that a definition names, with an end to it, and whatever it raises as an error of the tree."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from promptrails_engine.errors import PromptRailsError
from promptrails_engine.run.context import RunContext
from promptrails_engine.secrets import mask

T = TypeVar("T")


async def call_adapter(
    ctx: RunContext, call: Callable[[], Awaitable[T]], late: PromptRailsError, failed: type[PromptRailsError], noun: str
) -> T:
    """What the call comes to, within the limit `call_s`.

    Raises:
        PromptRailsError: as the adapter raised it; `late` where it took too long; `failed` for anything else.
    """
    scope = asyncio.timeout(ctx.limits.call_s)
    try:
        async with scope:
            result = await call()
    except PromptRailsError as error:
        error.message = mask(error.message)  # it may repeat whatever the adapter was told
        raise
    except (Exception, asyncio.CancelledError) as error:
        if isinstance(error, asyncio.CancelledError) and ctx.being_cancelled():
            raise
        if isinstance(error, TimeoutError) and scope.expired():
            raise late from None
        raise failed(mask(f"{noun} failed: {type(error).__name__}: {error}")) from error
    if ctx.being_cancelled():
        await asyncio.sleep(0)  # where it is still on its way, it arrives here
        raise asyncio.CancelledError  # once more, for the adapter has swallowed the one that it got
    return result
