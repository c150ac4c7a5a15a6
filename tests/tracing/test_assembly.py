"""Traces put together from batches."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from promptrails_engine.ports.sink import Span
from promptrails_engine.testing.sink_conformance import example_trace, make_span, make_trace
from promptrails_engine.tracing.assembly import SpanTree, TraceAssembly, span_tree


def ids(spans: list[Span]) -> list[int]:
    return [int(span.span_id, 16) for span in spans]


def test_parents_come_before_children_in_order_of_time() -> None:
    (tree,) = TraceAssembly().add(example_trace())
    assert tree.complete
    assert ids(list(tree.walk())) == [1, 2, 3, 4]
    assert ids(list(tree.below(tree.tops[0]))) == [2, 3]


@given(st.permutations(example_trace()), st.lists(st.integers(1, 3), min_size=4, max_size=4))
def test_any_order_and_any_batches(spans: list[Span], sizes: list[int]) -> None:
    assembly = TraceAssembly()
    trees: list[SpanTree] = []
    rest = list(spans)
    for size in sizes:
        trees += assembly.add(rest[:size])
        rest = rest[size:]
    trees += assembly.drain()
    found = [span for tree in trees for span in tree.walk()]
    assert sorted(ids(found)) == [1, 2, 3, 4]
    assert [tree.complete for tree in trees].count(True) == 1


@given(st.lists(st.tuples(st.integers(1, 8), st.integers(0, 8)), max_size=12))
def test_no_span_is_lost_or_doubled_however_odd_the_parents(pairs: list[tuple[int, int]]) -> None:
    trace = make_trace()
    spans = [make_span(trace, number, parent) for number, parent in pairs]
    tree = span_tree(spans, complete=True)
    assert sorted(map(id, tree.walk())) == sorted(map(id, spans))


def test_it_is_bounded() -> None:
    assembly = TraceAssembly(max_spans=10)
    pushed: list[SpanTree] = []
    for number in range(1, 8):
        trace = make_trace(f"{number:032x}")
        pushed += assembly.add([make_span(trace, 2, 1), make_span(trace, 3, 1)])
    assert [tree.tops[0].trace.trace_id[-1] for tree in pushed] == ["1", "2"]
    assert not any(tree.complete for tree in pushed)
    assert len(assembly.drain()) == 5
    assert assembly.drain() == []
