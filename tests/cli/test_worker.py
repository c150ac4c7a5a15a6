"""`worker` and `run --background`: runs that one process queues and another one does, until it is told to stop."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.cli.conftest import Ended
from tests.cli.queue import Shop, Worker, tally, until
from tests.warm.python import Child

Cli = Callable[..., Ended]
Start = Callable[..., Worker]

pytestmark = pytest.mark.skipif(os.name == "nt", reason="signals")


@pytest.fixture
def shop(launch: Callable[..., Child], tmp_path: Path) -> Shop:
    return Shop(tmp_path / "here")


@pytest.fixture
def start(launch: Callable[..., Child], shop: Shop) -> Iterator[Start]:
    """Starts a worker on the shop's store; none outlives the test."""
    with ExitStack() as stack:

        def begin(*options: object) -> Worker:
            process = stack.enter_context(launch("worker", "--store", shop.path, "--tools", shop.tools, *options))
            stack.callback(process.kill)
            return Worker(process)

        yield begin


def test_it_runs_what_is_queued_and_ends_when_there_is_nothing_more(start: Start, shop: Shop) -> None:
    good = shop.queue("echo", "Ada", "Bo")
    bad = shop.queue("broken", "Cy")
    worker = start("--until-idle", "--concurrency", 2)
    code, last = worker.ended()
    assert (code, tally(last)) == (0, {"completed": 2, "failed": 1})
    assert [shop.get(one).text for one in good] == ["Good Ada", "Good Bo"]
    assert shop.get(bad[0]).error_code == "context_overflow"


def test_it_says_where_it_works_and_under_which_name(start: Start, shop: Shop) -> None:
    worker = start("--until-idle", "--concurrency", 3)
    assert f"store {shop.path}, workspace default, 3 at once, owner " in worker.started
    assert f":{worker.process.pid}:" in worker.started
    assert worker.ended() == (0, "worker ended: no runs")


def test_a_queued_run_is_taken_up_while_it_waits_for_work(start: Start, shop: Shop) -> None:
    worker = start()
    (execution_id,) = shop.queue("echo", "Ada")
    assert shop.becomes(execution_id, "completed").text == "Good Ada"
    worker.signal(signal.SIGTERM)
    code, last = worker.ended()
    assert (code, tally(last)) == (0, {"completed": 1})


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_when_told_to_stop_it_lets_runs_reach_their_next_step(start: Start, shop: Shop, number: int) -> None:
    shop.hold()
    (execution_id,) = shop.queue("clerk", "Ada")
    worker = start("--grace", 60)
    until(lambda: shop.calls, bool)
    worker.signal(number)
    later = shop.queue("echo", "Bo")
    shop.go_on()
    code, last = worker.ended()
    assert code == 0
    assert tally(last).get("let go") == 1
    assert (shop.get(execution_id).status, len(shop.calls)) == ("pending", 1)
    code, last = start("--until-idle").ended()
    assert (code, len(shop.calls)) == (0, 1)
    assert [shop.get(one).status for one in (execution_id, *later)] == ["completed"] * 2


def test_what_does_not_stop_within_the_grace_time_is_let_go(start: Start, shop: Shop) -> None:
    (execution_id,) = shop.queue("stuck", "a jacket")
    worker = start("--grace", 0)
    shop.becomes(execution_id, "running")
    worker.signal(signal.SIGTERM)
    code, last = worker.ended()
    assert (code, tally(last)) == (0, {"let go": 1})
    assert shop.get(execution_id).status == "pending"


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_second_signal_ends_it_at_once(start: Start, shop: Shop, number: int, code: int) -> None:
    shop.hold()
    (execution_id,) = shop.queue("clerk", "Ada")
    worker = start("--grace", 600)
    until(lambda: shop.calls, bool)
    assert worker.signal_until_it_ends(number) == code
    assert shop.get(execution_id).status == "running"


def test_what_a_dead_worker_leaves_is_taken_over_and_an_effect_without_an_answer_is_in_doubt(
    start: Start, shop: Shop, shell: Cli
) -> None:
    shop.hold()
    (execution_id,) = shop.queue("clerk", "Ada")
    first = start("--lease", 1)
    until(lambda: shop.calls, bool)
    first.kill()
    shop.go_on()
    second = start()
    shop.becomes(execution_id, "in_doubt")
    second.signal(signal.SIGTERM)
    code, last = second.ended()
    assert (code, tally(last)) == (0, {"in doubt": 1})
    assert len(shop.calls) == 1


def test_a_run_that_needs_what_is_not_here_is_left_to_others(start: Start, shop: Shop) -> None:
    (execution_id,) = shop.queue("clerk", "Ada")
    other = shop.tools.with_name("other_tools.py")
    other.write_text(shop.tools.read_text(encoding="utf-8").replace("def record", "def recall"), encoding="utf-8")
    shop.tools.write_bytes(other.read_bytes())
    worker = start("--until-idle")
    _, err = worker.process.communicate(timeout=60)
    assert worker.process.returncode == 0
    assert f"execution {execution_id} cannot be run here, and is left to others" in err
    assert "worker ended: no runs" in err
    assert shop.get(execution_id).status == "pending"


def test_a_worker_sees_one_workspace(start: Start, shop: Shop) -> None:
    tenant = Shop(shop.folder, workspace="tenant")
    (mine,), (theirs,) = shop.queue("echo", "Ada"), tenant.queue("echo", "Bo")
    worker = start("--until-idle", "--workspace", "tenant")
    assert "workspace tenant" in worker.started
    assert worker.ended()[0] == 0
    assert (shop.get(mine).status, tenant.get(theirs).status) == ("pending", "completed")


def test_a_run_that_waits_for_approval_goes_on_once_it_is_decided_elsewhere(
    start: Start, shop: Shop, shell: Cli
) -> None:
    (execution_id,) = shop.queue("careful", "Ada")
    worker = start()
    shop.becomes(execution_id, "awaiting_approval")
    with shop.engine() as engine:
        (request,) = engine.approvals.list(status="pending")
        engine.approvals.decide(request.id, "approved", resume=False)
    assert shop.becomes(execution_id, "completed").text == "Good Ada"
    worker.signal(signal.SIGTERM)
    assert tally(worker.ended()[1]) == {"waiting for approval": 1, "completed": 1}


def test_a_run_in_the_background_is_queued_and_named(shell: Cli, shop: Shop, definitions: Path) -> None:
    queued = shell("run", "echo", "--store", shop.path, "-i", '{"text": "Ada"}', "--background")
    assert queued.code == 0
    execution_id = queued.out.strip()
    assert shop.get(execution_id).status == "pending"
    as_json = shell("run", "echo", "--store", shop.path, "-i", '{"text": "Bo"}', "--background", "-o", "json")
    assert '"status":"pending"' in as_json.out.replace(" ", "")
    assert as_json.code == 0


@pytest.mark.parametrize("options", [("--from", "."), ("--store", "shop.db", "--stream")])
def test_only_a_store_that_stays_has_a_queue(cli: Cli, options: tuple[str, ...]) -> None:
    ended = cli("run", "echo", "--background", *options)
    assert (ended.code, ended.out) == (2, "")
    assert "--background" in ended.err


@pytest.mark.parametrize("store", [":memory:", "sqlite://", "memory"])
def test_a_store_in_memory_is_refused(cli: Cli, store: str) -> None:
    ended = cli("worker", "--store", store)
    assert (ended.code, ended.out) == (2, "")
    assert "memory belongs to one process" in ended.err
