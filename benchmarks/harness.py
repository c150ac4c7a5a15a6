"""How a case is measured: a floor and ours in turns, in CPU time of the whole process, every output checked."""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

BATCH_S = 0.06
"""CPU seconds that a batch of the floor, or of ours, takes at least about."""


@dataclass(frozen=True)
class Goal:
    """`most` or `least` bounds the ratio to the floor, or the figure itself where `of` says so."""

    most: float | None = None
    least: float | None = None
    of: str = "ratio"


@dataclass
class Row:
    """One line of the table.  `floor` is None where a figure stands by itself."""

    case: str
    ours: float
    floor: float | None = None
    unit: str = "us"
    goal: Goal | None = None
    note: str = ""
    best: dict[str, float] = field(default_factory=dict)
    """The lowest batches, beside the medians above."""

    @property
    def ratio(self) -> float | None:
        return None if not self.floor else self.ours / self.floor

    @property
    def met(self) -> bool | None:
        """Whether the goal is reached; None without one."""
        if self.goal is None:
            return None
        value = self.ratio if self.goal.of == "ratio" else self.ours
        if value is None:
            return False
        if self.goal.most is not None and value > self.goal.most:
            return False
        return self.goal.least is None or value >= self.goal.least


@dataclass(frozen=True)
class Size:
    """How much is measured."""

    quick: bool = False

    def pick(self, full: int, quick: int) -> int:
        return quick if self.quick else full

    @property
    def batches(self) -> int:
        return self.pick(15, 3)


Once = Callable[[int], Awaitable[Any]]
SyncOnce = Callable[[int], Any]


@dataclass
class Contender:
    """What is measured: `once(i)` does the work number i, and what it returns must equal `expected(i)`.

    `settle` waits for what a batch left to other threads, within the time of the batch.
    """

    name: str
    once: Any
    expected: Callable[[int], Any]
    settle: Callable[[], Any] | None = None
    cpu: list[float] = field(default_factory=list)
    wall: list[float] = field(default_factory=list)
    next: int = 0

    def cpu_us(self) -> float:
        return statistics.median(self.cpu) * 1e6

    def wall_us(self) -> float:
        return statistics.median(self.wall) * 1e6

    def best_us(self) -> float:
        return min(self.cpu) * 1e6

    def check(self, start: int, outputs: Iterable[Any]) -> None:
        """Raises AssertionError for the first output that is not what it must be."""
        for index, output in enumerate(outputs, start):
            wanted = self.expected(index)
            if output != wanted:
                raise AssertionError(f"{self.name}, run {index}: {output!r:.300} instead of {wanted!r:.300}")

    def note_batch(self, cpu: float, wall: float, runs: int) -> None:
        self.cpu.append(cpu / runs)
        self.wall.append(wall / runs)


async def batch(contender: Contender, runs: int, *, keep: bool = True) -> float:
    """One batch; its CPU seconds a run."""
    start, once, outputs = contender.next, contender.once, []
    contender.next += runs
    wall, cpu = time.perf_counter(), time.process_time()
    for i in range(start, start + runs):
        outputs.append(await once(i))
    if contender.settle is not None:
        await contender.settle()
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    contender.check(start, outputs)
    if keep:
        contender.note_batch(cpu, wall, runs)
    return cpu / runs


def batch_sync(contender: Contender, runs: int, *, keep: bool = True) -> float:
    """As `batch`, for plain functions."""
    start, once, outputs = contender.next, contender.once, []
    contender.next += runs
    wall, cpu = time.perf_counter(), time.process_time()
    for i in range(start, start + runs):
        outputs.append(once(i))
    if contender.settle is not None:
        contender.settle()
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    contender.check(start, outputs)
    if keep:
        contender.note_batch(cpu, wall, runs)
    return cpu / runs


def runs_for(seconds_a_run: float, most: int) -> int:
    """How many runs fill a batch."""
    return max(1, min(most, round(BATCH_S / max(seconds_a_run, 1e-9))))


async def in_turns(contenders: list[Contender], size: Size, *, warm: int = 50, most: int = 20_000) -> None:
    """Measure them in turns, so that whatever else the machine does meets all alike."""
    plan = []
    for contender in contenders:
        await batch(contender, warm, keep=False)
        plan.append(runs_for(await batch(contender, warm, keep=False), most))
    gc.collect()
    for _ in range(size.batches):
        for contender, runs in zip(contenders, plan, strict=True):
            await batch(contender, size.pick(runs, max(1, runs // 6)))


def in_turns_sync(contenders: list[Contender], size: Size, *, warm: int = 50, most: int = 20_000) -> None:
    """As `in_turns`, for plain functions."""
    plan = []
    for contender in contenders:
        batch_sync(contender, warm, keep=False)
        plan.append(runs_for(batch_sync(contender, warm, keep=False), most))
    gc.collect()
    for _ in range(size.batches):
        for contender, runs in zip(contenders, plan, strict=True):
            batch_sync(contender, size.pick(runs, max(1, runs // 6)))


def cpu_row(
    case: str, floor: Contender, ours: Contender, goal: Goal | None = None, *, per: int = 1, note: str = ""
) -> Row:
    """The row of two contenders; `per` divides both, where a run is many of what is counted."""
    best = {"floor": floor.best_us() / per, "ours": ours.best_us() / per}
    return Row(case, ours.cpu_us() / per, floor.cpu_us() / per, goal=goal, note=note, best=best)


def rss_mib() -> float | None:
    """Resident memory of this process; None where the system does not tell (it does on Linux)."""
    status = Path("/proc/self/status")
    if not status.exists():
        return None
    for line in status.read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    return None
