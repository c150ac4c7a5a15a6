"""The one way to load an optional dependency."""

from __future__ import annotations

import importlib
from importlib.util import find_spec
from types import ModuleType

from promptrails_engine.errors import MissingExtraError


def require(module: str, *, extra: str, feature: str) -> ModuleType:
    """Import an optional dependency at its first use.

    An ImportError from inside the package is let through: it is installed, and broken in its own way.

    Raises:
        MissingExtraError: the package is not installed; the message holds the pip line.
    """
    if not installed(module):
        raise MissingExtraError(
            f"{feature} needs the package '{module}', which is not installed. "
            f"Install it with: pip install 'promptrails-engine[{extra}]'",
            details={"module": module, "extra": extra},
        )
    return importlib.import_module(module)


def installed(module: str) -> bool:
    """Whether the module can be found, without importing it."""
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:
        return False
