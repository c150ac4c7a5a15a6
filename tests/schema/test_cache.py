"""The bounded cache."""

from __future__ import annotations

from promptrails_engine.schema.cache import BoundedCache


def test_the_least_recently_used_go_first() -> None:
    cache: BoundedCache[str, int] = BoundedCache(max_entries=2, max_size=100)
    cache.put("a", 1, 1)
    cache.put("b", 2, 1)
    assert cache.get("a") == 1
    cache.put("c", 3, 1)
    assert (cache.get("a"), cache.get("b"), cache.get("c"), len(cache)) == (1, None, 3, 2)


def test_the_first_value_stays() -> None:
    cache: BoundedCache[str, list[int]] = BoundedCache(max_entries=2, max_size=100)
    first = cache.put("a", [1], 1)
    assert cache.put("a", [2], 1) is first


def test_sizes_are_bounded() -> None:
    cache: BoundedCache[int, int] = BoundedCache(max_entries=100, max_size=10)
    for key in range(20):
        cache.put(key, key, 3)
    assert len(cache) == 3
    assert cache.put(99, 99, 11) == 99
    assert cache.get(99) is None
    assert len(cache) == 3
