"""
How many incidents there are, and on which day a page begins, from the counts that PostgreSQL keeps.

They come from the tables and triggers of migration 0004_counts, and cost the same however many incidents there are.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, time, timedelta
from typing import Any

from incidents.listing.filters import IncidentQuery, filters_of, where_clause

DAY = timedelta(days=1)
LAST_DAY = datetime(9999, 12, 31, tzinfo=UTC)  # that Python knows: nothing can be rounded up beyond it


@dataclass(frozen=True)
class PageStart:
    """
    The start of a page in the list of `count` incidents.

    It is the row behind the first `offset` rows from the midnight `bound` on: in the list's order, against it if
    `backwards`. Without a bound they are the first of the list.
    """

    count: int
    bound: datetime | None
    offset: int
    backwards: bool = False


def count_sql(query: IncidentQuery) -> tuple[str, dict[str, Any]] | None:
    """Returns a SELECT of how many incidents the query chooses, and its parameters. None if rows must be counted."""
    if not _is_counted(query):
        return None
    counts, params = _counts(query, by_day=query.created_after is not None or query.created_before is not None)
    return f"SELECT coalesce(sum(n), 0)::bigint FROM ({counts}) AS counts", params  # noqa: S608


def find_page_start(query: IncidentQuery, offset: int, fetch: Callable[..., Any]) -> PageStart | None:
    """Finds the page behind the first `offset` incidents, ordered by creation. None as with `count_sql`."""
    if not _is_counted(query):
        return None
    counts, params = _counts(query, by_day=True)
    ascending = query.ordering == "created_at"
    first, order = ("min", "ASC") if ascending else ("max", "DESC")
    ((count, day, before, through),) = fetch(
        f"""
        SELECT coalesce(sum(n), 0)::bigint, {first}(day) FILTER (WHERE running > %(offset)s),
               coalesce(sum(n) FILTER (WHERE running <= %(offset)s), 0)::bigint,
               (min(running) FILTER (WHERE running > %(offset)s))::bigint
        FROM (SELECT day, sum(n) AS n, sum(sum(n)) OVER (ORDER BY day {order}) AS running
              FROM ({counts}) AS counts GROUP BY day) AS days
        """,  # noqa: S608
        params | {"offset": offset},
    )
    if day is None:
        return PageStart(count, None, offset)
    # From the nearer end of the day: half as many rows are skipped, few for the last page.
    skipped, left = offset - before, through - offset - 1
    backwards = left < skipped
    bound = datetime.combine(day, time.min, UTC) + (timedelta() if ascending != backwards else DAY)
    return PageStart(count, bound, min(skipped, left), backwards)


def _is_counted(query: IncidentQuery) -> bool:
    return all(each.counted for each, _ in filters_of(query))


def _counts(query: IncidentQuery, *, by_day: bool) -> tuple[str, dict[str, Any]]:
    """Returns SQL whose rows (day, n) add up to the count, and its parameters."""
    after, before = query.created_after, query.created_before
    conditions, params = where_clause(replace(query, created_after=None, created_before=None))
    chosen = "".join(f" AND {condition}" for condition in conditions)
    days, partial_days = chosen, ""
    if after:
        after = min(after, LAST_DAY)
        midnight = _midnight(after)
        params |= {"after": after, "first": midnight if midnight == after else midnight + DAY}
        days += " AND day >= %(first)s"
    if before:
        params |= {"before": before, "last": _midnight(before)}
        days += " AND day < %(last)s"
    # Partial first and last days are counted from the incidents themselves.
    if after and after < params["first"]:
        params["until"] = min(params["first"], before or LAST_DAY)
        partial_days += PARTIAL_DAY.format(start="after", end="until", chosen=chosen)
    if before and before > params["last"]:
        params["since"] = max(params["last"], params["first"]) if after else params["last"]
        partial_days += PARTIAL_DAY.format(start="since", end="before", chosen=chosen)
    level = "IS NOT NULL" if by_day else "IS NULL"
    return COUNTS.format(level=level, days=days, partial_days=partial_days), params


# A row of incidents_count without a day is the sum of all days.
COUNTS = """
SELECT day, n FROM incidents_count WHERE day {level}{days}
UNION ALL SELECT day, n FROM incidents_countdelta WHERE day IS NOT NULL{days}{partial_days}
"""
PARTIAL_DAY = """
UNION ALL SELECT (%({start})s AT TIME ZONE 'UTC')::date, count(*) FROM incidents_incident
WHERE created_at >= %({start})s AND created_at < %({end})s{chosen}
"""


def _midnight(at: datetime) -> datetime:
    return at.replace(hour=0, minute=0, second=0, microsecond=0)
