"""Puts the spans of a trace together, for sinks that need the whole tree."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from promptrails_engine.ports.sink import Span

MAX_SPANS = 10_000


@dataclass(frozen=True, slots=True)
class SpanTree:
    """The spans of one trace.  A span whose parent is not among them is one of the `tops`.

    `complete` is False if the root had not arrived when the tree was given out.
    """

    tops: tuple[Span, ...]
    children: dict[str, list[Span]]
    complete: bool

    def below(self, span: Span) -> Sequence[Span]:
        """The span's children, in the order in which they began."""
        return self.children.get(span.span_id, ())

    def walk(self) -> Iterator[Span]:
        """All spans, parents before their children."""
        stack = list(reversed(self.tops))
        while stack:
            span = stack.pop()
            yield span
            stack.extend(reversed(self.below(span)))


class TraceAssembly:
    """Keeps spans until the root of their trace arrives; at most `max_spans` of them.

    Beyond that the oldest trace is given out as it is.  Not thread-safe.
    """

    def __init__(self, max_spans: int = MAX_SPANS) -> None:
        self._max_spans = max_spans
        self._traces: dict[str, list[Span]] = {}
        self._count = 0

    def add(self, spans: Sequence[Span]) -> list[SpanTree]:
        """The trees that these spans complete, or push out."""
        ready: list[str] = []
        for span in spans:
            trace_id = span.trace.trace_id
            self._traces.setdefault(trace_id, []).append(span)
            self._count += 1
            if not span.parent_span_id and trace_id not in ready:
                ready.append(trace_id)
        trees = [self._take(trace_id, complete=True) for trace_id in ready]
        while self._count > self._max_spans:
            trees.append(self._take(next(iter(self._traces)), complete=False))
        return trees

    def drain(self) -> list[SpanTree]:
        """What is left, incomplete."""
        return [self._take(trace_id, complete=False) for trace_id in list(self._traces)]

    def _take(self, trace_id: str, *, complete: bool) -> SpanTree:
        spans = self._traces.pop(trace_id)
        self._count -= len(spans)
        return span_tree(spans, complete=complete)


def span_tree(spans: Sequence[Span], *, complete: bool) -> SpanTree:
    """The spans as a tree, siblings by the time of their beginning.

    Spans whose ids repeat, or whose parents go round in a circle, are all tops.
    """
    ordered = sorted(spans, key=lambda span: span.started_at)
    known = {span.span_id for span in ordered}
    tops: list[Span] = []
    children: dict[str, list[Span]] = {}
    for span in ordered:
        if span.parent_span_id in known:
            children.setdefault(span.parent_span_id, []).append(span)
        else:
            tops.append(span)
    tree = SpanTree(tuple(tops), children, complete)
    if len(known) == len(ordered) and sum(1 for _ in tree.walk()) == len(ordered):
        return tree
    return SpanTree(tuple(ordered), {}, complete)
