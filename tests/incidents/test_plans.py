"""What a list is read from, however many incidents there are."""

from datetime import UTC, datetime, timedelta
from urllib.parse import quote

import pytest
from django.db import IntegrityError, connection

from incidents.history import taken_by
from incidents.models import Incident, IncidentChange
from incidents.reports import last_weeks, oldest_unresolved, resolved_per_day
from tests.helpers.concurrency import at_once
from tests.helpers.database import explained

URL = "/api/v1/incidents/"
CREATED, UPDATED = datetime(2024, 1, 15, 10, 30, tzinfo=UTC), datetime(2024, 1, 17, tzinfo=UTC)


@pytest.fixture
def plans(db, api):
    """The plans of the statements of a list, without those that only suit as few incidents as there are here."""
    Incident.objects.bulk_create(
        Incident(
            description=f"Терминал №{number} не отвечает",
            status="closed",
            source="partner",
            created_at=CREATED - timedelta(hours=number),
            updated_at=CREATED - timedelta(hours=number),
        )
        for number in range(48, 3_000)
    )
    Incident.objects.create(
        description="Самокат: 50 % a_b\\c", source="operator", created_at=CREATED, updated_at=UPDATED
    )

    def of(query, *but):
        with connection.cursor() as cursor:
            cursor.execute("SELECT gin_clean_pending_list('incidents_search_text')")
            cursor.execute("ANALYZE incidents_incident, incidents_search")
            for way in ("seqscan", "sort", *but):
                cursor.execute(f"SET LOCAL enable_{way} = off")
        with explained() as plans:
            assert api.get(f"{URL}?{query}").json()["count"] in (1, 2_953)
        return plans

    return of


@pytest.mark.parametrize("text", ["самокат", "САМ", "50 %", "a_b\\c"])
def test_a_search_has_its_index(plans, text):
    (plan,) = plans(f"search={quote(text)}")
    assert plan.count("Bitmap Index Scan on incidents_search_text") == 2  # for the count and for the page


@pytest.mark.parametrize(
    "query",
    [
        "",
        "status=open",
        "status=open,closed",
        "source=operator",
        "status=open&source=operator",
        "created_after=2024-01-15&created_before=2024-01-16",
        "created_after=2024-01-15T10:00:00Z&created_before=2024-01-15T11:00:00Z",
        "updated_after=2024-01-17",
        "updated_before=2024-01-18",
        "updated_after=2024-01-17&status=open",
    ],
)
def test_no_filter_reads_all_incidents(plans, query):
    for plan in plans(query):
        assert "Seq Scan on incidents_incident" not in plan


@pytest.mark.parametrize(
    ("index", "query"),
    [
        ("incident_newest", "created_before=2024-01-16"),
        ("incident_newest", "ordering=created_at"),
        ("incident_status_newest", "status=open"),
        ("incident_source_newest", "source=operator&ordering=created_at"),
        ("incident_status_source_newest", "status=open&source=operator"),
        ("incident_updated_covering", "updated_after=2024-01-16&ordering=-updated_at"),
        ("incident_updated_covering", "ordering=updated_at"),
        ("incidents_incident_pkey", "ordering=-id"),
        ("incidents_incident_pkey", "ordering=id"),
    ],
)
def test_an_ordering_has_its_index(plans, index, query):
    page = plans(query, "bitmapscan")[-1]
    assert index in page
    assert "Sort" not in page.partition("InitPlan")[0]


def test_updated_before_does_not_pass_what_was_created_since(plans):
    page = plans("updated_before=2024-01-18", "bitmapscan")[-1]
    assert "Index Cond: (created_at < " in page


def test_what_was_updated_is_counted_in_an_index(plans):
    count = plans("updated_after=2024-01-16", "bitmapscan")[0]
    assert "Index Only Scan using incident_updated_covering" in count


@pytest.mark.django_db
@pytest.mark.both_databases
def test_nothing_is_updated_before_it_is_created():
    with pytest.raises(IntegrityError):
        Incident.objects.create(description="a", source="operator", updated_at=CREATED)


@pytest.mark.django_db(transaction=True)
def test_the_planner_prefers_indexes_and_compiles_nothing():
    def settings():
        with connection.cursor() as cursor:
            cursor.execute("SELECT current_setting('random_page_cost'), current_setting('jit')")
            return cursor.fetchone()

    assert at_once(settings) == [("1.1", "off")]


@pytest.mark.django_db
def test_the_planner_knows_which_combinations_are_rare():
    Incident.objects.bulk_create(
        Incident(description="a", status=status, source=source)
        for status, source in [("open", "operator"), ("closed", "partner")]
        for _ in range(500)
    )
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE incidents_incident")
        cursor.execute(
            "EXPLAIN (FORMAT JSON) SELECT FROM incidents_incident WHERE status = 'open' AND source = 'partner'"
        )
        ((plan,),) = cursor.fetchone()
    assert plan["Plan"]["Plan Rows"] < 10


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("report", "index"),
    [
        (lambda: oldest_unresolved(15), "incident_status_newest"),
        (lambda: resolved_per_day(30), "incident_change_resolution"),
        (last_weeks, "incident_change_resolution"),
        (lambda: taken_by(range(50)), "incident_change_history"),
    ],
)
def test_the_board_has_its_indexes(report, index):
    comment = {"at": CREATED, "actor": "a", "channel": "api", "changes": {"comment": [None, "a"]}}
    incidents = Incident.objects.bulk_create(Incident(description="a", source="operator") for _ in range(1000))
    IncidentChange.objects.bulk_create(IncidentChange(incident=incident, **comment) for incident in incidents)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE incidents_incidentchange")  # any index of an empty table costs the same
        for way in ("seqscan", "bitmapscan", "sort"):
            cursor.execute(f"SET LOCAL enable_{way} = off")
    with explained() as plans:
        report()
    assert [plan for plan in plans if index not in plan and "incidents_count" not in plan] == []
