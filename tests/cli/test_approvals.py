"""`approvals`: what runs wait for, and deciding it from a shell."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

import pytest

from promptrails_engine import Engine
from promptrails_engine.ports.journal import ApprovalRow
from promptrails_engine.ports.store import Store
from promptrails_engine.store import open_store
from tests.cli.conftest import Ended
from tests.engine.approval_kit import MOMENT, park, request, root_status

Cli = Callable[..., Ended]
T = TypeVar("T")


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """A store without requests."""
    path = tmp_path / "app.db"
    with Engine(str(path)):
        return path


async def in_store(path: Path, work: Callable[[Store], Awaitable[T]]) -> T:
    store = open_store(str(path))
    await store.open()
    try:
        return await work(store)
    finally:
        await store.close()


def parked(path: Path, request: ApprovalRow) -> ApprovalRow:
    """The request, in the store."""
    [row] = asyncio.run(in_store(path, lambda store: park(store, "", request)))
    return row


def status_of_run(path: Path, row: ApprovalRow) -> str:
    return asyncio.run(in_store(path, lambda store: root_status(store, row)))


def test_list_is_newest_first_in_plain_lines(cli: Cli, store: Path) -> None:
    old, new = request(created_at=MOMENT, expires_at=4e9), request(created_at=MOMENT + 1)
    new.payload, new.checkpoint_name = {"text": "\x1b[2J" + "x" * 200}, "a\tb"
    parked(store, old)
    parked(store, new)
    ended = cli("approvals", "list", "--store", store)
    assert ended.code == 0
    head, *rows = [line.split("\t") for line in ended.out.splitlines()]
    shown = [dict(zip(head, row, strict=True)) for row in rows]
    assert [row["id"] for row in shown] == [new.id, old.id]
    assert [row["status"] for row in shown] == ["pending", "pending"]
    assert [row["checkpoint"] for row in shown] == ["a b", "look"]
    assert [row["expires"] for row in shown] == ["", "2096-10-02T07:06:40"]
    assert "\x1b" not in ended.out
    assert shown[0]["payload"].endswith("...")


def test_list_filters(cli: Cli, store: Path) -> None:
    first = parked(store, request())
    second = parked(store, request(created_at=MOMENT + 1))
    cli("approvals", "decide", first.id, "rejected", "--store", store)

    def ids(*options: str) -> list[str]:
        out = cli("approvals", "list", "--store", store, "-o", "json", *options).out
        return [found["id"] for found in json.loads(out)]

    assert ids() == [second.id, first.id]
    assert ids("--status", "pending") == [second.id]
    assert ids("--status", "rejected") == [first.id]
    assert ids("--execution", first.root_execution_id) == [first.id]
    assert ids("--limit", "1") == [second.id]


def test_get_shows_what_is_to_be_approved(cli: Cli, store: Path) -> None:
    row = parked(store, request())
    pairs = dict(line.split("\t") for line in cli("approvals", "get", row.id, "--store", store).out.splitlines())
    assert (pairs["id"], pairs["status"], pairs["step"]) == (row.id, "pending", "output")
    assert json.loads(pairs["payload"]) == row.payload
    assert not {"expires", "by", "reason"} & set(pairs)
    data = json.loads(cli("approvals", "get", row.id, "--store", store, "-o", "json").out)
    assert (data["id"], data["payload"]) == (row.id, row.payload)


def test_decide_keeps_who_and_why_and_frees_the_run(cli: Cli, store: Path) -> None:
    row = parked(store, request())
    decide = ("approvals", "decide", row.id, "approved", "--store", store, "--by", "ann", "--reason", "looks right")
    ended = cli(*decide, "-o", "json")
    data = json.loads(ended.out)
    assert (data["status"], data["decided_by"], data["reason"]) == ("approved", "ann", "looks right")
    assert ended.err == f"run {row.root_execution_id} goes on where the runs of this store are taken up\n"
    assert status_of_run(store, row) == "pending"
    again = cli(*decide)
    assert (again.code, again.out) == (2, "")
    assert again.err.startswith("error [already_decided]")
    assert "by 'ann'" in again.err


def test_there_are_two_decisions(cli: Cli, store: Path) -> None:
    row = parked(store, request())
    ended = cli("approvals", "decide", row.id, "maybe", "--store", store)
    assert (ended.code, ended.out) == (2, "")
    assert "approved" in ended.err
    assert status_of_run(store, row) == "awaiting_approval"


@pytest.mark.parametrize("arguments", [("get", "no-such-id"), ("decide", "no-such-id", "approved")])
def test_an_unknown_id_is_two(cli: Cli, store: Path, arguments: tuple[str, ...]) -> None:
    ended = cli("approvals", *arguments, "--store", store)
    assert (ended.code, ended.out) == (2, "")
    assert ended.err.startswith("error [not_found]")


@pytest.mark.parametrize("arguments", [("list",), ("get", "x"), ("decide", "x", "approved")])
def test_a_store_that_is_not_there_is_two_and_not_made(cli: Cli, tmp_path: Path, arguments: tuple[str, ...]) -> None:
    path = tmp_path / "nowhere.db"
    ended = cli("approvals", *arguments, "--store", path)
    assert (ended.code, ended.out) == (2, "")
    assert not path.exists()
