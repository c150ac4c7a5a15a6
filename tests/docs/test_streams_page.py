"""The table of events on the page of streams is that of the code, field for field."""

from __future__ import annotations

import re
from dataclasses import fields
from typing import get_args

from promptrails_engine import Event
from tests.repo.documents import ROOT

PAGE = (ROOT / "docs/streams.md").read_text(encoding="utf-8")


def test_the_table_of_events_is_that_of_the_code() -> None:
    rows = re.findall(r"^\| (`\w+`) \| (`\w+`) \| (`[^|]+`) \|", PAGE, re.MULTILINE)
    events = [
        (f"`{cls.type}`", f"`{cls.__name__}`", ", ".join(f"`{field.name}`" for field in fields(cls)))
        for cls in get_args(Event)
    ]
    assert sorted(rows) == sorted(events)
