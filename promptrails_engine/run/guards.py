"""Guards: scanners at their posts, and the threads on which they work."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Literal

from promptrails_engine.ports.scanner import ReversibleScanner, Scanner, Verdict
from promptrails_engine.run.binding import ModelBinding

Direction = Literal["input", "output"]
Action = Literal["block", "redact", "log"]

_AT_ONCE_CHARS = 256
"""Shorter texts are scanned where they are: a thread would cost more than the scan, which takes a millisecond or so."""
_THREADS = 4


@dataclass(frozen=True, slots=True)
class Guard:
    """A scanner at its post."""

    name: str
    """As people know it: spans and errors say it."""
    scanner: Scanner
    direction: Direction
    action: Action
    blocks_on_error: bool
    """Whether a scanner that fails or takes too long counts as one that has found something."""
    timeout_s: float
    windowed: bool = False
    """Whether listeners hear an output while it comes, all but what may still become a part of something."""
    judge: ModelBinding | None = None
    """The model that is asked what the scanner wants to know."""

    @property
    def is_reversible(self) -> bool:
        """Whether what it takes out comes back where the run's answer leaves it."""
        return self.action == "redact" and isinstance(self.scanner, ReversibleScanner)

    @property
    def blocks(self) -> bool:
        """Whether what it finds ends the run: also where it cannot take out what it should."""
        return self.action == "block" or (self.action == "redact" and self.scanner.meta.redacts == "never")


@dataclass(frozen=True, slots=True)
class Guards:
    """The guards of an agent, by what they look at."""

    input: tuple[Guard, ...] = ()
    output: tuple[Guard, ...] = ()
    tool_arguments: tuple[Guard, ...] = ()
    tool_results: tuple[Guard, ...] = ()

    @property
    def holds_output(self) -> bool:
        """Whether an output is not to be heard before they have seen all of it."""
        return any(guard.action != "log" and not guard.windowed for guard in self.output)

    @property
    def windows(self) -> tuple[Guard, ...]:
        """The guards through which an output passes while it comes."""
        return tuple(guard for guard in self.output if guard.action != "log" and guard.windowed)


class Scans:
    """Where the scanners of one engine work: long texts on threads of their own, which nobody waits for too long."""

    def __init__(self) -> None:
        self._threads: ThreadPoolExecutor | None = None

    async def scan(self, guard: Guard, texts: Sequence[str]) -> list[Verdict]:
        """A verdict a text.

        Raises:
            TimeoutError: the scanner took too long; its thread is left to end by itself.
            Exception: whatever the scanner raises.
        """
        if sum(map(len, texts)) <= _AT_ONCE_CHARS:
            return [guard.scanner.scan(text) for text in texts]
        if self._threads is None:
            self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="promptrails scanner")
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(guard.timeout_s):
            return await loop.run_in_executor(self._threads, lambda: [guard.scanner.scan(text) for text in texts])

    def close(self) -> None:
        """Take no more scans."""
        if self._threads is not None:
            self._threads.shutdown(wait=False, cancel_futures=True)
            self._threads = None
