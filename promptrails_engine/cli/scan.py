"""`scan`: what a scanner says of a text, or of a file of labelled ones."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from promptrails_engine.cli.exits import ExitCode, UsageError
from promptrails_engine.cli.inputs import input_values, read_text
from promptrails_engine.cli.output import note, printable, say, say_json, say_table
from promptrails_engine.engine import Engine
from promptrails_engine.guardrails.evaluation import Evaluation
from promptrails_engine.ports.scanner import Verdict

_SHOWN = 10
_TEXT_CHARS = 80


def scan(
    file: Annotated[str, typer.Argument(metavar="FILE", help="Text to scan; - is stdin.")] = "-",
    scanner: Annotated[str, typer.Option("--scanner", "-s", metavar="TYPE", help="What looks, such as pii.")] = "",
    config: Annotated[
        str | None, typer.Option("--config", "-c", metavar="JSON", help="Options of the scanner as a JSON object.")
    ] = None,
    redact: Annotated[
        bool, typer.Option("--redact", help="Print the text without what was found, and nothing else.")
    ] = False,
    evaluate: Annotated[
        bool, typer.Option("--evaluate", help="FILE holds labelled rows as JSON Lines: measure the scanner on them.")
    ] = False,
    plot: Annotated[
        Path | None, typer.Option("--plot", metavar="FILE", help="With --evaluate: draw the threshold curve.")
    ] = None,
    output: Annotated[Literal["text", "json"], typer.Option("--output", "-o", help="How to print it.")] = "text",
) -> None:
    """Say what a scanner finds in a text, and where; without --scanner, which scanners there are.

    Ends with 3 where it finds something.  What it finds is named by its kind and place, not repeated.
    """
    _check(scanner, file, redact=redact, evaluate=evaluate, plots=plot is not None, output=output)
    with Engine() as engine:
        if not scanner:
            _list(engine, output)
            return
        options = _options(config)
        if evaluate:
            rows = file if file != "-" else list(_rows(read_text(file)))
            _say_evaluation(engine.guardrails.evaluate(scanner, rows, options), plot, output)
            return
        verdict = engine.guardrails.scan(scanner, read_text(file), options)
    if redact:
        if verdict.redacted is None:
            raise UsageError(f"scanner '{scanner}' takes nothing out of a text")
        say(verdict.redacted, end="")
    elif output == "json":
        say_json(_plain(verdict))
    else:
        _say_verdict(verdict)
    if verdict.triggered:
        raise typer.Exit(ExitCode.RUN_FAILED)


def _check(scanner: str, file: str, *, redact: bool, evaluate: bool, plots: bool, output: str) -> None:
    """Refuse options that do not go together.

    Raises:
        UsageError: some do not.
    """
    if not scanner and (file != "-" or redact or evaluate):
        raise UsageError("name a scanner with --scanner; without it and without a file this command lists them")
    if plots and not evaluate:
        raise UsageError("--plot draws what --evaluate measures; give both")
    if redact and (evaluate or output == "json"):
        raise UsageError("--redact prints a text and nothing else; leave --evaluate and --output out")


def _options(config: str | None) -> dict[str, Any]:
    try:
        return input_values(config, None)
    except UsageError:
        raise UsageError('--config is not a JSON object of options, such as {"threshold": 0.8}') from None


def _rows(text: str) -> Iterator[dict[str, Any]]:
    """The rows of lines of JSON.

    Raises:
        UsageError: a line is something else.
    """
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            try:
                yield json.loads(line)
            except ValueError:
                raise UsageError(f"stdin, line {number}: not JSON") from None


def _list(engine: Engine, output: str) -> None:
    metas = engine.guardrails.list_scanners()
    if output == "json":
        say_json([asdict(one) for one in metas])
        return
    rows = [(one.type, one.redacts, one.description if one.enabled else one.disabled_reason) for one in metas]
    say_table(("scanner", "takes out", "what it finds"), rows)


def _plain(verdict: Verdict) -> dict[str, Any]:
    found = [{"start": one.start, "end": one.end, "type": one.type, "score": one.score} for one in verdict.findings]
    return {
        "triggered": verdict.triggered,
        "score": verdict.score,
        "findings": found,
        "labels": dict(verdict.labels),
        "reason": verdict.reason,
        "engine": verdict.engine,
        "truncated": verdict.truncated,
    }


def _say_verdict(verdict: Verdict) -> None:
    note(f"{'found' if verdict.triggered else 'nothing found'}, score {verdict.score:.2f} ({verdict.engine})")
    if verdict.reason:
        note(verdict.reason)
    rows = [(one.type, str(one.start), str(one.end), f"{one.score:.2f}") for one in verdict.findings]
    if rows:
        say_table(("type", "from", "to", "score"), rows)
    elif verdict.labels:
        say_table(("label", "score"), [(label, f"{score:.2f}") for label, score in verdict.labels.items()])


def _say_evaluation(found: Evaluation, plot: Path | None, output: str) -> None:
    if output == "json":
        say_json(found.to_dict())
    else:
        say(
            f"{found.scanner_type}: {found.rows} rows, {found.positives} to be found; precision {found.precision:.3f}, "
            f"recall {found.recall:.3f}, F1 {found.f1:.3f}, false positive rate {found.false_positive_rate:.3f}"
        )
        rows = [
            (str(one.row), "missed" if one.label else "false alarm", f"{one.score:.2f}", _short(one.text))
            for one in found.disagreements[:_SHOWN]
        ]
        if rows:
            say_table(("row", "", "score", "text"), rows)
        if len(found.disagreements) > _SHOWN:
            note(f"and {len(found.disagreements) - _SHOWN} more; -o json has them all")
    if plot is not None:
        note(f"curve: {found.plot(plot)}")


def _short(text: str) -> str:
    line = " ".join(printable(text).split())
    return line if len(line) <= _TEXT_CHARS else line[: _TEXT_CHARS - 1] + "…"
