"""How much an engine takes up by itself."""

from __future__ import annotations

from dataclasses import dataclass

from promptrails_engine.errors import ConfigurationError


@dataclass(frozen=True, slots=True)
class WorkOptions:
    """What an engine was given.

    Raises:
        ConfigurationError: it cannot be used.
    """

    background: int
    """How many executions it runs at once for which nobody waits."""
    recover: bool
    """Whether it takes over what other processes left behind when its store is opened."""
    lease_s: float

    def __post_init__(self) -> None:
        check_places(self.background, "background", least=0)
        if not self.lease_s >= 1:
            raise ConfigurationError(f"lease_s is a number of seconds, 1 or more, not {self.lease_s!r}")


def check_places(number: int, name: str, least: int) -> None:
    """Hold a number of executions against the least that makes sense.

    Raises:
        ConfigurationError: it is no such number.
    """
    if not isinstance(number, int) or isinstance(number, bool) or number < least:  # pyright: ignore[reportUnnecessaryIsInstance]
        raise ConfigurationError(f"{name} is a whole number of executions, {least} or more, not {number!r}")
