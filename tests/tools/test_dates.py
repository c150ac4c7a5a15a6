"""The clock and date tools."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptrails_engine.errors import ToolArgsInvalidError, ToolError
from promptrails_engine.testing.contexts import tool_context
from promptrails_engine.tools.builtin import builtin

MOMENT = datetime(2026, 3, 29, 22, 30, 5, 900_000, tzinfo=UTC).timestamp()


async def call(name: str, **arguments: Any) -> Any:
    return await builtin(name).call(arguments, tool_context(now=lambda: MOMENT))


async def test_the_time_is_utc_unless_asked() -> None:
    assert await call("current_time") == {
        "time": "2026-03-29T22:30:05+00:00",
        "weekday": "Sunday",
        "timezone": "UTC",
    }
    assert (await call("current_time", timezone="utc"))["time"] == "2026-03-29T22:30:05+00:00"


async def test_the_time_in_a_zone() -> None:
    assert await call("current_time", timezone="Europe/Istanbul") == {
        "time": "2026-03-30T01:30:05+03:00",
        "weekday": "Monday",
        "timezone": "Europe/Istanbul",
    }
    assert await call("current_date", timezone="Asia/Kolkata") == {
        "date": "2026-03-30",
        "weekday": "Monday",
        "timezone": "Asia/Kolkata",
    }
    assert (await call("current_date"))["date"] == "2026-03-29"


@pytest.mark.parametrize(
    "zone", ["Mars/Base", "../../etc/passwd", "/etc/passwd", "", "Europe", "a\x00b", "\udc80", "x" * 64, "."]
)
async def test_unknown_zones(zone: str) -> None:
    with pytest.raises((ToolError, ToolArgsInvalidError)) as caught:
        await call("current_time", timezone=zone)
    assert "passwd" not in caught.value.message


@pytest.mark.parametrize(
    ("arguments", "result"),
    [
        ({"start": "2026-01-31", "months": 1}, "2026-02-28"),
        ({"start": "2024-01-31", "months": 1}, "2024-02-29"),
        ({"start": "2024-02-29", "years": 1}, "2025-02-28"),
        ({"start": "2026-12-31", "days": 1}, "2027-01-01"),
        ({"start": "2026-01-01", "weeks": 1, "days": 1}, "2026-01-09"),
        ({"start": "2026-01-01", "hours": 36}, "2026-01-02T12:00:00"),
        ({"start": "2026-01-01T10:00:00+03:00", "minutes": 90}, "2026-01-01T11:30:00+03:00"),
        ({"start": "2026-01-01T00:00:00Z", "seconds": -1}, "2025-12-31T23:59:59+00:00"),
        ({"start": "2026-11-15", "months": 2}, "2027-01-15"),
        ({"start": "2026-01-15", "months": -1}, "2025-12-15"),
        ({"start": "2026-01-15"}, "2026-01-15"),
    ],
)
async def test_adding(arguments: dict[str, Any], result: str) -> None:
    assert await call("date_math", operation="add", **arguments) == result


async def test_subtracting() -> None:
    assert await call("date_math", operation="subtract", start="2026-03-31", months=1) == "2026-02-28"
    assert await call("date_math", operation="subtract", start="2026-03-01", days=1) == "2026-02-28"


@pytest.mark.parametrize(
    ("start", "end", "days", "seconds"),
    [
        ("2026-01-01", "2026-03-01", 59, 59 * 86400),
        ("2026-03-01", "2026-01-01", -59, -59 * 86400),
        ("2026-01-01T12:00:00", "2026-01-02", 0, 43200),
        ("2026-01-02", "2026-01-01T12:00:00", 0, -43200),
        ("2026-01-01T00:00:00Z", "2026-01-01T03:00:00+03:00", 0, 0),
        ("2026-01-01T00:00:00", "2026-01-01T03:00:00+03:00", 0, 0),
        ("2026-01-01T03:00:00+03:00", "2026-01-02", 1, 86400),
    ],
)
async def test_differences(start: str, end: str, days: int, seconds: int) -> None:
    assert await call("date_math", operation="difference", start=start, end=end) == {"days": days, "seconds": seconds}


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ({"operation": "add", "start": "soon"}, "start is not"),
        ({"operation": "difference", "start": "2026-01-01", "end": "32"}, "end is not"),
        ({"operation": "difference", "start": "2026-01-01"}, "needs an end"),
        ({"operation": "add", "start": "2026-01-01", "years": 9000}, "1 to 9999"),
        ({"operation": "subtract", "start": "2026-01-01", "months": 10**9}, "1 to 9999"),
        ({"operation": "add", "start": "2026-01-01", "days": 10**9}, "1 to 9999"),
        ({"operation": "add", "start": "2026-01-01", "seconds": 10**10}, "/seconds"),
        ({"operation": "multiply", "start": "2026-01-01"}, "/operation"),
    ],
)
async def test_refusals(arguments: dict[str, Any], reason: str) -> None:
    with pytest.raises(ToolError, match=reason):
        await call("date_math", **arguments)


@given(
    st.datetimes(datetime(1900, 1, 1), datetime(2100, 1, 1)), st.integers(-10_000, 10_000), st.integers(-(10**6), 10**6)
)
async def test_adding_and_the_difference_agree(start: datetime, days: int, seconds: int) -> None:
    end = await call("date_math", operation="add", start=start.isoformat(), days=days, seconds=seconds)
    assert datetime.fromisoformat(end) - start == timedelta(days=days, seconds=seconds)
    back = await call("date_math", operation="difference", start=start.isoformat(), end=end)
    assert back["seconds"] == days * 86400 + seconds


def test_the_effect_classes() -> None:
    effects = {name: builtin(name).effect for name in ("current_time", "current_date", "date_math", "state")}
    assert effects == {
        "current_time": "idempotent",
        "current_date": "idempotent",
        "date_math": "pure",
        "state": "idempotent",
    }
