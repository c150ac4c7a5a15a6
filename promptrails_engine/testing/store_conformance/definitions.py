"""What a store owes about definitions and versions."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from promptrails_engine.errors import ConflictError, NotFoundError
from promptrails_engine.ports.store import DefinitionChanges, DefinitionRow, Store
from promptrails_engine.testing.store_conformance.case import StoreCase, refused
from promptrails_engine.testing.store_conformance.rows import MOMENT, definition, unique, version


async def listed(store: Store, workspace: str, **wanted: str) -> list[str]:
    """The names that the list holds, and a check of its count."""
    rows, total = await store.list_definitions(workspace, "agent", offset=0, limit=100, **wanted)
    assert total == len(rows)
    return [row.name for row in rows]


class DefinitionPromises(StoreCase):
    """Names, slices, changes, versions and the stamp."""

    def test_a_definition_is_found_by_id_and_by_name(self) -> None:
        async def body(store: Store) -> None:
            ws = unique("ws")
            row = definition(ws, "Summaries", data={"description": "d", "deep": {"a": [1, 2.5, None, True]}})
            first = version(row)
            row = replace(row, current_version_id=first.id)
            await store.insert_definition(row, first)
            assert await store.get_definition(ws, "agent", row.id) == row
            assert await store.get_definition(ws, "agent", "Summaries") == row
            assert await store.get_version(ws, "agent", first.id) == first
            assert await store.list_versions(ws, "agent", row.id) == [first]
            for ref in ("summaries", "Summar", "", "Summaries ", "nobody"):
                assert await store.get_definition(ws, "agent", ref) is None

        self.run(body)

    def test_an_id_goes_before_a_name(self) -> None:
        async def body(store: Store) -> None:
            ws = unique("ws")
            target = definition(ws, "Target")
            namesake = definition(ws, target.id)
            await store.insert_definition(target)
            await store.insert_definition(namesake)
            assert await store.get_definition(ws, "agent", target.id) == target

        self.run(body)

    def test_a_name_is_taken_once_for_each_kind_and_workspace(self) -> None:
        async def body(store: Store) -> None:
            ws, other = unique("ws"), unique("ws")
            await store.insert_definition(definition(ws, "Same"))
            stamp = await store.definitions_stamp(ws)
            late = definition(ws, "Same")
            first = version(late)
            error = await refused(ConflictError, store.insert_definition(late, first))
            assert "Same" in error.message
            assert await store.get_definition(ws, "agent", late.id) is None
            assert await store.get_version(ws, "agent", first.id) is None
            assert await store.definitions_stamp(ws) == stamp
            await store.insert_definition(definition(ws, "Same", kind="prompt"))
            await store.insert_definition(definition(other, "Same"))
            await store.insert_definition(definition(ws, "same"))

        self.run(body)

    def test_of_many_who_want_a_name_one_gets_it(self) -> None:
        async def body(store: Store) -> None:
            ws = unique("ws")
            rows = [definition(ws, "Wanted") for _ in range(20)]
            results = await asyncio.gather(*map(store.insert_definition, rows), return_exceptions=True)
            winners = [row for row, result in zip(rows, results, strict=True) if result is None]
            assert len(winners) == 1
            assert all(isinstance(result, ConflictError) for result in results if result is not None)
            assert await store.get_definition(ws, "agent", "Wanted") == winners[0]

        self.run(body)

    def test_a_deleted_one_frees_its_name_and_is_found_by_id_only(self) -> None:
        async def body(store: Store) -> None:
            ws = unique("ws")
            old = definition(ws, "Phoenix")
            await store.insert_definition(old)
            changes = DefinitionChanges(status="deleted", updated_at=MOMENT + 1)
            gone = await store.update_definition(ws, "agent", old.id, changes)
            assert gone is not None
            assert gone.status == "deleted"
            assert await store.get_definition(ws, "agent", "Phoenix") is None
            assert await store.get_definition(ws, "agent", old.id) == gone
            new = definition(ws, "Phoenix")
            await store.insert_definition(new)
            assert await store.get_definition(ws, "agent", "Phoenix") == new
            assert await listed(store, ws) == ["Phoenix"]
            assert await listed(store, ws, status="deleted") == ["Phoenix"]
            await refused(
                ConflictError, store.update_definition(ws, "agent", old.id, DefinitionChanges(status="active"))
            )

        self.run(body)

    def test_lists_are_sliced_newest_first_and_counted_whole(self) -> None:
        async def body(store: Store) -> None:
            ws = unique("ws")
            rows = [definition(ws, f"n{i}", id=f"id{i}_{unique()}", created_at=MOMENT + i // 3) for i in range(10)]
            for row in (rows[i] for i in (3, 0, 9, 5, 1, 8, 2, 7, 4, 6)):
                await store.insert_definition(row)
            await store.insert_definition(definition(ws, "prompt", kind="prompt"))
            expected = sorted(rows, key=lambda row: (row.created_at, row.id), reverse=True)
            found: list[DefinitionRow] = []
            for offset in (0, 4, 8, 12):
                part, total = await store.list_definitions(ws, "agent", offset=offset, limit=4)
                assert total == 10
                found += part
            assert found == expected

        self.run(body)

    def test_lists_are_filtered_by_type_and_status(self) -> None:
        async def body(store: Store) -> None:
            ws = unique("ws")
            await store.insert_definition(definition(ws, "a", type="simple"))
            await store.insert_definition(definition(ws, "b", type="chain", status="archived", created_at=MOMENT + 1))
            await store.insert_definition(definition(ws, "c", type="chain", status="deleted", created_at=MOMENT + 2))
            assert await listed(store, ws) == ["b", "a"]
            assert await listed(store, ws, type="chain") == ["b"]
            assert await listed(store, ws, status="archived") == ["b"]
            assert await listed(store, ws, type="chain", status="deleted") == ["c"]
            assert await listed(store, ws, type="simple", status="deleted") == []

        self.run(body)

    def test_part_of_a_name_is_found_without_case_and_without_wildcards(self) -> None:
        async def body(store: Store) -> None:
            ws = unique("ws")
            names = ["100% sure", "a_b", "axb", "back\\slash", "STRASSE 5", "\u00c7ay Evi", "[x]", "per*cent?"]
            for i, name in enumerate(names):
                await store.insert_definition(definition(ws, name, created_at=MOMENT - i))
            for part, expected in {
                "%": ["100% sure"],
                "0% S": ["100% sure"],
                "_": ["a_b"],
                "A_B": ["a_b"],
                "\\": ["back\\slash"],
                "stra\u00dfe": ["STRASSE 5"],
                "\u00e7AY": ["\u00c7ay Evi"],
                "[x]": ["[x]"],
                "*": ["per*cent?"],
                "s_r": [],
                "": names,
                "x" * 100_000: [],
            }.items():
                assert await listed(store, ws, name=part) == expected, part

        self.run(body)

    def test_an_update_changes_what_it_names(self) -> None:
        async def body(store: Store) -> None:
            ws = unique("ws")
            row = definition(ws, "Old", current="version_1")
            await store.insert_definition(row)
            steps = [
                (DefinitionChanges(name="New", updated_at=MOMENT + 1), {"name": "New"}),
                (DefinitionChanges(status="archived", updated_at=MOMENT + 2), {"status": "archived"}),
                (DefinitionChanges(data={"other": 1}, updated_at=MOMENT + 3), {"data": {"other": 1}}),
                (DefinitionChanges(current_version_id="v2", updated_at=MOMENT + 4), {"current_version_id": "v2"}),
            ]
            for changes, values in steps:
                row = replace(row, **values, updated_at=changes.updated_at)  # type: ignore[arg-type]  # fields by name
                assert await store.update_definition(ws, "agent", row.id, changes) == row
                assert await store.get_definition(ws, "agent", row.id) == row
            assert await store.get_definition(ws, "agent", "Old") is None
            assert await store.update_definition(ws, "agent", "nobody", DefinitionChanges(name="X")) is None
            assert await store.update_definition(ws, "prompt", row.id, DefinitionChanges(name="X")) is None

        self.run(body)

    def test_a_rename_to_a_taken_name_changes_nothing(self) -> None:
        async def body(store: Store) -> None:
            ws = unique("ws")
            one, two = definition(ws, "One"), definition(ws, "Two")
            await store.insert_definition(one)
            await store.insert_definition(two)
            await refused(ConflictError, store.update_definition(ws, "agent", two.id, DefinitionChanges(name="One")))
            assert await store.get_definition(ws, "agent", "Two") == two
            same = await store.update_definition(ws, "agent", two.id, DefinitionChanges(name="Two"))
            assert same is not None
            assert same.name == "Two"
            await store.update_definition(ws, "agent", one.id, DefinitionChanges(name="Uno"))
            moved = await store.update_definition(ws, "agent", two.id, DefinitionChanges(name="One"))
            assert moved is not None
            assert moved.name == "One"

        self.run(body)

    def test_versions_come_back_in_reverse_order_of_insertion(self) -> None:
        async def body(store: Store) -> None:
            ws = unique("ws")
            row = definition(ws)
            await store.insert_definition(row)
            made = [version(row, f"v{i}", created_at=MOMENT - i) for i in range(5)]
            for one in made:
                await store.insert_version(one, make_current=False)
            assert await store.list_versions(ws, "agent", row.id) == made[::-1]
            assert await store.list_versions(ws, "agent", "nobody") == []
            assert (await store.get_definition(ws, "agent", row.id)) == row

        self.run(body)

    def test_a_version_is_made_current_with_its_insertion(self) -> None:
        async def body(store: Store) -> None:
            ws = unique("ws")
            row = definition(ws)
            await store.insert_definition(row)
            first, second = version(row, "1"), version(row, "2")
            await store.insert_version(first, make_current=True)
            await store.insert_version(second, make_current=False)
            found = await store.get_definition(ws, "agent", row.id)
            assert found is not None
            assert found.current_version_id == first.id

        self.run(body)

    def test_a_label_is_taken_once_in_a_definition(self) -> None:
        async def body(store: Store) -> None:
            ws = unique("ws")
            row, other = definition(ws, "One"), definition(ws, "Two")
            await store.insert_definition(row, version(row, "1.0.0"))
            await store.insert_definition(other)
            stamp = await store.definitions_stamp(ws)
            error = await refused(ConflictError, store.insert_version(version(row, "1.0.0"), make_current=True))
            assert "1.0.0" in error.message
            assert await store.definitions_stamp(ws) == stamp
            found = await store.get_definition(ws, "agent", row.id)
            assert found is not None
            assert found.current_version_id is None
            await store.insert_version(version(other, "1.0.0"), make_current=False)
            await refused(NotFoundError, store.insert_version(version(definition(ws, "Ghost")), make_current=False))

        self.run(body)

    def test_a_version_after_another_needs_that_to_be_current(self) -> None:
        async def body(store: Store) -> None:
            ws = unique("ws")
            row = definition(ws)
            await store.insert_definition(row)
            first, second, late, lost = (version(row, label) for label in ("1", "2", "late", "lost"))
            await refused(ConflictError, store.insert_version(late, make_current=True, after=first.id))
            await store.insert_version(first, make_current=True)
            stamp = await store.definitions_stamp(ws)
            await refused(ConflictError, store.insert_version(late, make_current=True, after=second.id))
            assert await store.definitions_stamp(ws) == stamp
            await store.insert_version(second, make_current=True, after=first.id)
            await refused(ConflictError, store.insert_version(lost, make_current=True, after=first.id))
            found = await store.get_definition(ws, "agent", row.id)
            assert found is not None
            assert found.current_version_id == second.id
            assert await store.list_versions(ws, "agent", row.id) == [second, first]

        self.run(body)

    def test_of_many_versions_after_the_same_one_is_added(self) -> None:
        async def body(store: Store) -> None:
            ws = unique("ws")
            row = definition(ws)
            first = version(row, "first")
            await store.insert_definition(row)
            await store.insert_version(first, make_current=True)
            made = [version(row, f"v{i}") for i in range(20)]
            told = await asyncio.gather(
                *(store.insert_version(one, make_current=True, after=first.id) for one in made), return_exceptions=True
            )
            added = [one for one, error in zip(made, told, strict=True) if error is None]
            assert len(added) == 1
            assert all(isinstance(error, ConflictError) for error in told if error is not None)
            assert await store.list_versions(ws, "agent", row.id) == [added[0], first]

        self.run(body)

    def test_concurrent_versions_all_find_a_place(self) -> None:
        async def body(store: Store) -> None:
            ws = unique("ws")
            row = definition(ws)
            await store.insert_definition(row)
            made = [version(row, f"v{i}") for i in range(20)]
            await asyncio.gather(*(store.insert_version(one, make_current=True) for one in made))
            found = await store.list_versions(ws, "agent", row.id)
            assert sorted(one.version for one in found) == sorted(one.version for one in made)
            definition_now = await store.get_definition(ws, "agent", row.id)
            assert definition_now is not None
            assert definition_now.current_version_id == found[0].id

        self.run(body)

    def test_the_stamp_grows_with_every_change_and_only_then(self) -> None:
        async def body(store: Store) -> None:
            ws, other = unique("ws"), unique("ws")
            row = definition(ws)
            untouched = await store.definitions_stamp(other)
            stamps = [await store.definitions_stamp(ws)]
            await store.insert_definition(row)
            stamps.append(await store.definitions_stamp(ws))
            await store.insert_version(version(row), make_current=False)
            stamps.append(await store.definitions_stamp(ws))
            await store.update_definition(ws, "agent", row.id, DefinitionChanges(name="Other"))
            stamps.append(await store.definitions_stamp(ws))
            assert stamps == sorted(set(stamps))
            await store.update_definition(ws, "agent", "nobody", DefinitionChanges(name="X"))
            await store.get_definition(ws, "agent", row.id)
            assert await store.definitions_stamp(ws) == stamps[-1]
            assert await store.definitions_stamp(other) == untouched

        self.run(body)

    def test_what_is_handed_out_is_the_readers_own(self) -> None:
        async def body(store: Store) -> None:
            ws = unique("ws")
            row = definition(ws, data={"labels": ["a"]})
            first = version(row, data={"deep": {"list": [1]}})
            await store.insert_definition(row, first)
            row.data["labels"].append("mine")
            first.data["deep"]["list"].append(2)
            for _ in range(2):
                found = await store.get_definition(ws, "agent", row.id)
                made = await store.get_version(ws, "agent", first.id)
                assert found is not None
                assert made is not None
                assert found.data == {"labels": ["a"]}
                assert made.data == {"deep": {"list": [1]}}
                found.data["labels"].append("reader's")
                found.name = "changed"
                made.data["deep"]["list"].append(3)

        self.run(body)
