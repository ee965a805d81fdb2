"""
How many incidents there are, and on which day a page begins, from the counts that PostgreSQL keeps.

They come from the tables and triggers of migration 0004_counts, and cost the same however many incidents there are.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import Any

from django.db import connection

from core.database import fetch

DAY = timedelta(days=1)
LAST_DAY = datetime(9999, 12, 31, tzinfo=UTC)  # that Python knows: nothing can be rounded up beyond it


@dataclass(frozen=True)
class Place:
    """
    Where a page begins in the list of `count` incidents.

    It skips `offset` of those created before `bound`, or from it on where the order ascends; of all without a bound.
    """

    count: int
    bound: datetime | None
    offset: int


def locate(filters: Mapping[str, Any], offset: int = 0) -> Place | None:
    """
    The place behind the first `offset` incidents of the list that `filters`, an IncidentFilter's clean data, ask for.

    None where only the rows can tell: with `search` or `updated_*`, and on SQLite.
    """
    if connection.vendor != "postgresql" or any(filters.get(k) for k in ("search", "updated_after", "updated_before")):
        return None
    chosen = {column: filters[column] for column in ("status", "source") if filters.get(column)}
    period = filters.get("created_after"), filters.get("created_before")
    ordering = filters.get("ordering") or "-created_at"
    # An index leads to the first row of one status or source. That of several may lie behind all rows of the others.
    several = sum(map(len, chosen.values())) > 1
    if not ordering.endswith("created_at") or not (offset or several):
        counts, params = _counts(chosen, *period, by_day=any(period))
        ((count,),) = fetch(f"SELECT coalesce(sum(n), 0)::bigint FROM ({counts}) AS counts", params)  # noqa: S608
        return Place(count, None, offset)
    counts, params = _counts(chosen, *period, by_day=True)
    first, order = ("max", "DESC") if ordering.startswith("-") else ("min", "ASC")
    ((count, day, skipped),) = fetch(
        f"""
        SELECT coalesce(sum(n), 0)::bigint, {first}(day) FILTER (WHERE running > %(offset)s),
               coalesce(sum(n) FILTER (WHERE running <= %(offset)s), 0)::bigint
        FROM (SELECT day, sum(n) AS n, sum(sum(n)) OVER (ORDER BY day {order}) AS running
              FROM ({counts}) AS counts GROUP BY day) AS days
        """,  # noqa: S608
        params | {"offset": offset},
    )
    if day is None:
        return Place(count, None, offset)
    bound = datetime.combine(day, time.min, UTC) + (DAY if order == "DESC" else timedelta())
    return Place(count, bound, offset - skipped)


def _counts(
    chosen: dict[str, list[str]], after: datetime | None, before: datetime | None, *, by_day: bool
) -> tuple[str, dict[str, Any]]:
    """SQL whose rows (day, n) add up to the count, and its parameters."""
    choice = "".join(f" AND {column} = ANY(%({column})s)" for column in chosen)
    params: dict[str, Any] = dict(chosen)
    days, parts = choice, ""
    if after:
        after = min(after, LAST_DAY)
        midnight = _midnight(after)
        params |= {"after": after, "first": midnight if midnight == after else midnight + DAY}
        days += " AND day >= %(first)s"
    if before:
        params |= {"before": before, "last": _midnight(before)}
        days += " AND day < %(last)s"
    # What the moments cut off from a day is counted by its rows.
    if after and after < params["first"]:
        params["until"] = min(params["first"], before or LAST_DAY)
        parts += PART.format(start="after", end="until", choice=choice)
    if before and before > params["last"]:
        params["since"] = max(params["last"], params["first"]) if after else params["last"]
        parts += PART.format(start="since", end="before", choice=choice)
    level = "IS NOT NULL" if by_day else "IS NULL"
    return COUNTS.format(level=level, days=days, parts=parts), params


# Days of incidents_count are NULL in the sums of all days.
COUNTS = """
SELECT day, n FROM incidents_count WHERE day {level}{days}
UNION ALL SELECT day, n FROM incidents_countdelta WHERE day IS NOT NULL{days}{parts}
"""
PART = """
UNION ALL SELECT (%({start})s AT TIME ZONE 'UTC')::date, count(*) FROM incidents_incident
WHERE created_at >= %({start})s AND created_at < %({end})s{choice}
"""


def _midnight(moment: datetime) -> datetime:
    return moment.replace(hour=0, minute=0, second=0, microsecond=0)
