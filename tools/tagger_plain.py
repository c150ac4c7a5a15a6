"""Texts for the tagger's training in which numbers and capitals are neither names nor addresses: sums, tables, code."""

from __future__ import annotations

import random
from collections.abc import Callable

# fmt: off
NOUNS = (
    "eggs", "stamps", "pages", "tickets", "apples", "bolts", "dishes", "miles", "degrees", "minutes", "litres",
    "cups", "tubes", "points", "coins", "boxes", "shirts", "chairs", "steps", "rows", "lessons", "hours",
    "bricks", "photos", "cards", "marbles", "plants", "fish", "loaves", "kilos", "metres", "seats", "games",
    "pencils",
)
THINGS = (
    "price", "total", "cost", "weight", "length", "speed", "area", "sum", "rest", "profit", "rate", "height",
    "score", "budget", "distance", "volume",
)
VERBS = (
    "read", "make", "load", "send", "parse", "build", "open", "find", "count", "update", "check", "merge",
    "write", "fetch", "close", "run", "test", "print",
)
PARTS = (
    "value", "item", "user", "node", "file", "list", "index", "result", "task", "worker", "buffer", "queue",
    "table", "order", "token", "client", "page",
)
CITIES = (
    "London", "Paris", "Berlin", "Madrid", "Tokyo", "Boston", "Chicago", "Oslo", "Rome", "Cairo", "Denver",
    "Atlanta", "Houston", "Miami", "Dallas", "Lisbon", "Vienna",
)
HEADS = (
    "Area", "Demand", "Supply", "Product", "Region", "Quarter", "Month", "Status", "Title", "Name", "Type",
    "Count", "Level", "Unit", "Error", "Total",
)
# fmt: on
UNITS = ("kg", "km", "cm", "%", "ms", "MB", "GB", "mph", "°C", "px", "kWh", "dB", " feet", " inches", " pounds")


class Plain:
    """Makes such texts by chance."""

    def __init__(self, pick: random.Random) -> None:
        self._pick = pick
        self._makers: tuple[Callable[[], str], ...] = (
            self.sums,
            self.sums,
            self.worked,
            self.prices,
            self.table,
            self.code,
            self.trace,
            self.record,
            self.log,
            self.codes,
            self.steps,
            self.places,
        )

    def text(self) -> str:
        """One text."""
        return self._pick.choice(self._makers)()

    def number(self, top: int = 0) -> str:
        value = self._pick.randrange(1, top or self._pick.choice([10, 100, 1000, 20000]))
        return f"{value:,}" if self._pick.random() < 0.15 else str(value)

    def _sum(self) -> str:
        pick = self._pick
        a, b = pick.randrange(1, 500), pick.randrange(1, 90)
        sign, made = pick.choice((("+", a + b), ("-", a - b), ("*", a * b), ("/", a // b), ("x", a * b)))
        gap = pick.choice(("", " "))
        unit = pick.choice(("", "", "$", "€"))
        told = pick.choice(("=", "=", "==", "->", "=>", "≈", f"= {made} >>", f"= [{made}]"))
        after = pick.choice(("", "", f" {pick.choice(NOUNS)}", f" {pick.choice(PARTS)} {pick.choice(NOUNS)}"))
        return f"{unit}{a}{gap}{sign}{gap}{unit}{b}{gap}{told}{gap}{unit}{made}{after}"

    def sums(self) -> str:
        pick = self._pick
        said = [
            f"{pick.choice(('That is', 'So', 'Then', 'It comes to', 'In all'))} {self._sum()} {pick.choice(NOUNS)}."
        ]
        for _ in range(pick.randrange(3)):
            said.append(f"{pick.choice(('There are', 'We need', 'She bought', 'He has', 'They sold'))} {self._sum()}.")
        return pick.choice((" ", "\n")).join(said)

    def worked(self) -> str:
        pick = self._pick
        noun = pick.choice(NOUNS)
        lines = [
            f"{pick.choice(('The', 'Their', 'Her', 'His'))} {pick.choice(THINGS)} "
            f"{pick.choice(('is', 'was', 'of', 'becomes'))} {self._sum()}"
            f"{pick.choice(('', f' {noun}', pick.choice(UNITS)))}."
            for _ in range(pick.randrange(2, 6))
        ]
        lines.append(
            pick.choice((f"Answer: {self.number()}", f"= {self.number()}", f"Result {self.number()} {noun}", ""))
        )
        return pick.choice(("\n", " ")).join(lines)

    def prices(self) -> str:
        pick = self._pick
        unit, noun = pick.choice("$€£"), pick.choice(NOUNS)
        return pick.choice(
            (
                f"How much are {self.number(60)} {noun} at {unit}{self.number()} each?",
                f"The {pick.choice(THINGS)} went from {unit}{self.number()} to {unit}{self.number()}.",
                f"{pick.choice(CITIES)} pays {unit}{self.number()} for {self.number()} {noun}.",
                f"A pack of {self.number(40)} {noun} weighs {self.number()}{pick.choice(UNITS)}.",
                f"At {self.number(90)}{pick.choice(UNITS)} it takes {self.number(30)} {noun} more.",
                f"We ordered {self.number(60)} {pick.choice(PARTS).title()} {noun} "
                f"and {self.number(9)} {pick.choice(CITIES)} {noun}.",
                f"Southern {pick.choice(CITIES)} sold {self.number()} {noun}, "
                f"northern {pick.choice(CITIES)} {self.number()}.",
            )
        )

    def table(self) -> str:
        pick = self._pick
        gap = pick.choice(("\t", " | ", ",", "  "))
        heads = pick.sample(HEADS, 3)
        rows = [[pick.choice((*CITIES, *map(str.title, PARTS))), self.number(), self.number()] for _ in range(4)]
        return "\n".join(gap.join(row) for row in (heads, *rows))

    def name(self) -> str:
        """What a program calls something."""
        pick = self._pick
        verb, part = pick.choice(VERBS), pick.choice(PARTS)
        return pick.choice(
            (
                f"{verb}_{part}",
                f"{verb}{part.title()}",
                f"{part}{pick.randrange(1, 10)}",
                f"{part.title()}{verb.title()}er",
            )
        )

    def code(self) -> str:
        pick = self._pick
        return pick.choice(
            (
                f"def {self.name()}({self.name()}, n={self.number()}):\n    return {self.name()}({self.number()})",
                f"for (int i = 0; i < {self.number()}; i++) {{ {self.name()}.{self.name()}(i); }}",
                f"SELECT {self.name()}, count(*) FROM {self.name()} WHERE id > {self.number()} GROUP BY 1;",
                f"How does {self.name()} call {self.name()} when {self.name()} is {self.number()}?",
                f"const {self.name()} = new {self.name().title()}({self.number()}, '{pick.choice(PARTS)}');",
                f"import {pick.choice(PARTS)}.{pick.choice(VERBS)}.{self.name()};",
            )
        )

    def trace(self) -> str:
        one = [
            f"    at {self._pick.choice(PARTS)}.{self.name()}.{self.name()}({self.name().title()}.java:{self.number()})"
            for _ in range(3)
        ]
        return "\n".join([f"{self._pick.choice(PARTS).title()}Error: {self.name()} is {self.number()}", *one])

    def record(self) -> str:
        pick = self._pick
        pairs = [
            f'"{self.name()}": {self.number()}',
            f'"{pick.choice(PARTS)}": "{self.name()}"',
            f'"{pick.choice(THINGS)}": true',
        ]
        return "{" + ", ".join(pairs) + "}"

    def log(self) -> str:
        pick = self._pick
        level, part = pick.choice(("INFO", "WARN", "ERROR", "Debug")), pick.choice(PARTS)
        day = f"2024-{pick.randrange(1, 13):02}-{pick.randrange(1, 29):02}"
        return f"{day} {level} {part}-{self.number()} {self.name()} took {self.number()} ms"

    def codes(self) -> str:
        pick = self._pick
        one = [f"{pick.choice('ABEHKLTX')}{pick.choice('BFQRZ')}{pick.randrange(10, 9999)}" for _ in range(3)]
        head = pick.choice(HEADS)
        last = f"{pick.choice(PARTS).title()} {self.number()} of {self.number()}"
        return f"{head} {one[0]}: see {one[1]}, {one[2]} and {last}."

    def steps(self) -> str:
        pick = self._pick
        return "\n".join(
            f"{at}{pick.choice('.)')} {pick.choice(VERBS).title()} the {pick.choice(PARTS)} {self.number(50)} "
            f"{pick.choice(('times', 'more', 'at once'))}"
            for at in range(1, pick.randrange(3, 7))
        )

    def places(self) -> str:
        pick = self._pick
        some = pick.sample(CITIES, 3)
        return pick.choice(
            (
                f"{some[0]}, {some[1]} and {some[2]} grew by {self.number(90)}% in {pick.randrange(1950, 2030)}.",
                f"It is {self.number()} km from {some[0]} to {some[1]} by way of {some[2]}.",
                f"Which is larger, {some[0]} or {some[1]}? "
                f"The one has {self.number()} seats, the other {self.number()}.",
            )
        )
