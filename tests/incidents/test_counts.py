"""The counts that PostgreSQL keeps are those of the rows, and a page is found by them where OFFSET finds it."""

import random
from datetime import UTC, datetime, timedelta
from importlib import import_module

import pytest
from django.db import connection, transaction
from django.db.models import F

from core.db.postgresql import fetch
from incidents.listing.counts import Place, count, locate
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
    filters = {
        "status": random.sample(Status.values, random.choice([0, 0, 1, 2, 4])),
        "source": random.sample(Source.values, random.choice([0, 0, 1, 2])),
        "created_after": random.choice(moments),
        "created_before": random.choice(moments),
    }
    return {name: value for name, value in filters.items() if value}


def chosen(filters):
    lookups = {"status": "status__in", "source": "source__in", "created_after": "created_at__gte"}
    lookups["created_before"] = "created_at__lt"
    return Incident.objects.filter(**{lookups[name]: value for name, value in filters.items()})


def counted(filters):
    ((number,),) = fetch(*count(filters))
    return number


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
    assert counted({}) == 41


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
    assert counted({}) == Incident.objects.count()


def test_what_is_copied(incidents):
    with connection.cursor() as cursor:
        with cursor.copy(
            "COPY incidents_incident (description, status, source, created_at, updated_at) FROM STDIN"
        ) as copy:
            for number in range(500):
                copy.write_row(("a", "open", "operator", *[MIDNIGHT + HOUR * number] * 2))
    assert_exact()
    assert counted({}) == 1100


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
    before = counted({"status": ["closed"]})
    fold()
    assert deltas() == 0
    assert_exact()
    assert counted({"status": ["closed"]}) == before


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
        assert counted(filters) == chosen(filters).count(), filters


def test_a_page_in_a_day_is_found_without_walking_the_days_before_it(incidents):
    place = locate({"ordering": "created_at"}, 300, fetch)
    assert place.bound > MIDNIGHT + DAY
    assert place.offset < Incident.objects.filter(created_at__gte=place.bound, created_at__lt=place.bound + DAY).count()


def test_behind_the_last_page(incidents):
    assert locate({}, 600, fetch) == Place(600, None, 600)


@pytest.mark.parametrize("moment", [datetime.min, datetime.max, datetime(9999, 12, 31)])
def test_moments_at_the_ends_of_the_calendar(incidents, moment):
    moment = moment.replace(tzinfo=UTC)
    after, before = (counted({name: moment}) for name in ("created_after", "created_before"))
    assert (after, before) == ((600, 0) if moment.year == 1 else (0, 600))


@pytest.mark.parametrize("name", ["search", "updated_after", "updated_before"])
def test_only_the_rows_can_tell(name):
    assert (count({name: MIDNIGHT}), locate({name: MIDNIGHT}, 1, fetch)) == (None, None)
