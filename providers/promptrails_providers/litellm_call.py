"""One call through litellm, from the request to its deltas.  Imports litellm: import it off the event loop."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator
from contextlib import aclosing

import httpx

from promptrails_engine.errors import PromptRailsError
from promptrails_engine.ports.provider import Delta, Finish, ModelRequest
from promptrails_providers.litellm_chunks import ChunkReader
from promptrails_providers.litellm_errors import explain_end, explain_failure
from promptrails_providers.litellm_runtime import Target, open_stream
from promptrails_providers.litellm_transport import CallTransport
from promptrails_providers.openai_compatible.http_errors import Call
from promptrails_providers.openai_compatible.rate_headers import rate_limits_of


async def run_call(
    target: Target, request: ModelRequest, pool: httpx.AsyncClient, call: Call
) -> AsyncGenerator[Delta, None]:
    """The deltas of the answer; `call` describes it in errors.

    Raises:
        PromptRailsError: as the provider port lists.
    """
    transport = CallTransport(pool, request.connect_timeout_s)
    reader: ChunkReader | None = None
    failure: PromptRailsError | None = None
    try:
        reader = await open_stream(target, request, transport)
        if (limits := rate_limits_of(transport.facts.headers, time.time())) is not None:
            yield limits
        async with aclosing(reader.read()) as chunks:
            async for deltas in chunks:
                for delta in deltas:
                    yield delta
    except PromptRailsError as exc:
        failure = exc
    except Exception as exc:
        if reader is None or not reader.complete:
            delivered = reader is not None and reader.delivered
            failure = explain_failure(
                call, transport.facts, exc, delivered=delivered, connect_timeout_s=request.connect_timeout_s
            )
    finally:
        # Not the stream's own aclose: it leaves some providers' connections open, and absorbs a cancellation.
        await transport.close_answer()
    if reader is None and (limits := rate_limits_of(transport.facts.headers, time.time())) is not None:
        yield limits
    if failure is not None:  # raised out here, so that it drags no exception along that holds the key
        raise failure
    reason = reader.finish() if reader is not None else None
    if reader is None or reason is None or transport.facts.malformed:
        answered, delivered = (reader.answered, reader.delivered) if reader is not None else (False, False)
        raise explain_end(call, transport.facts, answered=answered, delivered=delivered)
    yield Finish(reason)
