"""Votes over JSON values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

from promptrails_engine.definitions.digest import canonical_json


def tally(ballots: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    """The value that most roles gave, how many voted, and the counts, highest first: the output of a vote.

    Values are equal as JSON has it: in any order of keys, and 1 is 1.0.  Of values with equal counts the one comes
    first whose first ballot does.
    """
    found: dict[str, dict[str, Any]] = {}
    for role, value in ballots:
        entry = found.setdefault(canonical_json(_number_free(value)), {"value": value, "count": 0, "roles": []})
        entry["count"] += 1
        entry["roles"].append(role)
    counts = sorted(found.values(), key=lambda entry: -int(entry["count"]))
    return {"value": counts[0]["value"], "votes": len(ballots), "counts": counts}


def _number_free(value: Any) -> Any:
    """The value with every whole number written in one way."""
    if isinstance(value, float):
        return int(value) if value.is_integer() else value
    if isinstance(value, list):
        return [_number_free(item) for item in cast("Sequence[Any]", value)]
    if isinstance(value, dict):
        return {key: _number_free(item) for key, item in cast("Mapping[str, Any]", value).items()}
    return value
