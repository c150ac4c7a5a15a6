"""Content digests: equal for equal content, different for different content."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptrails_engine.definitions.digest import canonical_json, content_digest

JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), st.text()),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(st.text(), inner, max_size=4)),
    max_leaves=10,
)
OBJECTS = st.dictionaries(st.text(), JSON, max_size=5)


def shuffled(value: Any) -> Any:
    """The same data, with the keys of every object in the opposite order."""
    if isinstance(value, dict):
        return {key: shuffled(value[key]) for key in reversed(value)}
    return [shuffled(item) for item in value] if isinstance(value, list) else value


@given(data=OBJECTS)
def test_the_order_of_keys_does_not_count(data: dict[str, Any]) -> None:
    assert content_digest(shuffled(data)) == content_digest(data)


@given(data=OBJECTS)
def test_what_went_through_json_has_the_same_digest(data: dict[str, Any]) -> None:
    assert content_digest(json.loads(json.dumps(data))) == content_digest(data)
    assert json.loads(canonical_json(data)) == data


@given(one=OBJECTS, other=OBJECTS)
def test_other_content_has_another_digest(one: dict[str, Any], other: dict[str, Any]) -> None:
    kept = [{k: v for k, v in data.items() if v is not None and v not in ("", [], {})} for data in (one, other)]
    assert (content_digest(one) == content_digest(other)) == (canonical_json(kept[0]) == canonical_json(kept[1]))


@pytest.mark.parametrize("empty", [None, "", {}, []])
def test_an_empty_field_counts_as_none(empty: Any) -> None:
    assert content_digest({"a": 1, "b": empty}) == content_digest({"a": 1})


@pytest.mark.parametrize("value", [0, 0.0, False, " ", [None], [[]], {"x": None}])
def test_what_only_looks_empty_counts(value: Any) -> None:
    assert content_digest({"a": 1, "b": value}) != content_digest({"a": 1})


def test_the_digest_never_moves() -> None:
    """Stored digests are compared with those of later releases."""
    data = {"system_prompt": "Ünïcode \U0001f600\n", "temperature": 0.1, "config": {"b": [1, 1.0, None], "a": True}}
    assert canonical_json(data) == (
        '{"config":{"a":true,"b":[1,1.0,null]},"system_prompt":"Ünïcode \U0001f600\\n","temperature":0.1}'
    )
    assert content_digest({}) == "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"


def test_every_process_agrees() -> None:
    data = {"z": {"b": 1, "a": "é"}, "y": [1.5, "x"]}
    code = (
        "import json,sys;from promptrails_engine.definitions.digest import content_digest;"
        "print(content_digest(json.loads(sys.argv[1])))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, json.dumps(data)], capture_output=True, text=True, check=True,
        env={"PYTHONHASHSEED": "7", "PYTHONPATH": ":".join(sys.path)},
    )  # fmt: skip
    assert done.stdout.strip() == content_digest(data)


def test_numbers_that_json_has_not_are_refused() -> None:
    for value in (float("nan"), float("inf")):
        with pytest.raises(ValueError, match="JSON"):
            content_digest({"a": value})
