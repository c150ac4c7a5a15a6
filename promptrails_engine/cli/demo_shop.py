"""The demo's shop: a small SQLite database, and the tool that looks things up in it."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from datetime import date
from importlib.resources import files
from pathlib import Path
from typing import Annotated

from pydantic import Field

from promptrails_engine.tools.function import FunctionTool, tool

_ORDER = """
    SELECT o.number, o.quantity, p.name AS product, o.status, o.arrives_on, o.carrier, o.refund
    FROM orders o JOIN products p ON p.id = o.product_id WHERE o.number = ?
"""
# The words of the question may stand in any order, and it may say "tents" where the shop says "Trail Tent".
_PRODUCT = """
    SELECT name, price_eur, in_stock, restock_date, details FROM products
    WHERE instr(lower(?1), lower(name)) OR instr(lower(name), lower(?1)) ORDER BY length(name) LIMIT 1
"""
_NUMBER = re.compile(r"(?<!\d)\d{4}(?!\d)")
_STATES: Mapping[str, str] = {
    "processing": "is being packed and has not been shipped yet",
    "shipped": "was shipped with {carrier} and arrives on {arrives}",
    "delivered": "was delivered by {carrier} on {arrives}",
    "cancelled": "was cancelled",
    "returned": "came back to us",
}
_REFUNDS: Mapping[str, str] = {
    "none": "",
    "requested": " The refund will be paid within 5 days.",
    "paid": " The refund has been paid.",
}


class Shop:
    """The shop's database in a file; looking things up never changes it."""

    def __init__(self, path: Path) -> None:
        """Make the database anew from the script that ships with the demo."""
        script = files("promptrails_engine.cli").joinpath("demo_data/shop.sql").read_text(encoding="utf-8")
        path.unlink(missing_ok=True)
        with closing(sqlite3.connect(path)) as database:
            database.executescript(script)
        self._address = f"{path.resolve().as_uri()}?mode=ro"

    def tool(self) -> FunctionTool[..., str]:
        """`look_up`."""

        @tool(effect="pure")
        def look_up(words: Annotated[str, Field(pattern="^[A-Za-z0-9][A-Za-z0-9 ]{3,39}$")]) -> str:
            """Look up an order by its number, or a product by its name."""
            number = _NUMBER.search(words)
            return self.order(number[0]) if number else self.product(words)

        return look_up

    def order(self, number: str) -> str:
        """What is known of an order, as a sentence."""
        row = self._one(_ORDER, number)
        if row is None:
            return f"There is no order {number}."
        state = _STATES[row["status"]].format(carrier=row["carrier"], arrives=_day(row["arrives_on"]))
        return f"Order {row['number']} ({row['quantity']} x {row['product']}) {state}.{_REFUNDS[row['refund']]}"

    def product(self, name: str) -> str:
        """What is known of a product, as a sentence or two."""
        row = self._one(_PRODUCT, " ".join(name.split()))
        if row is None:
            return f"We do not sell '{name}'."
        stock = f"{row['in_stock']} in stock" if row["in_stock"] else f"sold out, back on {_day(row['restock_date'])}"
        return f"{row['name']}: {row['price_eur']:.2f} EUR, {stock}. Details: {row['details']}."

    def _one(self, query: str, value: str) -> sqlite3.Row | None:
        with closing(sqlite3.connect(self._address, uri=True)) as database:
            database.row_factory = sqlite3.Row
            row: sqlite3.Row | None = database.execute(query, (value,)).fetchone()
            return row


def _day(text: str | None) -> str:
    """An ISO date as people say it, the same in every locale."""
    if text is None:
        return "a day that is not known yet"
    day = date.fromisoformat(text)
    return f"{day.day} {_MONTHS[day.month - 1]}"


_MONTHS = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip
