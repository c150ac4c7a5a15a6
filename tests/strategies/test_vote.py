"""The laws of a vote."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from promptrails_engine.strategies.vote import tally

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-3, 3)
    | st.sampled_from(["a", "b", "1"])
    | st.sampled_from([0.0, 1.0, 0.5]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from("xy"), inner, max_size=2),
    max_leaves=3,
)
BALLOTS = st.lists(VALUES, min_size=1, max_size=9).map(lambda values: [(f"r{n}", v) for n, v in enumerate(values)])


def same(one: Any, other: Any) -> bool:
    """Equality of JSON values, written another way: numbers by value, true is not 1."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    numbers = isinstance(one, int | float) and isinstance(other, int | float)
    return (numbers or type(one) is type(other)) and one == other


@given(BALLOTS)
def test_every_vote_is_counted_once_and_for_its_value(ballots: list[tuple[str, Any]]) -> None:
    result = tally(ballots)
    assert result["votes"] == len(ballots) == sum(entry["count"] for entry in result["counts"])
    by_role = dict(ballots)
    assert sorted(role for entry in result["counts"] for role in entry["roles"]) == sorted(by_role)
    for entry in result["counts"]:
        assert entry["count"] == len(entry["roles"])
        assert all(same(by_role[role], entry["value"]) for role in entry["roles"])
    kinds = [entry["value"] for entry in result["counts"]]
    assert not any(same(one, other) for n, one in enumerate(kinds) for other in kinds[:n])


@given(BALLOTS)
def test_the_value_has_the_most_votes_and_of_equals_the_earliest(ballots: list[tuple[str, Any]]) -> None:
    result = tally(ballots)
    counts = [sum(same(value, other) for _, other in ballots) for _, value in ballots]
    assert result["value"] is ballots[counts.index(max(counts))][1]
    assert [entry["count"] for entry in result["counts"]] == sorted(
        (entry["count"] for entry in result["counts"]), reverse=True
    )


@given(BALLOTS, st.randoms(use_true_random=False))
def test_the_order_of_ballots_decides_nothing_but_ties(ballots: list[tuple[str, Any]], random: Any) -> None:
    result = tally(ballots)
    shuffled = list(ballots)
    random.shuffle(shuffled)
    again = tally(shuffled)
    assert again["counts"][0]["count"] == result["counts"][0]["count"]
    if len(result["counts"]) == 1 or result["counts"][1]["count"] < result["counts"][0]["count"]:
        assert same(again["value"], result["value"])


@given(BALLOTS)
def test_the_outcome_is_json_and_changes_no_ballot(ballots: list[tuple[str, Any]]) -> None:
    before = json.dumps(ballots)
    assert json.loads(json.dumps(tally(ballots)))["votes"] == len(ballots)
    assert json.dumps(ballots) == before
