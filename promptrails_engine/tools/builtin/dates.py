"""The date and the time, and arithmetic with them."""

from __future__ import annotations

import calendar
from datetime import MAXYEAR, MINYEAR, UTC, date, datetime, timedelta, tzinfo
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

from pydantic import Field
from typing_extensions import TypedDict

from promptrails_engine.errors import ToolError
from promptrails_engine.ports.tool import ToolContext
from promptrails_engine.tools.function import tool

Zone = Annotated[str, Field(max_length=64, examples=["UTC", "Europe/Istanbul"])]
IsoText = Annotated[str, Field(max_length=40, examples=["2026-01-31", "2026-01-31T09:30:00+03:00"])]
Count = Annotated[int, Field(ge=-1_000_000_000, le=1_000_000_000)]


class Moment(TypedDict):
    """A time in one zone."""

    time: str
    weekday: str
    timezone: str


class Day(TypedDict):
    """A date in one zone."""

    date: str
    weekday: str
    timezone: str


class Difference(TypedDict):
    """The way from one date to another; negative if it goes back.  `days` is rounded towards zero."""

    days: int
    seconds: int


# Reading the clock has no effect, but a resumed run must find the time that its model was told: hence "idempotent".
@tool(effect="idempotent")
async def current_time(ctx: ToolContext, timezone: Zone = "UTC") -> Moment:
    """Tell the current date and time, to the second.

    Args:
        timezone: IANA name of the time zone, such as Europe/Istanbul.
    """
    now = datetime.fromtimestamp(ctx.now(), _zone(timezone))
    return {"time": now.isoformat(timespec="seconds"), "weekday": f"{now:%A}", "timezone": timezone}


@tool(effect="idempotent")
async def current_date(ctx: ToolContext, timezone: Zone = "UTC") -> Day:
    """Tell today's date.

    Args:
        timezone: IANA name of the time zone, such as Europe/Istanbul.
    """
    now = datetime.fromtimestamp(ctx.now(), _zone(timezone))
    return {"date": now.date().isoformat(), "weekday": f"{now:%A}", "timezone": timezone}


@tool(effect="pure")
async def date_math(
    operation: Literal["add", "subtract", "difference"],
    start: IsoText,
    end: IsoText | None = None,
    years: Count = 0,
    months: Count = 0,
    weeks: Count = 0,
    days: Count = 0,
    hours: Count = 0,
    minutes: Count = 0,
    seconds: Count = 0,
) -> str | Difference:
    """Add a period to a date or time, subtract one from it, or tell how far two of them are apart.

    Years and months come first; a day that the month does not have becomes its last day. A time without an offset is
    read as UTC where it meets one that has an offset.

    Args:
        operation: "add" and "subtract" use the period; "difference" is the way from start to end.
        start: ISO 8601 date or time.
        end: ISO 8601 date or time; for "difference" only.
        years: Part of the period.
        months: Part of the period.
        weeks: Part of the period.
        days: Part of the period.
        hours: Part of the period.
        minutes: Part of the period.
        seconds: Part of the period.
    """
    moment = _parsed("start", start)
    if operation == "difference":
        if end is None:
            raise ToolError("A difference needs an end.")
        return _difference(moment, _parsed("end", end))
    sign = 1 if operation == "add" else -1
    period = (weeks * 7 + days, hours * 3600 + minutes * 60 + seconds)
    try:
        return _moved(moment, sign * (years * 12 + months), sign * period[0], sign * period[1]).isoformat()
    except (OverflowError, ValueError) as error:
        raise ToolError("The result is outside the years 1 to 9999.") from error


def _zone(name: str) -> tzinfo:
    if name.upper() == "UTC":  # works on machines without a time-zone database
        return UTC
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:
        raise ToolError(
            "The time zone is not known on this machine. Use an IANA name such as UTC or Europe/Istanbul "
            "(on a machine without a time-zone database, install the package 'tzdata')."
        ) from error


def _parsed(what: str, text: str) -> date:
    try:
        return date.fromisoformat(text) if len(text) <= len("2026-W05-3") else datetime.fromisoformat(text)
    except ValueError as error:
        raise ToolError(
            f"The {what} is not a date or time in ISO 8601, such as 2026-01-31 or 2026-01-31T09:30."
        ) from error


def _moved(moment: date, months: int, days: int, seconds: int) -> date:
    if months:
        year, month = divmod(moment.year * 12 + moment.month - 1 + months, 12)
        last = calendar.monthrange(year, month + 1)[1] if MINYEAR <= year <= MAXYEAR else 31
        moment = moment.replace(year=year, month=month + 1, day=min(moment.day, last))
    if seconds and not isinstance(moment, datetime):
        moment = datetime(moment.year, moment.month, moment.day)
    return moment + timedelta(days=days, seconds=seconds)


def _difference(start: date, end: date) -> Difference:
    first, last = _instants(start, end)
    seconds = int((last - first).total_seconds())
    return {"days": abs(seconds) // 86400 * (1 if seconds >= 0 else -1), "seconds": seconds}


def _instants(start: date, end: date) -> tuple[datetime, datetime]:
    first, last = (
        moment if isinstance(moment, datetime) else datetime(moment.year, moment.month, moment.day)
        for moment in (start, end)
    )
    if (first.tzinfo is None) != (last.tzinfo is None):
        first, last = (moment if moment.tzinfo else moment.replace(tzinfo=UTC) for moment in (first, last))
    return first, last
