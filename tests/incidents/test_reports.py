"""What the board and the metrics ask, the same on both databases."""

from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.utils import timezone

from incidents.models import Incident, IncidentCount, IncidentCountDelta, IncidentText, Source, Status
from incidents.reports import counts_by_status_and_source, created_per_day
from tests.helpers.counts import fold
from tests.helpers.incidents import make_incident, make_many, seeded

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]

TODAY = datetime(2024, 1, 20, tzinfo=UTC)


@pytest.fixture(autouse=True)
def clock(monkeypatch):
    monkeypatch.setattr(timezone, "now", lambda: TODAY + timedelta(hours=15))


@pytest.fixture(params=[False, True], ids=["deltas", "folded"])
def incidents(db, request):
    chance = seeded()
    make_many(200, chance, lambda: TODAY - timedelta(hours=chance.randrange(-12, 240)))
    if request.param and connection.vendor == "postgresql":
        fold()
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
    assert created_per_day(3) == {(TODAY - timedelta(days=number)).date(): 0 for number in range(3)}


def test_the_tables_that_postgresql_keeps_are_models():
    if connection.vendor == "sqlite":
        assert not {"incidents_count", "incidents_search"} & set(connection.introspection.table_names())
        return
    incident = make_incident(description="Ёлка")
    assert IncidentText.objects.get(incident=incident).text == "ЁЛКА"
    fold()
    assert not IncidentCountDelta.objects.exists()
    assert sum(IncidentCount.objects.filter(day__isnull=True).values_list("n", flat=True)) == 1
