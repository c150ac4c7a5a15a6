"""What holds for every test: no network but this machine, no deadline on properties, the root of the repository."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from tests.network_guard import NetworkGuard
from tests.warm.python import warm_python

pytest_plugins = ["tests.databases"]

ROOT = Path(__file__).resolve().parents[1]
GUARD = pytest.StashKey[NetworkGuard]()

# Tests start many interpreters: none of them compiles anew what another one has compiled.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

settings.register_profile("default", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True, print_blob=True)
settings.load_profile("ci" if os.environ.get("CI") else "default")


def pytest_configure(config: pytest.Config) -> None:
    """Install the guard before collection: importing a test module must not reach for the network either."""
    guard = NetworkGuard()
    config.add_cleanup(guard.install())
    config.stash[GUARD] = guard


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
    """The interpreter from which tests fork processes, if one of them did, ends after the last one."""
    yield
    if warm_python.cache_info().currsize:
        warm_python().close()


@pytest.fixture(scope="session")
def repo_root() -> Path:
    """The root of the repository."""
    return ROOT
