from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from promptrails_providers.openai_compatible import ENDPOINTS
from tests.providers.loopback import LoopbackServer


@pytest.fixture
def server() -> Iterator[LoopbackServer]:
    with LoopbackServer() as running:
        yield running


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No key, base URL or proxy of the machine reaches a test."""
    names = {name for row in ENDPOINTS.values() for name in (*row.key_env, *row.base_url_env)}
    proxies = {name for name in os.environ if name.lower().endswith("_proxy")}
    for name in names | proxies:
        monkeypatch.delenv(name, raising=False)
