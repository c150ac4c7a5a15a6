"""The offline table of models: facts with a date, read from `table.json` at the first look-up.

`table.json` is written by `tools/build_model_table.py`.  Prices are USD per million tokens.  A row is a list whose
trailing nulls are left out:

    [model_id, input, output, cached_input, cache_write, context_window, max_output, flags, deprecated_at, tiers, fees]

`flags` is the sum of `1 << index` over `TABLE_FLAGS`.  `tiers` lists
`[above, input, output, cached_input, cache_write]`: a
request whose prompt has more than `above` tokens is priced at that row as a whole.  `fees` is true where every request
also costs something that is not counted in tokens, so tokens alone give no price.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import lru_cache
from importlib.resources import files
from typing import Any, NamedTuple

TABLE_FLAGS = (
    "vision",
    "tools",
    "json",
    "streaming",
    "temperature",
    "top_p",
    "top_k",
    "reasoning",
    "web_search",
    "prompt_caching",
)
"""What a bit of a row's `flags` says that the model supports, lowest bit first."""

_ROW_LENGTH = 11


class Price(NamedTuple):
    """Prices of one model in USD per million tokens.

    cached_input and cache_write are None where they are not known; such tokens are then priced as other input.
    """

    input: float
    output: float
    cached_input: float | None = None
    cache_write: float | None = None


class Tier(NamedTuple):
    """The prices of a request whose prompt has more than `above` tokens."""

    above: int
    price: Price


class TableRow(NamedTuple):
    """One model of the table."""

    provider: str
    model_id: str
    price: Price
    context_window: int | None
    max_output_tokens: int | None
    flags: int
    deprecated_at: str | None
    tiers: tuple[Tier, ...]
    fees: bool
    """Every request also costs something that is not counted in tokens."""

    @property
    def name(self) -> str:
        """`provider/model`."""
        return f"{self.provider}/{self.model_id}"

    def supports(self, flag: str) -> bool:
        """Whether the model supports `flag`, one of `TABLE_FLAGS`."""
        return bool(self.flags >> TABLE_FLAGS.index(flag) & 1)


class ModelTable(NamedTuple):
    """The rows by `provider/model`; `date` is the ISO day on which the facts were taken from `source`."""

    date: str
    source: str
    rows: Mapping[str, TableRow]


@lru_cache(maxsize=1)
def model_table() -> ModelTable:
    """The table that ships with this library, parsed once."""
    return parse_table(
        json.loads(files("promptrails_engine.models").joinpath("table.json").read_text(encoding="utf-8"))
    )


def parse_table(data: Mapping[str, Any]) -> ModelTable:
    """The table from its JSON data."""
    return ModelTable(date=data["date"], source=data["source"], rows=_Rows(data["models"]))


class _Rows(Mapping[str, TableRow]):
    """Rows by `provider/model`, each made when it is first asked for: most programs need a handful of them."""

    def __init__(self, models: Mapping[str, list[list[Any]]]) -> None:
        self._entries = {
            f"{provider}/{entry[0]}": (provider, entry) for provider, entries in models.items() for entry in entries
        }
        self._made: dict[str, TableRow] = {}

    def __getitem__(self, name: str) -> TableRow:
        row = self._made.get(name)
        if row is None:
            row = self._made[name] = _row(*self._entries[name])
        return row

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)


def _row(provider: str, entry: list[Any]) -> TableRow:
    padded = entry + [None] * (_ROW_LENGTH - len(entry))
    model_id, *prices = padded[:5]
    context_window, max_output, flags, deprecated_at, tiers, fees = padded[5:]
    return TableRow(
        provider=provider,
        model_id=model_id,
        price=Price(*prices),
        context_window=context_window,
        max_output_tokens=max_output,
        flags=flags or 0,
        deprecated_at=deprecated_at,
        tiers=tuple(Tier(above, Price(*rest)) for above, *rest in tiers or ()),
        fees=bool(fees),
    )
