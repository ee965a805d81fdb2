"""What the admin's list is read from, however many incidents there are."""

import pytest
from django.db import connection

from incidents.models import Incident
from tests.helpers.incidents import make_incident

URL = "/api/admin/incidents/incident/"


@pytest.fixture
def plan(site):
    """The plan of a page of the list, without plans that only suit as few incidents as there are here."""
    for channel in ("api", "telegram"):
        make_incident(channel=channel)
    Incident.objects.bulk_create(
        Incident(description=f"Терминал №{number}", source="partner", status="resolved") for number in range(2_000)
    )
    with connection.cursor() as cursor:
        cursor.execute("SELECT gin_clean_pending_list('incidents_search_text')")
        cursor.execute("ANALYZE incidents_incident, incidents_incidentchange, incidents_search")
        for way in ("seqscan", "sort", "hashjoin", "mergejoin"):
            cursor.execute(f"SET LOCAL enable_{way} = off")
    return lambda query: site.get(f"{URL}?{query}").context["cl"].queryset[:50].explain()


def test_a_channel_has_an_index_in_the_order_of_the_list(plan):
    page = plan("channel=telegram")
    assert "using incident_change_created" in page and "Sort" not in page


def test_several_words_take_one_scan_of_their_index(plan):
    page = plan("q=сети+самокат+не")
    assert page.count("Bitmap Index Scan on incidents_search_text") == 1


@pytest.mark.parametrize(
    ("query", "index"),
    [
        ("", "incident_newest"),
        ("o=5", "incident_newest"),
        ("status__in=closed", "incident_status_newest"),
        ("created=7d", "incident_newest"),
    ],
)
def test_an_order_has_its_index(plan, query, index):
    page = plan(query)
    assert index in page and "Seq Scan" not in page
