"""The demo's messages, what is known to be right about them, and what came out."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from importlib.resources import files
from typing import Any, cast

from promptrails_engine.results import ExecutionResult, Trace

_ORDER_NUMBER = re.compile(r"(?<!\d)\d{4}(?!\d)")


@dataclass(frozen=True, slots=True)
class Label:
    """What a message is about: a category, and the order that it names, if it does."""

    category: str = ""
    order_number: str | None = None

    def __str__(self) -> str:
        return f"{self.category} {self.order_number}" if self.order_number else self.category


@dataclass(frozen=True, slots=True)
class CustomerMessage:
    """One row of the demo's file; `expected` was labelled by hand."""

    id: str
    text: str
    expected: Label


@dataclass(frozen=True, slots=True)
class Answered:
    """One message with its answer; `cost` is USD, None where unknown.

    `label` is the category that the model said, and the order that it looked up.
    """

    message: CustomerMessage
    result: ExecutionResult
    label: Label
    lookups: list[str] = field(default_factory=list[str])
    """What the shop's tool replied."""

    def to_dict(self) -> dict[str, Any]:
        """JSON data: one line of the results file."""
        result = self.result
        return {
            "id": self.message.id,
            "message": self.message.text,
            "expected": asdict(self.message.expected),
            "label": asdict(self.label),
            "lookups": self.lookups,
            "answer": result.text,
            "status": result.status,
            "error": result.error,
            "tokens": result.token_usage,
            "cost": result.cost,
            "duration_ms": result.duration_ms,
            "execution_id": result.execution_id,
            "trace_id": result.trace_id,
        }


def read_messages() -> list[CustomerMessage]:
    """The messages that ship with the demo."""
    text = files("promptrails_engine.cli").joinpath("demo_data/messages.jsonl").read_text(encoding="utf-8")
    rows: list[dict[str, Any]] = [json.loads(line) for line in text.splitlines()]
    return [CustomerMessage(row["id"], row["text"], Label(**row["expected"])) for row in rows]


def answered(message: CustomerMessage, result: ExecutionResult, spans: Sequence[Trace]) -> Answered:
    """The message with what its run and the spans of it say."""
    category, number = "", None
    for span in spans:
        if span.kind == "agent_step" and span.name == "classify":
            category = str(cast("dict[str, Any]", span.output or {}).get("category", ""))
        elif span.kind == "tool" and (found := _ORDER_NUMBER.search(str(span.input))):
            number = found[0]
    lookups = [str(span.output) for span in spans if span.kind == "tool" and span.status == "ok"]
    return Answered(message, result, Label(category, number), lookups)
