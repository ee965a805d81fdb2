"""The counts that PostgreSQL keeps are those of the rows, and a page is found by them where OFFSET finds it."""

import random
from datetime import UTC, datetime, timedelta
from importlib import import_module

import pytest
from django.db import connection, transaction
from django.db.models import F

from incidents.counts import Place, locate
from incidents.models import Incident, Source, Status

pytestmark = pytest.mark.django_db

MIDNIGHT = datetime(2024, 1, 15, tzinfo=UTC)
DAY = timedelta(days=1)
HOUR = timedelta(hours=1)


def rows(sql, connection=connection):
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return sorted(cursor.fetchall())


def assert_exact(connection=connection):
    """The counts are those of the rows, by day, status and source as by status and source alone."""
    kept = """
        SELECT day, status, source, sum(n)::bigint
        FROM (SELECT * FROM incidents_count UNION ALL SELECT * FROM incidents_countdelta
              UNION ALL SELECT NULL, status, source, n FROM incidents_countdelta) AS kept
        GROUP BY 1, 2, 3 HAVING sum(n) <> 0
    """
    counted = """
        SELECT (created_at AT TIME ZONE 'UTC')::date, status, source, count(*) FROM incidents_incident GROUP BY 1, 2, 3
        UNION ALL SELECT NULL, status, source, count(*) FROM incidents_incident GROUP BY 2, 3
    """
    for one, other in ((kept, counted), (counted, kept)):
        assert rows(f"({one}) EXCEPT ALL ({other})", connection) == []


def deltas():
    return rows("SELECT count(*) FROM incidents_countdelta")[0][0]


def fold():
    rows("SELECT incidents_count_fold()")


@pytest.fixture
def incidents():
    """Some hundreds over ten days: a day without any, moments shared by many, moments at midnight."""
    Incident.objects.bulk_create(
        Incident(
            description="Самокат не в сети",
            status=random.choice(Status.values),
            source=random.choice(Source.values),
            created_at=MIDNIGHT
            + DAY * random.choice([0, 1, 2, 3, 5, 6, 7, 8, 9])
            + HOUR * random.choice([0, 0, 1, 23]),
        )
        for _ in range(600)
    )


def some_filters():
    moments = [None, *(MIDNIGHT + HOUR * random.randrange(-12, 260) for _ in range(3)), MIDNIGHT + DAY * 3]
    return {
        "status": random.sample(Status.values, random.choice([0, 0, 1, 2, 4])),
        "source": random.sample(Source.values, random.choice([0, 0, 1, 2])),
        "created_after": random.choice(moments),
        "created_before": random.choice(moments),
        "ordering": random.choice(["", "created_at", "-created_at", "id", "-updated_at"]),
    }


def chosen(filters):
    lookups = {"status": "status__in", "source": "source__in", "created_after": "created_at__gte"}
    lookups["created_before"] = "created_at__lt"
    return Incident.objects.filter(
        **{lookup: filters[name] for name, lookup in lookups.items() if filters.get(name)}
    ).in_order(filters.get("ordering") or "-created_at")


def page(filters, offset):
    """The ids of a page of seven."""
    place = locate(filters, offset)
    incidents = chosen(filters)
    if place.bound:
        side = "created_at__gte" if filters["ordering"] == "created_at" else "created_at__lt"
        incidents = incidents.filter(**{side: place.bound})
    return list(incidents.values_list("id", flat=True)[place.offset : place.offset + 7])


def test_what_django_writes():
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
    assert locate({}).count == 41


@pytest.mark.parametrize(
    "sql",
    [
        "INSERT INTO incidents_incident SELECT * FROM incidents_incident "
        "ON CONFLICT (id) DO UPDATE SET status = 'open'",
        "MERGE INTO incidents_incident i USING generate_series(1, 9) g ON i.id % 9 = g "
        "WHEN MATCHED AND g < 4 THEN DELETE WHEN MATCHED THEN UPDATE SET source = 'partner'",
        "WITH gone AS (DELETE FROM incidents_incident WHERE id % 2 = 0) "
        "UPDATE incidents_incident SET created_at = created_at - interval '1 year' WHERE id % 2 = 1",
        "UPDATE incidents_incident SET id = id + 1000000, description = 'other'",
        "DELETE FROM incidents_incident WHERE false",
        "TRUNCATE incidents_incident CASCADE",
    ],
)
def test_what_is_written_by_hand(incidents, sql):
    with connection.cursor() as cursor:
        cursor.execute(sql)
    assert_exact()
    assert locate({}).count == Incident.objects.count()


def test_what_is_copied(incidents):
    with connection.cursor() as cursor:
        with cursor.copy(
            "COPY incidents_incident (description, status, source, created_at, updated_at) FROM STDIN"
        ) as copy:
            for number in range(500):
                copy.write_row(("a", "open", "operator", *[MIDNIGHT + HOUR * number] * 2))
    assert_exact()
    assert locate({}).count == 1100


def test_a_savepoint_rolled_back(incidents):
    try:
        with transaction.atomic():
            Incident.objects.update(status="closed")
            fold()
            raise RuntimeError
    except RuntimeError:
        pass
    assert_exact()


def test_a_change_of_the_description_alone_adds_nothing(incidents):
    fold()
    Incident.objects.update(description="b")
    assert deltas() == 0


def test_folding_changes_no_count(incidents):
    Incident.objects.filter(status="open").update(status="closed")
    before = locate({"status": ["closed"]})
    fold()
    assert deltas() == 0
    assert_exact()
    assert locate({"status": ["closed"]}) == before


def test_deltas_fold_themselves(incidents):
    most = 0
    for incident in Incident.objects.all():
        for status in Status.values:
            Incident.objects.filter(pk=incident.pk).update(status=status)
        most = max(most, deltas())
    assert 0 < most < 1_000
    assert_exact()


def test_the_migration_counts_what_is_there(incidents):
    migration = import_module("incidents.migrations.0004_counts")
    with connection.schema_editor() as editor:
        migration.backwards(None, editor)
        migration.forwards(None, editor)
    assert deltas() == 0
    assert_exact()


def test_the_count_of_any_filters(incidents):
    for _ in range(200):
        filters = some_filters()
        assert locate(filters).count == chosen(filters).count(), filters


def test_a_page_is_where_offset_finds_it(incidents):
    for _ in range(200):
        filters = some_filters()
        ids = list(chosen(filters).values_list("id", flat=True))
        offset = random.randrange(len(ids) + 1)
        assert page(filters, offset) == ids[offset : offset + 7], (filters, offset)


def test_a_page_in_a_day_is_found_without_walking_the_days_before_it(incidents):
    place = locate({"ordering": "created_at"}, 300)
    assert place.bound > MIDNIGHT + DAY
    assert place.offset < Incident.objects.filter(created_at__gte=place.bound, created_at__lt=place.bound + DAY).count()


def test_behind_the_last_page(incidents):
    assert locate({}, 600) == Place(600, None, 600)


@pytest.mark.parametrize("moment", [datetime.min, datetime.max, datetime(9999, 12, 31)])
def test_moments_at_the_ends_of_the_calendar(incidents, moment):
    moment = moment.replace(tzinfo=UTC)
    after, before = (locate({name: moment}).count for name in ("created_after", "created_before"))
    assert (after, before) == ((600, 0) if moment.year == 1 else (0, 600))


@pytest.mark.parametrize("name", ["search", "updated_after", "updated_before"])
def test_only_the_rows_can_tell(name):
    assert locate({name: MIDNIGHT}) is None


@pytest.mark.both_databases
def test_sqlite_is_asked_for_its_rows():
    assert (locate({}) is None) == (connection.vendor == "sqlite")
