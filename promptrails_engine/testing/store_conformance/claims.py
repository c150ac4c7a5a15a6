"""What a store owes about who runs what: leases and claims."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import replace
from time import time

from promptrails_engine.ports.journal import Claims
from promptrails_engine.ports.store import ExecutionRow, Store
from promptrails_engine.testing.store_conformance.case import StoreCase
from promptrails_engine.testing.store_conformance.journal import begun
from promptrails_engine.testing.store_conformance.rows import (
    MOMENT,
    approval,
    ended,
    events,
    execution,
    owned,
    unique,
)
from promptrails_engine.testing.store_conformance.trees import family


def waiting(workspace: str, agent: str = "agent_1", created_at: float = MOMENT) -> ExecutionRow:
    """An execution that waits for somebody to run it."""
    row = owned(execution(workspace, agent=agent, created_at=created_at), None, "pending")
    return replace(row, started_at=None)


def ids(claims: Claims) -> list[str]:
    """Of the executions, in the order in which they were given."""
    return [row.id for row in claims.rows]


async def tree_of(store: Store, workspace: str, owner: str) -> tuple[ExecutionRow, ...]:
    """A root, its two children, and a child of the first; all running."""
    root, one, two, deep, _ = (owned(row, owner) for row in family(workspace))
    for row in (root, one, two, deep):
        await store.begin_execution(row, wait=True)
    return root, one, two, deep


class ClaimPromises(StoreCase):
    """Leases and claims."""

    def test_what_waits_is_claimed_by_one_who_then_owns_it(self) -> None:
        async def body(store: Store) -> None:
            ws = unique("ws")
            row = await begun(store, waiting(ws))
            again = await begun(store, replace(waiting(ws, created_at=MOMENT + 1), started_at=MOMENT + 2))
            await store.begin_execution(execution(ws), wait=True)
            before = time()
            claims = await store.claim_executions(ws, "p1", limit=9, lapsed=True)
            first, second = claims.rows
            assert claims.lapsed == frozenset()
            assert first.started_at is not None
            assert before - 5 < first.started_at < time() + 5
            assert first == replace(owned(row, "p1"), started_at=first.started_at)
            assert second == owned(again, "p1")
            assert await store.get_execution(ws, row.id) == first
            assert (await store.claim_executions(ws, "p2", limit=9, lapsed=False)).rows == []
            await store.finish_execution(ended(first), (), events(first, "x"))
            assert await store.get_execution(ws, row.id) == ended(first)

        self.run(body)

    def test_no_execution_goes_to_two(self) -> None:
        async def body(store: Store) -> None:
            async with self.beside(store) as other:
                ws = unique("ws")
                rows = [waiting(ws, f"agent_{n % 5}", MOMENT + n) for n in range(60)]
                for row in rows:
                    await store.begin_execution(row, wait=False)
                assert (await store.get_execution(ws, rows[-1].id)) is not None

                async def claimer(which: Store, name: str) -> list[str]:
                    mine: list[str] = []
                    while len(found := ids(await which.claim_executions(ws, name, limit=4, lapsed=True))):
                        mine += found
                    return mine

                names = [unique("p") for _ in range(8)]
                for name in names:
                    await store.renew_lease(name, 600.0)
                taken = await asyncio.gather(*(claimer((store, other)[n % 2], name) for n, name in enumerate(names)))
                # One who found all others locked may have left some.
                taken.append(ids(await store.claim_executions(ws, "late", limit=99, lapsed=False)))
                assert Counter(one for part in taken for one in part) == Counter(row.id for row in rows)
                for name, part in zip([*names, "late"], taken, strict=True):
                    for one in part:
                        found = await other.get_execution(ws, one)
                        assert found is not None
                        assert found.owner == name

        self.run(body)

    def test_agents_take_turns_the_oldest_first(self) -> None:
        async def body(store: Store) -> None:
            ws, other = unique("ws"), unique("ws")
            busy = [waiting(ws, "busy", MOMENT + n) for n in range(9)]
            calm = [waiting(ws, "calm", MOMENT + 20 + n) for n in range(3)]
            late = [waiting(ws, "late", MOMENT + 40)]
            for row in (*reversed(busy), *late, *reversed(calm), waiting(other, "calm")):
                await store.begin_execution(row, wait=True)
            assert (await store.claim_executions(ws, "p1", limit=0, lapsed=False)).rows == []
            first = ids(await store.claim_executions(ws, "p1", limit=2, lapsed=False))
            assert first == [busy[0].id, calm[0].id]
            second = ids(await store.claim_executions(ws, "p1", limit=5, lapsed=False))
            assert second == [row.id for row in (busy[1], calm[1], late[0], busy[2], calm[2])]
            third = ids(await store.claim_executions(ws, "p1", limit=2, lapsed=False))
            assert third == [busy[3].id, busy[4].id]
            rest = ids(await store.claim_executions(ws, "p1", limit=99, lapsed=False))
            assert rest == [row.id for row in busy[5:]]

        self.run(body)

    def test_agents_take_turns_where_one_is_claimed_at_a_time(self) -> None:
        async def body(store: Store) -> None:
            ws, heir = unique("ws"), unique("p")
            await store.renew_lease(heir, 600.0)
            agents = ["busy", "calm\x00", "late"]
            queues = {
                "busy": [await begun(store, waiting(ws, "busy", MOMENT + n)) for n in range(12)],
                "calm\x00": [
                    await begun(store, owned(execution(ws, agent="calm\x00", created_at=MOMENT + 20 + n), "gone"))
                    for n in range(3)
                ],
                "late": [
                    await begun(store, owned(execution(ws, agent="late", created_at=MOMENT + 40), "gone")),
                    await begun(store, waiting(ws, "late", MOMENT + 41)),
                    await begun(store, owned(execution(ws, agent="late", created_at=MOMENT + 42), "gone")),
                ],
            }
            order = [queues[agent][place] for place in range(3) for agent in agents] + queues["busy"][3:]
            dead = [one.id for queue in queues.values() for one in queue if one.owner == "gone"]
            served: list[str] = []
            for row in order:
                found = await store.claim_executions(ws, heir, limit=1, lapsed=True, served=served)
                assert (ids(found), found.lapsed) == ([row.id], frozenset({row.id}) & {*dead})
                served = [*(agent for agent in served if agent != row.agent_id), row.agent_id]
            assert await store.claim_executions(ws, heir, limit=1, lapsed=True, served=served) == Claims()

        self.run(body)

    def test_agents_that_were_served_come_later_within_a_turn(self) -> None:
        async def body(store: Store) -> None:
            ws = unique("ws")
            agents = ["a", "b", "c", "d"]
            first, second = [
                {agent: await begun(store, waiting(ws, agent, MOMENT + n + turn)) for n, agent in enumerate(agents)}
                for turn in (0, 10)
            ]
            found = await store.claim_executions(ws, "p1", limit=5, lapsed=True, served=["nobody", "c", "a"])
            assert ids(found) == [*(first[agent].id for agent in "bdca"), second["b"].id]
            found = await store.claim_executions(ws, "p1", limit=9, lapsed=False, served=["d", "c", "a", "b"])
            assert ids(found) == [second[agent].id for agent in "dca"]

        self.run(body)

    def test_those_of_the_dead_take_their_turn_among_the_others(self) -> None:
        async def body(store: Store) -> None:
            ws = unique("ws")
            dead = [await begun(store, owned(execution(ws, agent="a", created_at=MOMENT + n), "gone")) for n in (1, 3)]
            rows = [await begun(store, waiting(ws, "a", MOMENT + n)) for n in (2, 4)]
            rows.append(await begun(store, waiting(ws, "b", MOMENT + 9)))
            heir = unique("p")
            await store.renew_lease(heir, 600.0)
            found = await store.claim_executions(ws, heir, limit=3, lapsed=True)
            assert ids(found) == [dead[0].id, rows[2].id, rows[0].id]
            assert found.lapsed == frozenset({dead[0].id})
            found = await store.claim_executions(ws, heir, limit=3, lapsed=True)
            assert (ids(found), found.lapsed) == ([dead[1].id, rows[1].id], frozenset({dead[1].id}))

        self.run(body)

    def test_one_may_be_asked_for(self) -> None:
        async def body(store: Store) -> None:
            ws = unique("ws")
            first, second = await begun(store, waiting(ws)), await begun(store, waiting(ws, created_at=MOMENT + 1))
            child = replace(waiting(ws), parent_execution_id=first.id, root_execution_id=first.id)
            await store.begin_execution(child, wait=True)
            for wrong in ("nobody", "", "%", child.id):
                found = await store.claim_executions(ws, "p1", limit=9, lapsed=True, execution_id=wrong)
                assert found == Claims()
            for stranger in (unique("ws"), ""):
                found = await store.claim_executions(stranger, "p1", limit=9, lapsed=True, execution_id=second.id)
                assert found == Claims()
                assert await store.claim_executions(stranger, "p1", limit=9, lapsed=True) == Claims()
            found = await store.claim_executions(ws, "p1", limit=1, lapsed=False, execution_id=second.id)
            assert ids(found) == [second.id]
            found = await store.claim_executions(ws, "p2", limit=1, lapsed=False, execution_id=second.id)
            assert found == Claims()
            assert ids(await store.claim_executions(ws, "p1", limit=9, lapsed=False)) == [first.id, child.id]

        self.run(body)

    def test_a_lease_holds_until_it_lapses(self) -> None:
        async def body(store: Store) -> None:
            async with self.beside(store) as other:
                ws, alive, dead, never = unique("ws"), unique("p"), unique("p"), unique("p")
                rows = {owner: await begun(store, owned(execution(ws), owner)) for owner in (alive, dead, never, None)}
                await store.renew_lease(alive, 0.0)
                await store.renew_lease(alive, 600.0)
                await store.renew_lease(dead, 600.0)
                assert (await other.claim_executions(ws, "p2", limit=9, lapsed=False)).rows == []
                found = await other.claim_executions(ws, "p2", limit=9, lapsed=True)
                assert (ids(found), found.lapsed) == ([rows[never].id], frozenset({rows[never].id}))
                assert found.rows == [replace(owned(rows[never], "p2"), attempt=1)]
                await store.end_lease(dead)
                await store.end_lease(unique("p"))
                wanted = rows[dead].id
                assert await other.claim_executions(ws, "p2", limit=9, lapsed=False, execution_id=wanted) == Claims()
                found = await other.claim_executions(ws, "p2", limit=9, lapsed=True, execution_id=wanted)
                assert (ids(found), found.lapsed) == ([wanted], frozenset({wanted}))
                await store.end_lease("p2")
                found = await store.claim_executions(ws, "p3", limit=9, lapsed=True)
                assert sorted((row.id, row.attempt) for row in found.rows) == sorted(
                    (rows[owner].id, 2) for owner in (dead, never)
                )
                for owner in (alive, None):
                    assert await store.get_execution(ws, rows[owner].id) == rows[owner]
                await store.end_lease("p3")

        self.run(body)

    def test_a_tree_is_claimed_whole(self) -> None:
        async def body(store: Store) -> None:
            ws, owner = unique("ws"), unique("p")
            root, one, two, deep = await tree_of(store, ws, owner)
            await store.finish_execution(ended(two), (), ())
            claims = await store.claim_executions(ws, "p2", limit=1, lapsed=True)
            taken = [replace(owned(row, "p2"), attempt=1) for row in (root, one, deep)]
            assert claims == Claims(taken, frozenset(row.id for row in taken))
            assert await store.get_execution(ws, two.id) == ended(two)
            for row in reversed(taken):
                status = await store.suspend_execution(owned(row, "p2", "pending"), (), (), ())
                assert status == "pending"
            again = await store.claim_executions(ws, "p3", limit=1, lapsed=True)
            assert again == Claims([owned(row, "p3") for row in taken], frozenset())

        self.run(body)

    def test_what_waits_below_a_dead_root_was_nobodys(self) -> None:
        async def body(store: Store) -> None:
            ws, owner = unique("ws"), unique("p")
            root, one, two, deep = await tree_of(store, ws, owner)
            await store.suspend_execution(owned(deep, owner, "awaiting_approval"), (), (), (), [approval(deep)])
            await store.suspend_execution(owned(one, owner, "awaiting_approval"), (), (), ())
            claims = await store.claim_executions(ws, "p2", limit=1, lapsed=True)
            assert claims.lapsed == {root.id, two.id}
            assert {row.id: (row.owner, row.status, row.attempt) for row in claims.rows} == {
                root.id: ("p2", "running", 1),
                two.id: ("p2", "running", 1),
                one.id: ("p2", "running", 0),
                deep.id: ("p2", "running", 0),
            }

        self.run(body)

    def test_owners_attempts_and_limits_are_settled_when_it_begins_and_is_claimed(self) -> None:
        async def body(store: Store) -> None:
            ws = unique("ws")
            limits = {"timeout_s": 1.5, "max_cost": None, "\ud800": ["\x00"]}
            for wait in (True, False):
                row = replace(execution(ws), owner="p\ud800\x00", attempt=3, cancel_requested_at=MOMENT, limits=limits)
                await store.begin_execution(row, wait=wait)
                assert await store.get_execution(ws, row.id) == row
                other = replace(ended(row), attempt=9, cancel_requested_at=None, limits=None)
                await store.finish_execution(other, (), ())
                assert await store.get_execution(ws, row.id) == ended(row)
            whole = replace(row, id=unique())
            await store.finish_execution(ended(whole), (), ())
            assert await store.get_execution(ws, whole.id) == ended(whole)

        self.run(body)
