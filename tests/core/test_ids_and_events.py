"""Ids and events."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from promptrails_engine.ids import IdFactory, ksuid_seconds


@given(st.integers(1_400_000_000, 1_400_000_000 + 2**32 - 1), st.integers())
def test_a_record_id_is_a_ksuid_of_its_second(second: int, seed: int):
    made = IdFactory(seed, clock=lambda: float(second)).record()
    assert len(made) == 27
    assert made.isalnum()
    assert ksuid_seconds(made) == second


@given(st.integers(1_400_000_000, 1_400_000_000 + 2**32 - 2), st.integers(1, 1000))
def test_record_ids_sort_by_time(second: int, later: int):
    times = iter([float(second), float(min(second + later, 1_400_000_000 + 2**32 - 1))])
    factory = IdFactory(clock=lambda: next(times))
    assert factory.record() < factory.record()


def test_ids_do_not_repeat_and_a_seed_makes_them_reproducible():
    factory = IdFactory()
    assert len({factory.record() for _ in range(20_000)}) == 20_000
    assert len({factory.span() for _ in range(20_000)}) == 20_000
    a, b = (IdFactory(7, clock=lambda: 1_700_000_000.0) for _ in range(2))
    assert [a.record(), a.trace(), a.span()] == [b.record(), b.trace(), b.span()]
    assert (len(a.trace()), len(a.span())) == (32, 16)
