"""The loopback server, and an environment without keys of the machine's owner."""

from __future__ import annotations

import os
from collections.abc import Iterator
from importlib.util import find_spec

import pytest

from tests.providers.loopback import LoopbackServer

if find_spec("litellm") is None:  # not importorskip: its import is a part of what is tested
    pytest.skip("litellm is not installed", allow_module_level=True)


@pytest.fixture
def server() -> Iterator[LoopbackServer]:
    with LoopbackServer() as running:
        yield running


@pytest.fixture(autouse=True)
def no_keys_of_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.endswith(("_API_KEY", "_BASE_URL", "_API_BASE")) or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
