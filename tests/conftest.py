"""What holds for every test: no network but this machine, no deadline on properties, the root of the repository."""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from tests.network_guard import NetworkGuard
from tests.warm.python import close_all

pytest_plugins = ["tests.attempts", "tests.databases"]

ROOT = Path(__file__).resolve().parents[1]
_FIRST = ("tests/durability/", "tests/fleets/")
_WITH_LITELLM = ("tests/e2e/test_http_providers.py", "tests/e2e/test_promises.py", "tests/models/test_table.py")
GUARD = pytest.StashKey[NetworkGuard]()

# Tests start many interpreters: none of them compiles anew what another one has compiled.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

# The same examples every time, unless new ones are asked for (`make explore`): what fails once fails again.
settings.register_profile("default", deadline=None, derandomize=True, print_blob=True)
settings.register_profile("explore", deadline=None, max_examples=1000, print_blob=True)
settings.load_profile(os.environ.get("HYPOTHESIS", "default"))


def pytest_configure(config: pytest.Config) -> None:
    """Install the guard before collection: importing a test module must not reach for the network either."""
    gc.disable()  # what is collected stays
    guard = NetworkGuard()
    config.add_cleanup(guard.install())
    config.stash[GUARD] = guard


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Beside each other stand the tests that import litellm, which takes seconds: one worker of two has them.

    Tests that wait for many processes begin the list, so that no worker is left with them at the end.
    """
    items.sort(key=lambda item: _place(item.nodeid.partition("::")[0]))


def _place(file: str) -> tuple[bool, str]:
    return not file.startswith(_FIRST), "tests/providers/litellm" if file in _WITH_LITELLM else file


def pytest_collection_finish() -> None:
    """What was collected stays to the end: the garbage collector need not go through it again and again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 10, 10)  # tests leave little behind, and look for it often
    gc.enable()


@pytest.fixture(autouse=True)
def network_guard(pytestconfig: pytest.Config) -> Iterator[NetworkGuard]:
    """The guard; a test that tried to leave the machine fails even where the code under test hid the refusal."""
    guard = pytestconfig.stash[GUARD]
    guard.refused.clear()
    yield guard
    hosts, guard.refused[:] = list(guard.refused), []
    assert not hosts, f"the test tried to reach other machines: {hosts}"


@pytest.fixture(scope="session", autouse=True)
def warm_python_ends() -> Iterator[None]:
    """The interpreters from which tests fork processes end after the last one."""
    yield
    close_all()


@pytest.fixture(scope="session")
def repo_root() -> Path:
    """The root of the repository."""
    return ROOT
