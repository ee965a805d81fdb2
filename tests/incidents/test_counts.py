"""The counts that PostgreSQL keeps are those of the rows, and a page is found by them where OFFSET finds it."""

from datetime import UTC, datetime, timedelta
from importlib import import_module

import pytest
from django.db import connection, transaction
from django.db.models import F

from core.db.postgresql import fetch
from incidents.listing.counts import PageStart, count_sql, find_page_start
from incidents.listing.filters import IncidentQuery, apply_filters
from incidents.models import Incident, Source, Status
from tests.helpers.counts import assert_exact, counted, deltas, merge_deltas
from tests.helpers.incidents import DAY, HOUR, MIDNIGHT, make_many, seeded

pytestmark = pytest.mark.django_db


@pytest.fixture
def chance():
    return seeded()


@pytest.fixture
def incidents(db, chance):
    """Some hundreds over ten days: a day without any, timestamps shared by many, timestamps at midnight."""
    days, hours = [0, 1, 2, 3, 5, 6, 7, 8, 9], [0, 0, 1, 23]
    make_many(600, chance, lambda: MIDNIGHT + DAY * chance.choice(days) + HOUR * chance.choice(hours))
    with connection.cursor() as cursor:
        # As after a commit: a table whose references are still to be checked is neither truncated nor altered.
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")


def any_filters(chance):
    timestamps = [None, *(MIDNIGHT + HOUR * chance.randrange(-12, 260) for _ in range(3)), MIDNIGHT + DAY * 3]
    return {
        "status": tuple(chance.sample(Status.values, chance.choice([0, 0, 1, 2, 4]))),
        "source": tuple(chance.sample(Source.values, chance.choice([0, 0, 1, 2]))),
        "urgent": chance.choice(["", "true", "false"]),
        "created_after": chance.choice(timestamps),
        "created_before": chance.choice(timestamps),
    }


def test_counts_follow_the_orm():
    incidents = Incident.objects.bulk_create(
        Incident(description="a", source="operator", created_at=MIDNIGHT + HOUR * number) for number in range(50)
    )
    assert_exact()
    Incident.objects.filter(pk__lt=incidents[20].pk).update(status="closed", source="partner")
    assert_exact()
    Incident.objects.filter(pk__gt=incidents[40].pk).delete()
    assert_exact()
    Incident.objects.update(created_at=F("created_at") + timedelta(hours=30))
    assert_exact()
    assert counted() == 41


@pytest.mark.parametrize(
    "sql",
    [
        "INSERT INTO incidents_incident SELECT * FROM incidents_incident "
        "ON CONFLICT (id) DO UPDATE SET status = 'open'",
        "UPDATE incidents_incident SET urgent = NOT urgent WHERE id % 3 = 0",
        "MERGE INTO incidents_incident i USING generate_series(1, 9) g ON i.id % 9 = g "
        "WHEN MATCHED AND g < 4 THEN DELETE WHEN MATCHED THEN UPDATE SET source = 'partner'",
        "WITH gone AS (DELETE FROM incidents_incident WHERE id % 2 = 0) "
        "UPDATE incidents_incident SET created_at = created_at - interval '1 year' WHERE id % 2 = 1",
        "UPDATE incidents_incident SET id = id + 1000000, description = 'other'",
        "DELETE FROM incidents_incident WHERE false",
        "TRUNCATE incidents_incident CASCADE",
    ],
)
def test_counts_follow_raw_sql(incidents, sql):
    with connection.cursor() as cursor:
        cursor.execute(sql)
    assert_exact()
    assert counted() == Incident.objects.count()


def test_counts_follow_copy(incidents):
    with connection.cursor() as cursor:
        with cursor.copy(
            "COPY incidents_incident (description, status, source, created_at, updated_at) FROM STDIN"
        ) as copy:
            for number in range(500):
                copy.write_row(("a", "open", "operator", *[MIDNIGHT + HOUR * number] * 2))
    assert_exact()
    assert counted() == 1100


def test_a_savepoint_rolled_back(incidents):
    try:
        with transaction.atomic():
            Incident.objects.update(status="closed")
            merge_deltas()
            raise RuntimeError
    except RuntimeError:
        pass
    assert_exact()


def test_a_change_of_the_description_alone_adds_nothing(incidents):
    merge_deltas()
    Incident.objects.update(description="b")
    assert deltas() == 0


def test_merging_changes_no_count(incidents):
    Incident.objects.filter(status="open").update(status="closed")
    before = counted(status=("closed",))
    merge_deltas()
    assert deltas() == 0
    assert_exact()
    assert counted(status=("closed",)) == before


def test_deltas_are_merged_by_themselves(incidents):
    """Each of the 1,800 changes or more adds two, and merges with a chance of one in 25."""
    merge_deltas()
    for incident in Incident.objects.all():
        for status in Status.values:
            Incident.objects.filter(pk=incident.pk).update(status=status)
    assert deltas() < 2 * 1_800
    assert_exact()


def test_the_migrations_count_what_is_there(incidents):
    counts, urgent = (import_module(f"incidents.migrations.{name}") for name in ("0004_counts", "0023_urgent"))
    Incident.objects.filter(pk__in=Incident.objects.values("pk")[:50]).update(urgent=True)
    merge_deltas()
    with connection.schema_editor() as editor:
        urgent.remove_columns(None, editor)
        with connection.cursor() as cursor:  # by the functions of the release before
            cursor.execute("UPDATE incidents_incident SET status = 'closed' WHERE id % 2 = 0")
        urgent.add_columns(None, editor)
    assert_exact()
    with connection.schema_editor() as editor:
        urgent.remove_columns(None, editor)
        counts.backwards(None, editor)
        counts.forwards(None, editor)
        urgent.add_columns(None, editor)
    assert deltas() == 0
    assert_exact()


def test_the_count_of_any_filters(incidents, chance):
    for _ in range(200):
        filters = any_filters(chance)
        chosen = apply_filters(IncidentQuery(**filters), Incident.objects.all())
        assert counted(**filters) == chosen.count(), filters


@pytest.mark.parametrize("ordering", ["created_at", "-created_at"])
def test_at_most_half_of_a_day_is_skipped(incidents, ordering):
    days = [Incident.objects.filter(created_at__date=MIDNIGHT + DAY * number).count() for number in range(10)]
    starts = [find_page_start(IncidentQuery(ordering=ordering), offset, fetch) for offset in range(600)]
    assert max(start.offset for start in starts) == (max(days) - 1) // 2
    assert {start.backwards for start in starts} == {True, False}
    assert starts[0].offset == starts[-1].offset == 0


def test_behind_the_last_page(incidents):
    assert find_page_start(IncidentQuery(), 600, fetch) == PageStart(600, None, 600)


@pytest.mark.parametrize("at", [datetime.min, datetime.max, datetime(9999, 12, 31)])
def test_timestamps_at_the_ends_of_the_calendar(incidents, at):
    at = at.replace(tzinfo=UTC)
    after, before = (counted(**{name: at}) for name in ("created_after", "created_before"))
    assert (after, before) == ((600, 0) if at.year == 1 else (0, 600))


@pytest.mark.parametrize("query", [{"search": "text"}, {"updated_after": MIDNIGHT}, {"updated_before": MIDNIGHT}])
def test_some_filters_are_not_counted(query):
    assert count_sql(IncidentQuery(**query)) is None
    assert find_page_start(IncidentQuery(**query), 1, fetch) is None
