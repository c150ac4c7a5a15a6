"""What a store owes about cached answers and tool state."""

from __future__ import annotations

import asyncio
from typing import Any

from promptrails_engine.ports.store import Store
from promptrails_engine.testing.store_conformance.case import StoreCase
from promptrails_engine.testing.store_conformance.rows import LONG_TEXT, ODD_TEXTS, unique


class StatePromises(StoreCase):
    """Answers until they expire, values by scope and key."""

    def test_an_answer_is_kept_until_it_expires(self) -> None:
        async def body(store: Store) -> None:
            ws = unique("ws")
            assert await store.cache_get(ws, "k", 0.0) is None
            await store.cache_put(ws, "k", {"a": [1]}, 100.0)
            assert await store.cache_get(ws, "k", 99.5) == {"a": [1]}
            assert await store.cache_get(ws, "k", 100.0) is None
            assert await store.cache_get(ws, "k", 100.5) is None
            assert await store.cache_get(ws, "other", 0.0) is None
            await store.cache_put(ws, "k", {"a": [2]}, 200.0)
            assert await store.cache_get(ws, "k", 150.0) == {"a": [2]}

        self.run(body)

    def test_an_answer_is_the_readers_own(self) -> None:
        async def body(store: Store) -> None:
            ws = unique("ws")
            given = {"a": [1]}
            await store.cache_put(ws, "k", given, 100.0)
            given["a"].append(2)
            for _ in range(2):
                found = await store.cache_get(ws, "k", 0.0)
                assert found is not None
                assert found == {"a": [1]}
                found["a"].append(3)

        self.run(body)

    def test_values_are_set_read_listed_and_deleted(self) -> None:
        async def body(store: Store) -> None:
            ws = unique("ws")
            values: list[Any] = [1, 2.5, "text", True, None, [1, {"x": None}], {"a": {"b": []}}, ""]
            for i, value in enumerate(values):
                await store.state_set(ws, "scope", f"k{i}", value)
            await store.state_set(ws, "scope2", "k0", "elsewhere")
            for i, value in enumerate(values):
                assert await store.state_get(ws, "scope", f"k{i}") == value
            assert await store.state_list(ws, "scope") == {f"k{i}": value for i, value in enumerate(values)}
            await store.state_set(ws, "scope", "k0", {"new": 1})
            assert await store.state_get(ws, "scope", "k0") == {"new": 1}
            assert await store.state_delete(ws, "scope", "k0") is True
            assert await store.state_delete(ws, "scope", "k0") is False
            assert await store.state_get(ws, "scope", "k0") is None
            assert await store.state_get(ws, "scope2", "k0") == "elsewhere"
            assert await store.state_list(ws, "nowhere") == {}

        self.run(body)

    def test_keys_are_no_patterns_and_may_be_odd(self) -> None:
        async def body(store: Store) -> None:
            ws = unique("ws")
            keys = ["%", "_", "a%", "ab", "a_", "A", "a", "", "'", "k" * 300, "k" * 301, *ODD_TEXTS, LONG_TEXT]
            for i, key in enumerate(keys):
                await store.state_set(ws, key, key, i)
            for i, key in enumerate(keys):
                assert await store.state_get(ws, key, key) == i
                assert await store.state_list(ws, key) == {key: i}
                await store.cache_put(ws, key, {"i": i}, 10.0)
            for i, key in enumerate(keys):
                assert await store.cache_get(ws, key, 0.0) == {"i": i}
            assert await store.state_delete(ws, "%", "%") is True
            assert await store.state_get(ws, "a%", "a%") == 2

        self.run(body)

    def test_the_last_of_many_writers_wins_whole(self) -> None:
        async def body(store: Store) -> None:
            ws = unique("ws")
            values = [{"i": i, "text": f"{i}" * 50} for i in range(50)]
            await asyncio.gather(*(store.state_set(ws, "s", "k", value) for value in values))
            assert await store.state_get(ws, "s", "k") in values
            assert len(await store.state_list(ws, "s")) == 1

        self.run(body)
