"""What the demo prints."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from promptrails_engine.cli.demo_desk import SCRIPTED, Folder
from promptrails_engine.cli.demo_rows import Answered, CustomerMessage
from promptrails_engine.cli.output import dollars, printable, say, say_pairs, seconds
from promptrails_engine.events import ContentEvent, Event, ToolEndEvent


def print_title(model: str, messages: int, budget_s: float | None) -> None:
    """Say what is about to happen."""
    share = f"all {messages}" if budget_s is None else f"as many of {messages} as fit into {budget_s:g} s"
    said = "scripted, a stand-in that goes by key words" if model == SCRIPTED else printable(model)
    say(f"A support desk answers messages of customers: {share}.\nModel: {said}")


def row_printer(message: CustomerMessage, number: int, total: int) -> Callable[[Event], None]:
    """Prints the message at once, and then what its run says, as it comes."""
    say(f"\n[{number}/{total}] {printable(message.text)}")
    begun = False

    def show(event: Event) -> None:
        nonlocal begun
        if isinstance(event, ToolEndEvent):
            say(f"  {event.name}: {printable(event.summary or '')}")
        elif isinstance(event, ContentEvent):
            say("" if begun else "  answer: ", end="")
            say(printable(event.content).replace("\n", " "), end="")
            begun = True

    return show


def print_row(row: Answered) -> None:
    """The figures of a message, below its answer."""
    result = row.result
    if result.status != "completed":
        say(f"\n  {result.status} [{result.error_code}]: {printable(result.error)}")
        return
    verdict = "as expected" if row.label == row.message.expected else f"expected: {row.message.expected}"
    say(f"\n  classified: {printable(str(row.label))} ({verdict})", end="")
    say(f"  {seconds(result.duration_ms)}  {_tokens([result.token_usage])} tokens  cost {dollars(result.cost)}")


def print_summary(rows: Sequence[Answered], total: int, elapsed_s: float, folder: Folder) -> None:
    """The closing table, and where to look further."""
    done = [row for row in rows if row.result.status == "completed"]
    say()
    say_pairs(
        [
            ("messages", f"{len(done)} answered, {len(rows) - len(done)} failed, {total - len(rows)} left out"),
            ("tokens", _tokens(row.result.token_usage for row in rows)),
            ("cost", _cost(rows)),
            ("time", f"{elapsed_s:.1f} s, {elapsed_s / max(1, len(rows)):.1f} s a message"),
            ("category right", _share(row.label.category == row.message.expected.category for row in done)),
            ("order no. right", _share(row.label.order_number == row.message.expected.order_number for row in done)),
            ("looked up", f"in {sum(bool(row.lookups) for row in done)} of {len(done)} messages"),
            ("answers", str(folder.results)),
            ("trace", str(folder.spans)),
            ("runs", f"promptrails-engine executions list --store {folder.store}"),
        ]
    )
    if len(rows) < total:
        say(f"\nThis was a part of the file: promptrails-engine demo --all answers all {total} messages.")


def _tokens(usages: Iterable[dict[str, int]]) -> str:
    counts = list(usages)
    read, written = (sum(c.get(name, 0) for c in counts) for name in ("prompt_tokens", "completion_tokens"))
    return f"{read} + {written}"


def _cost(rows: Sequence[Answered]) -> str:
    unknown = sum(row.result.cost is None for row in rows)
    known = dollars(sum(row.result.cost_known for row in rows))
    if unknown == len(rows):
        return "unknown"
    return f"{known} and what {unknown} messages of unknown cost came to" if unknown else known


def _share(verdicts: Iterable[bool]) -> str:
    right = list(verdicts)
    return f"{sum(right)} of {len(right)}" + (f" ({sum(right) / len(right):.0%})" if right else "")
