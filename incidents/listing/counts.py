"""
How many incidents there are, and on which day a page begins, from the counts that PostgreSQL keeps.

They come from the tables and triggers of migration 0004_counts, and cost the same however many incidents there are.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import Any

DAY = timedelta(days=1)
BY_ROWS = {"search", "updated_after", "updated_before"}
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


def choice(filters: Mapping[str, Any]) -> tuple[list[str], dict[str, Any]]:
    """SQL conditions for the status and source that `filters` choose, and their parameters."""
    conditions, params = [], {}
    for column in ("status", "source"):
        if values := filters.get(column):
            # Of one value alone an index knows the newest.
            one = len(values) == 1
            conditions.append(f"{column} = %({column})s" if one else f"{column} = ANY(%({column})s)")
            params[column] = values[0] if one else values
    return conditions, params


def count(filters: Mapping[str, Any]) -> tuple[str, dict[str, Any]] | None:
    """
    A SELECT of how many incidents `filters`, an IncidentFilter's clean data, choose, and its parameters.

    None where only the rows can tell.
    """
    if BY_ROWS & filters.keys():
        return None
    counts, params = _counts(filters, by_day="created_after" in filters or "created_before" in filters)
    return f"SELECT coalesce(sum(n), 0)::bigint FROM ({counts}) AS counts", params  # noqa: S608


def locate(filters: Mapping[str, Any], offset: int, fetch: Callable[..., Any]) -> Place | None:
    """The place behind the first `offset` incidents of the list, newest or oldest first. None as with `count`."""
    if BY_ROWS & filters.keys():
        return None
    counts, params = _counts(filters, by_day=True)
    ascending = filters.get("ordering") == "created_at"
    first, order = ("min", "ASC") if ascending else ("max", "DESC")
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
    bound = datetime.combine(day, time.min, UTC) + (timedelta() if ascending else DAY)
    return Place(count, bound, offset - skipped)


def _counts(filters: Mapping[str, Any], *, by_day: bool) -> tuple[str, dict[str, Any]]:
    """SQL whose rows (day, n) add up to the count, and its parameters."""
    after: datetime | None = filters.get("created_after")
    before: datetime | None = filters.get("created_before")
    conditions, params = choice(filters)
    chosen = "".join(f" AND {condition}" for condition in conditions)
    days, parts = chosen, ""
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
        parts += PART.format(start="after", end="until", chosen=chosen)
    if before and before > params["last"]:
        params["since"] = max(params["last"], params["first"]) if after else params["last"]
        parts += PART.format(start="since", end="before", chosen=chosen)
    level = "IS NOT NULL" if by_day else "IS NULL"
    return COUNTS.format(level=level, days=days, parts=parts), params


# Days of incidents_count are NULL in the sums of all days.
COUNTS = """
SELECT day, n FROM incidents_count WHERE day {level}{days}
UNION ALL SELECT day, n FROM incidents_countdelta WHERE day IS NOT NULL{days}{parts}
"""
PART = """
UNION ALL SELECT (%({start})s AT TIME ZONE 'UTC')::date, count(*) FROM incidents_incident
WHERE created_at >= %({start})s AND created_at < %({end})s{chosen}
"""


def _midnight(moment: datetime) -> datetime:
    return moment.replace(hour=0, minute=0, second=0, microsecond=0)
