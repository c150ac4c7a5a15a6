"""`recover`, and `executions resume`, `doubts`, `resolve` and `cancel`: runs that stopped, or are to."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Ended
from tests.cli.queue import Shop, Worker, until
from tests.warm.python import Child

Cli = Callable[..., Ended]
Launch = Callable[..., Child]

pytestmark = pytest.mark.skipif(os.name == "nt", reason="signals")


@pytest.fixture
def shop(launch: Launch, tmp_path: Path) -> Shop:
    return Shop(tmp_path / "here")


def killed(launch: Launch, shop: Shop, *, lease_s: float = 30) -> str:
    """A run whose worker died in the middle of an effect."""
    shop.hold()
    (execution_id,) = shop.queue("clerk", "Ada")
    with launch("worker", "--store", shop.path, "--tools", shop.tools, "--lease", lease_s) as process:
        worker = Worker(process)
        until(lambda: shop.calls, bool)
        worker.kill()
    shop.go_on()
    return execution_id


def in_doubt(launch: Launch, shop: Shop, shell: Cli) -> tuple[str, str]:
    """A run that is in doubt, and the step of which it is."""
    execution_id = killed(launch, shop, lease_s=1)
    recovered(shell, shop)
    (doubt,) = json.loads(shell("executions", "doubts", execution_id, "--store", shop.path, "-o", "json").out)
    return execution_id, doubt["step"]


def recovered(shell: Cli, shop: Shop, *options: object) -> Ended:
    """What `recover` said when it found something: leases of the dead have to lapse first."""

    def recover() -> Ended:
        return shell("recover", "--store", shop.path, "--tools", shop.tools, *options)

    return until(recover, lambda ended: "running elsewhere" not in ended.err)


def pairs(ended: Ended) -> dict[str, str]:
    return dict(line.split("\t", 1) for line in ended.out.splitlines())


def shows(shop: Shop, execution_id: str) -> tuple[str, int]:
    return shop.get(execution_id).status, len(shop.calls)


# ------------------------------------------------------------------ recover


def test_an_effect_without_an_answer_is_not_repeated_but_asked_about(launch: Launch, shop: Shop, shell: Cli) -> None:
    execution_id = killed(launch, shop, lease_s=1)
    ended = recovered(shell, shop)
    assert ended.code == 4
    assert [line.split("\t") for line in ended.out.splitlines()][1][:3] == [execution_id, "in doubt", "in_doubt"]
    assert shows(shop, execution_id) == ("in_doubt", 1)


def test_recover_says_that_a_process_is_not_known_to_be_dead_yet(launch: Launch, shop: Shop, shell: Cli) -> None:
    execution_id = killed(launch, shop)
    ended = shell("recover", "--store", shop.path, "--tools", shop.tools)
    assert (ended.code, ended.out) == (0, "id\trecovered\tstatus\tanswer\n")
    assert "running elsewhere: 1;" in ended.err
    assert shop.get(execution_id).status == "running"


def test_recover_goes_on_with_what_was_let_go_and_says_how_it_ended(shop: Shop, shell: Cli) -> None:
    (good,), (bad,) = shop.queue("echo", "Ada"), shop.queue("broken", "Bo")
    ended = shell("recover", "--store", shop.path, "--tools", shop.tools, "-o", "json")
    assert ended.code == 3
    found: dict[str, Any] = json.loads(ended.out)
    assert {run["id"]: run["status"] for run in found["resumed"]} == {good: "completed", bad: "failed"}
    assert found["in_doubt"] == found["ended"] == []


# ------------------------------------------------------------------ doubts, resolve


@pytest.mark.parametrize(
    ("answer", "calls", "text"),
    [
        (("--retry",), 2, "Good Good recorded"),
        (("--value", '"recorded before"'), 1, "Good Good recorded before"),
        (("--fail", "--reason", "the printer burned"), 1, 'Good Good {"error":"the printer burned"}'),
    ],
)
def test_a_doubt_is_resolved_and_the_run_goes_on(
    launch: Launch, shop: Shop, shell: Cli, answer: tuple[str, ...], calls: int, text: str
) -> None:
    execution_id, step = in_doubt(launch, shop, shell)
    ended = shell("executions", "resolve", execution_id, step, *answer, "--store", shop.path, "--tools", shop.tools)
    assert (ended.code, pairs(ended)["status"], pairs(ended)["answer"]) == (0, "completed", text)
    assert shows(shop, execution_id) == ("completed", calls)
    assert len(set(shop.calls)) == 1  # a call that is made again has the same idempotency key


def test_a_resolved_run_may_be_left_to_a_worker(launch: Launch, shop: Shop, shell: Cli) -> None:
    execution_id, step = in_doubt(launch, shop, shell)
    ended = shell("executions", "resolve", execution_id, step, "--value", "1", "--store", shop.path, "--no-resume")
    assert (ended.code, pairs(ended)) == (0, {"execution": execution_id, "status": "pending"})
    assert shell("executions", "doubts", execution_id, "--store", shop.path).out == "execution\tstep\ttool\targuments\n"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ((), "one of --retry, --value JSON and --fail"),
        (("--retry", "--fail"), "one of --retry, --value JSON and --fail"),
        (("--value", "sent"), "not JSON"),
    ],
)
def test_a_doubt_has_one_answer(cli: Cli, shop: Shop, options: tuple[str, ...], said: str) -> None:
    (execution_id,) = shop.queue("echo", "Ada")
    ended = cli("executions", "resolve", execution_id, "x", "--store", shop.path, *options)
    assert (ended.code, ended.out) == (2, "")
    assert said in ended.err


def test_what_is_not_in_doubt_cannot_be_resolved(cli: Cli, shop: Shop) -> None:
    (execution_id,) = shop.queue("echo", "Ada")
    ended = cli("executions", "resolve", execution_id, "x", "--store", shop.path, "--retry")
    assert (ended.code, ended.out) == (2, "")
    assert ended.err.startswith("error [conflict]")


# ------------------------------------------------------------------ resume, cancel


def test_a_run_that_waits_for_approval_has_an_exit_code_of_its_own(shop: Shop, shell: Cli) -> None:
    waiting = shell("run", "careful", "--store", shop.path, "-i", '{"text": "Ada"}')
    assert (waiting.code, pairs(waiting)["status"]) == (4, "awaiting_approval")
    execution_id = pairs(waiting)["execution"]
    (request,) = json.loads(shell("approvals", "list", "--store", shop.path, "-o", "json").out)
    assert f"waits for approval {request['id']} of 'publish': " in waiting.err
    assert "Good Ada" in waiting.err
    early = shell("executions", "resume", execution_id, "--store", shop.path)
    assert (early.code, early.out) == (2, "")
    assert "waits for a decision" in early.err
    assert shell("approvals", "decide", request["id"], "approved", "--store", shop.path).code == 0
    done = shell("executions", "resume", execution_id, "--store", shop.path)
    assert (done.code, pairs(done)["answer"]) == (0, "Good Ada")


def test_a_run_that_was_rejected_is_three(shop: Shop, shell: Cli) -> None:
    execution_id = pairs(shell("run", "careful", "--store", shop.path, "-i", '{"text": "Ada"}'))["execution"]
    (request,) = json.loads(shell("approvals", "list", "--store", shop.path, "-o", "json").out)
    shell("approvals", "decide", request["id"], "rejected", "--reason", "too blunt", "--store", shop.path)
    done = shell("executions", "resume", execution_id, "--store", shop.path, "-o", "json")
    assert (done.code, json.loads(done.out)["status"]) == (3, "rejected")
    assert done.err == "error [approval_rejected]: the output was denied: too blunt\n"


def test_a_run_that_waits_in_memory_says_that_nobody_can_decide_it(shell: Cli, definitions: Path) -> None:
    (definitions / "greeter.yaml").write_text(
        "kind: agent\nname: greeter\ntype: simple\nconfig: {prompt: greet, approval_required: true}\n", encoding="utf-8"
    )
    ended = shell("run", "greeter", "--from", definitions, "-i", '{"who": "Ada"}')
    assert ended.code == 4
    assert "nobody can decide it: without --store the run is forgotten now" in ended.err


def test_a_queued_run_is_cancelled_at_once(cli: Cli, shop: Shop) -> None:
    (execution_id,) = shop.queue("echo", "Ada")
    ended = cli("executions", "cancel", execution_id, "--store", shop.path)
    assert (ended.code, pairs(ended)["status"]) == (0, "cancelled")
    assert shop.get(execution_id).status == "cancelled"


def test_a_run_of_another_process_is_cancelled_by_that_one(launch: Launch, cli: Cli, shop: Shop) -> None:
    (execution_id,) = shop.queue("stuck", "a jacket")
    with launch("worker", "--store", shop.path) as process:
        worker = Worker(process)
        shop.becomes(execution_id, "running")
        ended = cli("executions", "cancel", execution_id, "--store", shop.path)
        assert (ended.code, pairs(ended)["status"]) == (0, "running")
        assert "it stops when" in ended.err
        assert shop.becomes(execution_id, "cancelled").error_code == "cancelled"
        worker.signal(signal.SIGTERM)
        assert worker.ended() == (0, "worker ended: 1 cancelled")


@pytest.mark.parametrize("command", ["resume", "doubts", "cancel"])
def test_an_unknown_run_is_two(cli: Cli, shop: Shop, command: str) -> None:
    ended = cli("executions", command, "no-such-id", "--store", shop.path)
    assert (ended.code, ended.out) == (2, "")
    assert ended.err.startswith("error [not_found]")
