"""What the board asks. How many incidents there are: from the counts on PostgreSQL, from the rows on SQLite."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from heapq import merge
from itertools import islice
from statistics import median
from typing import Any

from django.db import connection
from django.db.models import Aggregate, Count, F, QuerySet
from django.db.models.functions import Left, TruncDate
from django.utils import timezone

from core.db.postgresql import fetch
from incidents.listing.counts import count_sql
from incidents.listing.filters import IncidentQuery
from incidents.models import UNRESOLVED, Incident, IncidentChange, IncidentCount, IncidentCountDelta, Source, Status

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
    """How many incidents were resolved on each of the last `days` days in UTC, as with `created_per_day`."""
    first = _first(days)
    since = resolutions().filter(at__gte=datetime.combine(first, time.min, UTC))
    days_of = since.values_list(TruncDate("at", tzinfo=UTC))
    return _zeros(first, days) | _sums(days_of.annotate(Count("incident", distinct=True)))


def resolutions() -> QuerySet[IncidentChange]:
    """The changes by which incidents became resolved. Few are read where `at` is bounded."""
    return IncidentChange.objects.filter(changes__status__1=Status.RESOLVED.value)  # as in incident_change_resolved


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
    return _period(now - WEEK, now), _period(now - 2 * WEEK, now - WEEK)


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


class _Median(Aggregate):
    template = "percentile_cont(0.5) WITHIN GROUP (ORDER BY %(expressions)s)"


def _period(since: datetime, until: datetime) -> Period:
    resolved = resolutions().filter(at__gte=since, at__lt=until)
    count = resolved.values("incident").distinct().count()
    # One that was recorded as resolved has no such time.
    timed = resolved.filter(at__gt=F("incident__created_at"))
    if connection.vendor == "postgresql":
        middle = timed.aggregate(median=_Median(F("at") - F("incident__created_at")))["median"]
    else:
        times: list[Any] = [at - created for at, created in timed.values_list("at", "incident__created_at")]
        middle = median(times) if times else None
    return Period(since, until, _created_between(since, until), count, middle)


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
