"""What the board and the metrics show."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from itertools import product
from typing import Any

from django.db.models import Max, QuerySet
from django.utils import timezone

from incidents.listing.filters import IncidentQuery
from incidents.models import (
    RESOLUTION,
    UNRESOLVED,
    Incident,
    IncidentChange,
    Source,
    Status,
)
from incidents.store import store

WEEK = timedelta(days=7)


def counts_by_status_and_source() -> dict[tuple[str, str], int]:
    """Counts the incidents there are now, zeros included."""
    return dict.fromkeys(product(Status.values, Source.values), 0) | store.count_by_status_and_source()


def created_per_day(days: int) -> dict[date, int]:
    """Counts the incidents created on each of the last `days` days in UTC, today included, zeros included."""
    first = _first(days)
    return _zeros(first, days) | store.count_created_by_day(first)


def resolved_per_day(days: int) -> dict[date, int]:
    """Counts the incidents last resolved on each of the last `days` days in UTC, as `created_per_day` does."""
    first = _first(days)
    resolutions = last_resolutions(datetime.combine(first, time.min, UTC))
    return _zeros(first, days) | store.count_resolved_by_day(resolutions)


def last_resolutions(since: datetime) -> QuerySet:
    """
    Finds when each resolved or closed incident last became so, not before `since`: `incident` and `resolved_at`.

    One that was closed without being resolved became so then. Few rows are read where `since` is near.
    """
    # Without a join: an index alone has the entries, and few incidents are unresolved.
    unresolved = Incident.objects.filter(status__in=UNRESOLVED)
    resolutions = IncidentChange.objects.filter(RESOLUTION, at__gte=since).exclude(incident__in=unresolved)
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
    """Returns the week that ends now and the week before it."""
    now = timezone.now()
    middle = now - WEEK
    since = middle - WEEK
    numbers = store.sum_up_resolutions(last_resolutions(since).filter(resolved_at__lt=now), since, middle)
    return _period(middle, now, numbers.get(True)), _period(since, middle, numbers.get(False))


def oldest(status: Status, limit: int, *, urgent_only: bool = False) -> list[Incident]:
    """Reads the oldest incidents of a status, with the beginning of their description as `excerpt`."""
    incidents = Incident.objects.filter(status=status)
    if urgent_only:
        incidents = incidents.filter(urgent=True)
    return list(incidents.in_order("created_at").with_excerpts()[:limit])


def _period(since: datetime, until: datetime, resolved: list[Any] | None) -> Period:
    created = store.count_incidents(IncidentQuery(created_after=since, created_before=until))
    return Period(since, until, created, *(resolved or (0, None)))


def _first(days: int) -> date:
    return timezone.now().astimezone(UTC).date() - timedelta(days=days - 1)


def _zeros(first: date, days: int) -> dict[date, int]:
    return {first + timedelta(days=number): 0 for number in range(days)}
