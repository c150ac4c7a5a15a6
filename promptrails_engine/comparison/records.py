"""What a comparison of two executions consists of, as data; `str()` of it is a text for people."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from promptrails_engine.comparison.words import lines_of
from promptrails_engine.definitions.changes import ChangeKind, LineHunk, visible

Presence = Literal["a", "b", "both"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One thing that is not the same in both executions.

    Attributes:
        part: what it is of.  Of an execution: `status`, `error_code`, `agent`, `prompts`, `tools`, `input`, `output`,
            `truncated`, `tokens`, `cost`.  Of a step: `kind`, `name`, `status`, `error_code`, `skipped`, `model`,
            `settings`, `agent` (of a child), `prompt`, `input`, `messages`, `arguments`, `output`, `result`, `cached`,
            `tokens`, `cost`.
        a_path: the place in it for the first execution, such as `[1].content`; "" is the whole, None: only in b.
        b_path: the place for the second execution, which differs where a list has shifted; None: only in a.
        a: the value in the first; None where there is none, or it is unknown.
        b: the value in the second.
        cut: the store kept only the beginnings of both payloads, or of one: `a` and `b` are what it kept.
        hunks: lines and words that differ, of longer texts.
    """

    part: str
    a_path: str | None = ""
    b_path: str | None = ""
    a: Any = None
    b: Any = None
    cut: bool = False
    hunks: tuple[LineHunk, ...] = ()

    @property
    def path(self) -> str:
        """The place in the first execution, or in the second where it is only there."""
        return (self.b_path if self.a_path is None else self.a_path) or ""

    @property
    def change(self) -> ChangeKind:
        """Seen from a to b: added, removed or changed."""
        return "added" if self.a_path is None else "removed" if self.b_path is None else "changed"

    def to_dict(self) -> dict[str, Any]:
        """JSON data; `hunks` only where there are some."""
        data = {"change": self.change, **asdict(self)}
        if not self.hunks:
            del data["hunks"]
        return data


@dataclass(frozen=True, slots=True, kw_only=True)
class StepFacts:
    """One step as it went in one execution.

    Attributes:
        prompt, prompt_version: name of the rendered prompt and label of its version; "" for other steps.
        token_usage: counts, as far as they are known.
        cost: USD; None where unknown, and for steps that call no model.
        duration_ms: wall-clock milliseconds.
        skipped: why it did not run; "" if it did.
        cached: the answer of an earlier call was used.
    """

    kind: str
    name: str
    status: str
    error_code: str = ""
    error: str = ""
    model: str = ""
    prompt: str = ""
    prompt_version: str = ""
    token_usage: dict[str, int] = field(default_factory=dict[str, int])
    cost: float | None = None
    duration_ms: int | None = None
    skipped: str = ""
    cached: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class StepDiff:
    """One step in both executions.

    Attributes:
        key: its place in the run, such as `steps[1]/llm[0]/tool[0]`; the second attempt under one key is `...#2`.
            What a child execution did stands below the step that started it: `steps[x]/run` is the child itself.
        present: in which of the two it is.
        a, b: how it went; None where it is not there.
        differences: what is not the same; durations do not count, and stand in `a` and `b`.
        undecided: the parts of which no record is whole: as far as it goes, they are the same.
    """

    key: str
    present: Presence
    a: StepFacts | None = None
    b: StepFacts | None = None
    differences: tuple[Difference, ...] = ()
    undecided: tuple[str, ...] = ()

    @property
    def is_same(self) -> bool:
        """Whether nothing is known to differ."""
        return self.present == "both" and not self.differences

    def to_dict(self) -> dict[str, Any]:
        """JSON data."""
        return {
            "key": self.key,
            "present": self.present,
            "a": None if self.a is None else asdict(self.a),
            "b": None if self.b is None else asdict(self.b),
            "differences": [difference.to_dict() for difference in self.differences],
            "undecided": list(self.undecided),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecutionFacts:
    """One execution of the two.

    Attributes:
        agent_version: label of the agent's version; "" for a prompt that ran alone.
        cost, cost_known, token_usage, duration_ms, truncated: as in `AgentExecution`.
        ended: False while it runs: then steps that are not there may still come.
    """

    id: str
    agent_id: str
    agent_name: str
    agent_version: str
    status: str
    ended: bool
    error_code: str = ""
    error: str = ""
    token_usage: dict[str, int] = field(default_factory=dict[str, int])
    cost: float | None = None
    cost_known: float = 0.0
    duration_ms: int | None = None
    truncated: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecutionDiff:
    """Two executions compared; `str()` of it is a plain text for people.

    Attributes:
        differences: of the executions as wholes: status, the versions that they used, input, output, totals.  While
            one of them runs, its output and totals are not compared.
        steps: every step, in the order of the first execution; those only in the second at their place.
        diverged_at: key of the first step that is only in one of them, or was given or came to something else; a step
            around others counts only for what did not come from within.  None where there is no such step: then the
            two differ in no more than inputs, versions, tokens and cost.
    """

    a: ExecutionFacts
    b: ExecutionFacts
    differences: tuple[Difference, ...] = ()
    steps: Sequence[StepDiff] = ()
    diverged_at: str | None = None

    @property
    def is_empty(self) -> bool:
        """Whether nothing is known to differ but times."""
        return not self.differences and all(step.is_same for step in self.steps)

    def to_dict(self) -> dict[str, Any]:
        """JSON data."""
        return {
            "a": asdict(self.a),
            "b": asdict(self.b),
            "diverged_at": self.diverged_at,
            "differences": [difference.to_dict() for difference in self.differences],
            "steps": [step.to_dict() for step in self.steps],
        }

    def __str__(self) -> str:
        return "\n".join(visible(line) for line in lines_of(self))
