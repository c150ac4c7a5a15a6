"""The forms in which commands print their data."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer


class OutputFormat(StrEnum):
    """`table` for people (plain lines where stdout is no terminal), `json` for programs."""

    TABLE = "table"
    JSON = "json"


OutputOption = Annotated[OutputFormat, typer.Option("--output", "-o", help="For people, or for programs.")]
