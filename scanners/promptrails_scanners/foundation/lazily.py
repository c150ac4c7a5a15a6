"""What waits for its first use: patterns, for compiling those of all scanners takes longer than importing them, and
modules that most processes never need.
"""

from __future__ import annotations

import re
from importlib import import_module
from types import ModuleType
from typing import Any, cast


def module(name: str) -> ModuleType:
    """The module, loaded now if nobody has asked for it yet; threads that ask at once wait for one of them to do it."""
    return import_module(name)


def pattern(source: str, flags: int = 0) -> re.Pattern[str]:
    """What `re.compile` would give, or rather what has all of its methods, and compiles when the first is asked for."""
    return cast("re.Pattern[str]", _Lazily(source, flags))


class _Lazily:
    """Stands for a pattern.  Two threads that come first at once compile it twice, and both results do."""

    def __init__(self, source: str, flags: int) -> None:
        self._given = source, flags

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        made = self.__dict__.get("_made")
        if made is None:
            made = self._made = re.compile(*self._given)
        found = getattr(made, name)
        setattr(self, name, found)  # from now on it is found without coming here
        return found
