"""What the board and the metrics ask, in one query each: from the counts on PostgreSQL, from the rows on SQLite."""

from collections import Counter
from collections.abc import Iterable
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from django.db import connection
from django.db.models import Count
from django.db.models.functions import TruncDate
from django.utils import timezone

from incidents.models import Incident, IncidentCount, IncidentCountDelta, Source, Status


def counts_by_status_and_source() -> dict[tuple[str, str], int]:
    """How many incidents there are now, zeros included."""
    if connection.vendor == "postgresql":
        rows = _counts("status", "source", of_counts={"day__isnull": True}, of_deltas={})
    else:
        rows = Incident.objects.values_list("status", "source", Count("pk"))
    return {(status, source): 0 for status in Status.values for source in Source.values} | _sums(rows)


def created_per_day(days: int) -> dict[date, int]:
    """How many incidents were created on each of the last `days` days in UTC, today included, zeros included."""
    today = timezone.now().astimezone(UTC).date()
    first = today - timedelta(days=days - 1)
    if connection.vendor == "postgresql":
        rows = _counts("day", of_counts={"day__gte": first}, of_deltas={"day__gte": first})
    else:
        since = Incident.objects.filter(created_at__gte=datetime.combine(first, time.min, UTC))
        rows = since.values_list(TruncDate("created_at", tzinfo=UTC), Count("pk"))
    return {first + timedelta(days=number): 0 for number in range(days)} | _sums(rows)


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
