"""The placeholders of a query: what is one, and what only looks like one."""

from __future__ import annotations

import pytest

from promptrails_engine.definitions.placeholders import placeholders


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("a = :a AND b = :b_2 OR a = :a", ("a", "b_2")),
        ("':a' \":b\" `:c` -- :d\n/* :e\n:f */ :g", ("g",)),
        ("'it''s :a' :b", ("b",)),
        ("x::int = :x AND y::text = ''", ("x",)),
        ("$$ :a $$ $t$ :b $$ $t$ :c", ("c",)),
        ("data:field[1:2]", ()),
        ("'open :a", ("a",)),
        ("", ()),
    ],
)
def test_placeholders(query: str, names: tuple[str, ...]):
    assert placeholders(query) == names
