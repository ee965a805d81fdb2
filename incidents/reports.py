"""What the board asks. How many incidents there are: from the counts on PostgreSQL, from the rows on SQLite."""

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from heapq import merge
from itertools import islice
from statistics import median
from typing import Any

from django.db import connection
from django.db.models import Count, F, Max, QuerySet
from django.db.models.functions import Left, TruncDate
from django.utils import timezone

from core.db.postgresql import fetch
from incidents.listing.counts import count_sql
from incidents.listing.filters import IncidentQuery
from incidents.models import (
    RESOLUTION,
    UNRESOLVED,
    Incident,
    IncidentChange,
    IncidentCount,
    IncidentCountDelta,
    Source,
    Status,
)

WEEK = timedelta(days=7)
EXCERPT = 300  # characters: more than two lines


def counts_by_status_and_source() -> dict[tuple[str, str], int]:
    """How many incidents there are now, zeros included."""
    if connection.vendor == "postgresql":
        rows = _counts("status", "source", of_counts={"day__isnull": True}, of_deltas={})
    else:
        rows = Incident.objects.values_list("status", "source").annotate(Count("pk"))
    return {(status, source): 0 for status in Status.values for source in Source.values} | _sums(rows)


def created_per_day(days: int) -> dict[date, int]:
    """How many incidents were created on each of the last `days` days in UTC, today included, zeros included."""
    first = _first(days)
    if connection.vendor == "postgresql":
        rows = _counts("day", of_counts={"day__gte": first}, of_deltas={"day__gte": first})
    else:
        since = Incident.objects.filter(created_at__gte=datetime.combine(first, time.min, UTC))
        rows = since.values_list(TruncDate("created_at", tzinfo=UTC)).annotate(Count("pk"))
    return _zeros(first, days) | _sums(rows)


def resolved_per_day(days: int) -> dict[date, int]:
    """How many incidents were last resolved on each of the last `days` days in UTC, as with `created_per_day`."""
    first = _first(days)
    rows = last_resolutions(datetime.combine(first, time.min, UTC))
    if connection.vendor == "postgresql":
        counts = dict(_group(rows, "(resolved_at AT TIME ZONE 'UTC')::date, count(*)"))
    else:
        counts = Counter(at.date() for at in rows.values_list("resolved_at", flat=True))
    return _zeros(first, days) | counts


def last_resolutions(since: datetime) -> QuerySet:
    """
    When each incident that is resolved or closed last became so, not before `since`: `incident` and `resolved_at`.

    One that was closed without being resolved became so then. Few rows are read where `since` is near.
    """
    # Limited by updated_at, an index alone is read of the incidents.
    resolutions = IncidentChange.objects.filter(RESOLUTION, at__gte=since, incident__updated_at__gte=since)
    resolutions = resolutions.exclude(incident__status__in=UNRESOLVED)
    return resolutions.values("incident").annotate(resolved_at=Max("at")).order_by()


@dataclass(frozen=True)
class Period:
    """What was created and resolved in it, and the median time from the one to the other."""

    since: datetime
    until: datetime
    created: int
    resolved: int
    median: timedelta | None


def last_weeks() -> tuple[Period, Period]:
    """The week that ends now and the week before it."""
    now = timezone.now()
    middle = now - WEEK
    rows = last_resolutions(middle - WEEK).filter(resolved_at__lt=now).annotate(created_at=F("incident__created_at"))
    # By whether it is the later week: the number of incidents, and the median. One recorded as resolved took no time.
    if connection.vendor == "postgresql":
        numbers = {later: found for later, *found in _group(rows, f"resolved_at >= %s, count(*), {MEDIAN}", middle)}
    else:
        times = defaultdict(list)
        for created_at, at in rows.values_list("created_at", "resolved_at"):
            times[at >= middle].append(at - created_at)
        numbers = {
            later: [len(took), median(filter(None, took)) if any(took) else None] for later, took in times.items()
        }
    return _period(middle, now, numbers.get(True)), _period(middle - WEEK, middle, numbers.get(False))


def oldest_unresolved(limit: int) -> list[Incident]:
    """The oldest open and in-progress incidents, with the beginning of their description as `excerpt`."""
    # One query for each status: an index has each in order, but not both.
    by_status = (
        Incident.objects.filter(status=status)
        .in_order("created_at")
        .defer("description")
        .annotate(excerpt=Left("description", EXCERPT))[:limit]
        for status in UNRESOLVED
    )
    return list(islice(merge(*by_status, key=lambda incident: (incident.created_at, incident.pk)), limit))


MEDIAN = """percentile_cont(0.5) WITHIN GROUP (ORDER BY resolved_at - created_at)
            FILTER (WHERE resolved_at > created_at)"""


def _group(rows: QuerySet, columns: str, *params: Any) -> list[tuple]:
    """Columns of an aggregation of the rows, by the first one; Django has none of an aggregation."""
    sql, others = rows.query.sql_with_params()
    return fetch(f"SELECT {columns} FROM ({sql}) AS rows GROUP BY 1", [*params, *others], prepare=False)  # noqa: S608


def _period(since: datetime, until: datetime, resolved: list[Any] | None) -> Period:
    return Period(since, until, _created_between(since, until), *(resolved or (0, None)))


def _created_between(since: datetime, until: datetime) -> int:
    if connection.vendor == "postgresql":
        counted = count_sql(IncidentQuery(created_after=since, created_before=until))
        if counted:
            return fetch(*counted)[0][0]
    return Incident.objects.filter(created_at__gte=since, created_at__lt=until).count()


def _first(days: int) -> date:
    return timezone.now().astimezone(UTC).date() - timedelta(days=days - 1)


def _zeros(first: date, days: int) -> dict[date, int]:
    return {first + timedelta(days=number): 0 for number in range(days)}


def _counts(*fields: str, of_counts: dict[str, Any], of_deltas: dict[str, Any]) -> Iterable[tuple]:
    # One statement: between two a delta could be folded, and be missed or counted twice.
    deltas = IncidentCountDelta.objects.filter(**of_deltas).values_list(*fields, "n")
    return IncidentCount.objects.filter(**of_counts).values_list(*fields, "n").union(deltas, all=True)


def _sums(rows: Iterable[tuple]) -> dict:
    """Of rows whose last column is a number, by the others."""
    sums: Counter = Counter()
    for *key, n in rows:
        sums[tuple(key) if len(key) > 1 else key[0]] += n
    return sums
