"""What a list, the admin's and the board are read from, by the planner's own choice among a year's incidents."""

import re
from datetime import timedelta
from urllib.parse import quote

import pytest
from django.core.management import call_command
from django.db import IntegrityError, connection
from django.utils import timezone

from desk.related import reports_naming
from desk.templatetags.desk import mine
from identity.models import User
from incidents.actors import Named
from incidents.models import Incident, Status
from incidents.reports import last_weeks, oldest, resolved_per_day
from incidents.services import change_incident
from tests.helpers.concurrency import at_once
from tests.helpers.database import connected_to, database, explained
from tests.helpers.incidents import make_incident

pytestmark = [pytest.mark.django_db, pytest.mark.slow]
URL = "/api/v1/incidents/"
ADMIN = "/api/admin/incidents/incident/"
NOW = timezone.now()
# By names: the workers of pytest-xdist must agree on the tests' names.
TIMES = {
    "half": f"{NOW - timedelta(days=170):%Y-%m-%d}",
    "early": f"{NOW - timedelta(days=340):%Y-%m-%d}",
    "day": f"{NOW - timedelta(days=1):%Y-%m-%dT%H:%M:%SZ}",
    "hour": f"{NOW - timedelta(hours=23):%Y-%m-%dT%H:%M:%SZ}",
    "tomorrow": f"{NOW + timedelta(days=1):%Y-%m-%d}",
}
COUNT = 100_000  # one in five minutes
# The last few hundred are in work. An index is built faster than kept.
FILL = f"""
DROP INDEX incidents_search_text;
DROP INDEX incidents_search_numbers;
INSERT INTO incidents_incident (description, status, source, urgent, created_at, updated_at)
    SELECT CASE n WHEN 48 THEN 'Самокат: 50 % a_b\\c' ELSE 'Терминал №' || n || ' не отвечает: нет сети' END,
        CASE WHEN n > 300 OR n % 3 = 0 THEN 'closed' WHEN n % 3 = 1 THEN 'open' ELSE 'in_progress' END,
        (ARRAY['operator', 'monitoring', 'partner'])[1 + n % 3], n % 100 = 0, at, at
    FROM (
        SELECT n, '{NOW}'::timestamptz - n * interval '5 minutes' AS at FROM generate_series({COUNT}, 1, -1) AS n
    ) AS minutes;
INSERT INTO incidents_incidentchange (incident_id, at, actor, channel, changes)
    SELECT id, created_at, 'petrova', CASE WHEN id % 10000 = 0 THEN 'telegram' ELSE 'api' END,
        '{{"status": [null, "open"]}}' FROM incidents_incident ORDER BY id;
INSERT INTO incidents_incidentchange (incident_id, at, actor, channel, changes)
    SELECT id, created_at + interval '2 minutes', 'petrova', 'admin',
        '{{"status": ["open", "closed"]}}' FROM incidents_incident WHERE status = 'closed' ORDER BY id;
UPDATE incidents_incident SET taken_by = 'user' || id % 10 WHERE status <> 'open';
CREATE INDEX incidents_search_text ON incidents_search USING gin (text gin_trgm_ops);
CREATE INDEX incidents_search_numbers ON incidents_search USING gin (incidents_digits(text));
"""


@pytest.fixture(scope="module")
def year(django_db_setup, django_db_blocker):
    """A database of its own: the statistics of its tables stay out of the other tests'."""
    with django_db_blocker.unblock(), database("year"), connected_to("year"):
        call_command("migrate", verbosity=0)
        connection.close()  # the next one has the settings of the migrations
        with connection.cursor() as cursor:
            for statement in FILL.strip().split(";\n"):
                cursor.execute(statement)
            cursor.execute("VACUUM ANALYZE")
        yield


@pytest.fixture
def plans(year, api):
    """The plans of the statements of a list."""

    def of(query):
        with explained() as plans:
            assert api.get(f"{URL}?{query.format(**TIMES)}").status_code == 200
        return plans

    return of


@pytest.fixture
def page(year, site):
    """The plan of a page of the admin's list."""
    return lambda query: site.get(f"{ADMIN}?{query}").context["cl"].queryset[:50].explain()


@pytest.mark.parametrize("text", ["самокат", "САМ", "50 %", "a_b\\c"])
def test_a_search_has_its_index(plans, text):
    (plan,) = plans(f"search={quote(text)}")
    assert plan.count("Bitmap Index Scan on incidents_search_text") == 2  # for the count and for the page


@pytest.mark.parametrize("text", ["12345", "№54321", "123456 не отвечает"])
def test_a_search_for_a_number_has_its_index_alone(plans, text):
    (plan,) = plans(f"search={quote(text)}")
    assert plan.count("Bitmap Index Scan on incidents_search_numbers") == 2
    assert "incidents_search_text" not in plan


@pytest.mark.parametrize(
    "query",
    [
        "",
        "status=open",
        "status=open,closed",
        "source=operator",
        "status=open&source=operator",
        "created_after={day}&created_before={tomorrow}",
        "created_after={day}&created_before={hour}",
        "updated_after={day}",
        "updated_before={early}",
        "updated_after={day}&status=open",
        "urgent=true",
        "urgent=false&status=open",
        "urgent=true&updated_after={day}",
    ],
)
def test_no_filter_reads_all_incidents(plans, query):
    for plan in plans(query):
        assert "Seq Scan on incidents_incident" not in plan


@pytest.mark.parametrize(
    ("index", "query"),
    [
        ("incident_newest", "created_before={tomorrow}"),
        ("incident_newest", "ordering=created_at"),
        ("incident_status_newest", "status=open"),
        ("incident_source_newest", "source=operator&ordering=created_at"),
        ("incident_status_source_newest", "status=open&source=operator"),
        ("incident_urgent_newest", "urgent=true"),
        ("incident_urgent_newest", "urgent=true&source=operator"),
        ("incident_urgent_status_newest", "urgent=true&status=open"),
        ("incident_newest", "urgent=false"),
        ("incident_updated_covering", "updated_after={day}&ordering=-updated_at"),
        ("incident_updated_covering", "ordering=updated_at"),
        ("incidents_incident_pkey", "ordering=-id"),
        ("incidents_incident_pkey", "ordering=id"),
    ],
)
def test_an_ordering_has_its_index(plans, index, query):
    page = plans(query)[-1]
    assert index in page
    assert "Sort" not in page.partition("InitPlan")[0]


@pytest.mark.parametrize(
    ("index", "query"),
    [
        ("incident_newest", ""),
        ("incident_newest", "ordering=created_at"),
        ("incident_status_newest", "status=closed"),
        ("incident_source_newest", "source=operator"),
        ("incident_status_source_newest", "status=closed&source=operator"),
        ("incident_urgent_newest", "urgent=true"),
    ],
)
def test_what_a_far_page_skips_is_not_looked_up(plans, index, query):
    page = plans(f"page=10&page_size=90&{query}")[-1]
    assert re.search(f"Index Only Scan( Backward)? using {index} ", page) and "Sort" not in page, page


def test_updated_before_does_not_pass_what_was_created_since(plans):
    page = plans("updated_before={half}")[-1]
    assert "Index Cond: (created_at < " in page


def test_what_was_updated_is_counted_in_an_index(plans):
    count = plans("updated_after={day}")[0]
    assert "Index Only Scan using incident_updated_covering" in count


@pytest.mark.both_databases
def test_nothing_is_updated_before_it_is_created():
    with pytest.raises(IntegrityError):
        Incident.objects.create(description="a", source="operator", updated_at=NOW - timedelta(days=1))


def test_the_planner_prefers_indexes_and_compiles_nothing():
    def settings():
        with connection.cursor() as cursor:
            cursor.execute("SELECT current_setting('random_page_cost'), current_setting('jit')")
            return cursor.fetchone()

    assert at_once(settings) == [("1.1", "off")]


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


@pytest.mark.parametrize(
    ("report", "index"),
    [
        (lambda: oldest(Status.OPEN, 15), "incident_status_newest"),
        (lambda: oldest(Status.OPEN, 15, urgent_only=True), "incident_urgent_status_newest"),
        (lambda: resolved_per_day(30), "incident_change_resolution"),
        (last_weeks, "incident_change_resolution"),
        (lambda: mine(User(username="user7")), "incident_taken_now"),
    ],
)
def test_the_board_has_its_indexes(year, report, index):
    with explained() as plans:
        report()
    assert [plan for plan in plans if index not in plan and "incidents_count" not in plan] == []


def test_a_channel_has_an_index_in_the_order_of_the_list(page):
    plan = page("channel=telegram")
    assert "using incident_change_created" in plan and "Sort" not in plan


def test_several_words_take_one_scan_of_their_index(page):
    plan = page("q=сети+самокат+не")
    assert plan.count("Bitmap Index Scan on incidents_search_text") == 1


@pytest.mark.parametrize(
    ("query", "index"),
    [
        ("", "incident_newest"),
        ("o=5", "incident_newest"),
        ("status__in=open", "incident_status_newest"),
        ("created=7d", "incident_newest"),
        ("taken_by=user7", "incident_taken_newest"),
        ("taken_by=user7&status__exact=in_progress", "incident_taken_now"),
    ],
)
def test_an_order_has_its_index(page, query, index):
    plan = page(query)
    assert index in plan and "Seq Scan" not in plan


@pytest.mark.parametrize("number", ["54321", "00000"])
def test_reports_that_name_a_number_are_found_by_the_index_of_the_numbers(year, number):
    plan = reports_naming([number]).explain()
    assert "incidents_search_numbers" in plan and "Seq Scan" not in plan, plan


def test_a_report_writes_its_incident_once(db):
    with connection.cursor() as cursor:
        updated = "SELECT pg_stat_get_xact_tuples_updated('incidents_incident'::regclass)"
        cursor.execute(updated)
        before = cursor.fetchone()
        make_incident()
        cursor.execute(updated)
        assert cursor.fetchone() == before
        change_incident(make_incident(), values={"status": "in_progress"}, actor=Named("a"), channel="api")
        cursor.execute(updated)
        assert cursor.fetchone() == (before[0] + 2,)
