"""What the board and the metrics ask, the same on both databases."""

from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.utils import timezone

from incidents.actors import Named
from incidents.models import Incident, IncidentCount, IncidentCountDelta, IncidentText, Source, Status
from incidents.reports import (
    counts_by_status_and_source,
    created_per_day,
    last_weeks,
    oldest,
    resolved_per_day,
)
from incidents.services import change_incident
from tests.helpers.counts import merge_deltas
from tests.helpers.incidents import make_incident, make_many, seeded

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]

TODAY = datetime(2024, 1, 20, tzinfo=UTC)
NOW = TODAY + timedelta(hours=15)
DAY, HOUR, MINUTE = timedelta(days=1), timedelta(hours=1), timedelta(minutes=1)


@pytest.fixture(autouse=True)
def clock(monkeypatch):
    monkeypatch.setattr(timezone, "now", lambda: NOW)


@pytest.fixture
def become(monkeypatch):
    """Gives an incident that is created now a status at another time."""

    def become(at, after, status="resolved"):
        incident = make_incident(created_at=at - after)
        with monkeypatch.context() as context:
            context.setattr(timezone, "now", lambda: at)
            change_incident(incident, values={"status": status}, actor=Named("a"), channel="api")

    return become


@pytest.fixture(params=[False, True], ids=["deltas", "merged"])
def incidents(db, request):
    chance = seeded()
    make_many(200, chance, lambda: TODAY - timedelta(hours=chance.randrange(-12, 240)))
    if request.param and connection.vendor == "postgresql":
        merge_deltas()
    Incident.objects.filter(pk__in=Incident.objects.order_by("pk")[:50]).update(status="closed")


def test_counts_by_status_and_source(incidents, django_assert_num_queries):
    with django_assert_num_queries(1):
        counts = counts_by_status_and_source()
    assert counts == {
        (status, source): Incident.objects.filter(status=status, source=source).count()
        for status in Status.values
        for source in Source.values
    }


def test_created_per_day(incidents, django_assert_num_queries):
    with django_assert_num_queries(1):
        counts = created_per_day(7)
    days = [TODAY - timedelta(days=number) for number in reversed(range(7))]
    assert counts == {
        day.date(): Incident.objects.filter(created_at__gte=day, created_at__lt=day + timedelta(days=1)).count()
        for day in days
    }


def test_nothing_is_reported_as_zeros():
    assert set(counts_by_status_and_source().values()) == {0}
    zeros = {(TODAY - timedelta(days=number)).date(): 0 for number in range(3)}
    assert created_per_day(3) == resolved_per_day(3) == zeros
    assert [(week.created, week.resolved, week.median) for week in last_weeks()] == [(0, 0, None)] * 2
    assert oldest(Status.OPEN, 5) == []


def test_resolved_per_day(become, django_assert_num_queries):
    for at in (NOW, TODAY, TODAY - MINUTE, TODAY - 2 * DAY, TODAY - 2 * DAY - MINUTE):
        become(at, HOUR)
    become(NOW, HOUR, "closed")
    make_incident()
    with django_assert_num_queries(1):
        assert list(resolved_per_day(3).items()) == [
            ((TODAY - 2 * DAY).date(), 1),
            ((TODAY - DAY).date(), 1),
            (TODAY.date(), 3),
        ]


def test_this_week_and_the_last(become, django_assert_num_queries):
    for hours in (1, 2, 6):
        become(NOW - MINUTE, timedelta(hours=hours))
    become(NOW - MINUTE, HOUR, "closed")
    become(NOW - 7 * DAY - MINUTE, 3 * DAY)
    become(NOW - 14 * DAY - MINUTE, HOUR)
    make_incident(status="resolved", created_at=NOW - HOUR)
    with django_assert_num_queries(3):
        this, last = last_weeks()
    assert (this.created, this.resolved, this.median) == (5, 5, 1.5 * HOUR)
    assert (last.created, last.resolved, last.median) == (1, 1, 3 * DAY)
    assert (this.since, this.until, last.since, last.until) == (NOW - 7 * DAY, NOW, NOW - 14 * DAY, NOW - 7 * DAY)


def test_what_was_created_before_both_weeks_counts_when_it_is_resolved(become):
    become(NOW - MINUTE, 30 * DAY)
    become(NOW - 7 * DAY - MINUTE, 20 * DAY)
    this, last = last_weeks()
    assert (this.resolved, this.median, last.resolved, last.median) == (1, 30 * DAY, 1, 20 * DAY)


@pytest.mark.parametrize(
    ("steps", "hours"),
    [
        ("resolved", 1),
        ("closed", 1),
        ("in_progress closed", 2),
        ("resolved closed", 1),
        ("closed resolved", 2),
        ("resolved closed resolved", 3),
        ("resolved open", None),
        ("closed in_progress", None),
        ("resolved in_progress resolved", 3),
        ("resolved open closed", 3),
        ("resolved closed open resolved closed", 4),
        ("resolved open resolved open resolved open", None),
        ("resolved undo", None),
        ("resolved closed undo", 1),
        ("resolved open undo", 1),
        ("closed open undo", 1),
        ("resolved undo undo", 1),
        ("resolved open undo open", None),
        ("resolved open undo open closed", 5),
    ],
)
def test_an_incident_counts_once_by_its_last_resolution(monkeypatch, steps, hours):
    incident = make_incident(created_at=NOW - 8 * HOUR)
    before = ["open"]
    for hour, step in enumerate(steps.split(), 1):
        monkeypatch.setattr(timezone, "now", lambda at=NOW - 8 * HOUR + hour * HOUR: at)
        values = {"status": before[-2] if step == "undo" else step}
        before.append(values["status"])
        undo = "" if step == "undo" else None
        change_incident(incident, values=values, actor=Named("a"), channel="api", taken_by=undo)
    monkeypatch.setattr(timezone, "now", lambda: NOW)
    week, _ = last_weeks()
    assert (week.resolved, week.median) == ((1, hours * HOUR) if hours else (0, None))
    assert sum(resolved_per_day(1).values()) == week.resolved


def test_a_flapping_incident_does_not_make_the_median_small(become):
    for hours in (2, 3, 4):
        become(NOW - MINUTE, hours * HOUR)
    flapping = make_incident(created_at=NOW - 2 * MINUTE)
    for _ in range(10):
        for status in ("resolved", "open"):
            flapping = change_incident(flapping, values={"status": status}, actor=Named("a"), channel="api")
    week, _ = last_weeks()
    assert (week.resolved, week.median) == (3, 3 * HOUR)


def test_an_incident_counts_in_the_week_of_its_last_resolution(monkeypatch):
    incident = make_incident(created_at=NOW - 11 * DAY)
    for status, days in (("resolved", 10), ("open", 9), ("resolved", 1)):
        monkeypatch.setattr(timezone, "now", lambda days=days: NOW - days * DAY)
        change_incident(incident, values={"status": status}, actor=Named("a"), channel="api")
    monkeypatch.setattr(timezone, "now", lambda: NOW)
    this, last = last_weeks()
    assert (this.resolved, this.median, last.resolved, last.median) == (1, 10 * DAY, 0, None)
    assert [day for day, count in resolved_per_day(12).items() if count] == [(NOW - DAY).date()]


def test_the_oldest_of_a_status(django_assert_num_queries):
    statuses = ["in_progress", "open", "closed", "resolved", "open", "in_progress", "open"]
    incidents = [
        make_incident(status=status, created_at=TODAY - number * HOUR, description="ж" * 400)
        for number, status in enumerate(statuses)
    ]
    with django_assert_num_queries(1):
        found = oldest(Status.OPEN, 2)
        assert {incident.excerpt for incident in found} == {"ж" * 300}
    assert found == [incidents[number] for number in (6, 4)]
    assert oldest(Status.IN_PROGRESS, 5) == [incidents[number] for number in (5, 0)]


def test_the_tables_that_postgresql_keeps_are_models():
    if connection.vendor == "sqlite":
        assert not {"incidents_count", "incidents_search"} & set(connection.introspection.table_names())
        return
    incident = make_incident(description="Ёлка")
    assert IncidentText.objects.get(incident=incident).text == "ЕЛКА"
    merge_deltas()
    assert not IncidentCountDelta.objects.exists()
    assert sum(IncidentCount.objects.filter(day__isnull=True).values_list("n", flat=True)) == 1
