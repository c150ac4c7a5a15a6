"""Guards: scanners at their posts."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Literal, TypeGuard

from promptrails_engine.ports.scanner import ReversibleScanner, Scanner
from promptrails_engine.run.binding import ModelBinding

Direction = Literal["input", "output"]
Action = Literal["block", "redact", "log"]


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
    quick: bool = False
    """Whether the scanner is known to take no time for a short text."""
    sample: float = 1.0
    """The part of its looks that it takes."""
    joins_session: bool = False
    """Whether a value has the same label in all runs of a session."""
    judge: ModelBinding | None = None
    """The model that is asked what the scanner wants to know."""

    @property
    def is_reversible(self) -> bool:
        """Whether what it takes out comes back where the run's answer leaves it."""
        return self.action == "redact" and is_reversible(self.scanner)

    @property
    def blocks(self) -> bool:
        """Whether what it finds ends the run: also where it cannot take out what it should."""
        return self.action == "block" or (self.action == "redact" and self.scanner.meta.redacts == "never")

    @property
    def judges(self) -> bool:
        """Whether its scanner judges texts as a whole, rather than naming places in them."""
        return self.scanner.meta.redacts != "spans"


def is_reversible(scanner: Scanner) -> TypeGuard[ReversibleScanner]:
    """Whether the labels that it gives can be turned back."""
    return isinstance(scanner, ReversibleScanner)


@dataclass(frozen=True, slots=True)
class Guards:
    """The guards of an agent, by what they look at."""

    input: tuple[Guard, ...] = ()
    output: tuple[Guard, ...] = ()
    tool_arguments: tuple[Guard, ...] = ()
    tool_results: tuple[Guard, ...] = ()
    documents: tuple[Guard, ...] = ()
    windows: tuple[Guard, ...] = field(init=False)
    """The guards through which an output passes while it comes."""
    holds_output: bool = field(init=False)
    """Whether an output is not to be heard before they have seen all of it."""

    def __post_init__(self) -> None:
        acting = [guard for guard in self.output if guard.action != "log"]
        object.__setattr__(self, "windows", tuple(guard for guard in acting if guard.windowed))
        object.__setattr__(self, "holds_output", any(not guard.windowed for guard in acting))

    def opened(self) -> tuple[Guards, tuple[ReversibleScanner, ...]]:
        """The guards for one run, each of those whose labels come back with a vault of its own; and these scanners."""
        made: dict[int, Guard] = {}
        scanners: list[ReversibleScanner] = []
        for guard in self.input:
            scanner = guard.scanner
            if guard.action == "redact" and is_reversible(scanner):
                scanners.append(scanner.opened())
                made[id(guard)] = replace(guard, scanner=scanners[-1])
        if not made:
            return self, ()
        here = Guards(
            *(
                tuple(made.get(id(one), one) for one in post)
                for post in (self.input, self.output, self.tool_arguments, self.tool_results, self.documents)
            )
        )
        return here, tuple(scanners)
