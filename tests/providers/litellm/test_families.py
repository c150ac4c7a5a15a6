"""The promises that need litellm's own retries and redirects out of the way, on many of its providers."""

from __future__ import annotations

import pytest

from promptrails_engine.errors import ProviderUnavailableError, RedirectRefusedError
from promptrails_engine.ports.provider import Finish
from tests.providers.litellm.calls import MORE_HANDLER, MORE_SDK, attempt, collect, make, request, text_of
from tests.providers.loopback import LoopbackServer
from tests.providers.replies import chat, error, hang_up, redirect, reset

NAMES = [f"{name}/m" for name in (*MORE_SDK, *MORE_HANDLER)]


@pytest.mark.parametrize("model", NAMES)
async def test_an_answer(server: LoopbackServer, model: str) -> None:
    server.script(chat("Hello there"))
    deltas = await collect(make(server), request(model))
    assert text_of(deltas) == "Hello there"
    assert deltas[-1] == Finish("stop")
    assert len(server.requests) == 1


@pytest.mark.parametrize("model", NAMES)
@pytest.mark.parametrize("fault", ["reset", "hang-up", "500"])
async def test_every_failure_is_one_request(server: LoopbackServer, model: str, fault: str) -> None:
    server.script({"reset": reset(), "hang-up": hang_up(), "500": error(500)}[fault])
    _, failure = await attempt(make(server), request(model))
    assert type(failure) is ProviderUnavailableError, failure
    assert len(server.requests) == 1


@pytest.mark.parametrize("model", NAMES)
async def test_a_redirect_is_refused(server: LoopbackServer, model: str) -> None:
    server.script(redirect(server.url))
    _, failure = await attempt(make(server), request(model))
    assert type(failure) is RedirectRefusedError, failure
    assert len(server.requests) == 1
