"""What the filters are answered from, however many incidents there are."""

from datetime import UTC, datetime

import pytest
from django.db import IntegrityError, connection
from django.http import QueryDict

from incidents.filters import IncidentFilter
from incidents.models import Incident
from tests.incidents.test_concurrency import at_once

MOMENT = datetime(2024, 1, 15, 10, 30, tzinfo=UTC)


def plan(queryset, *but):
    """With the few rows of a test reading and sorting them all would be best."""
    with connection.cursor() as cursor:
        for way in ("seqscan", "sort", *but):
            cursor.execute(f"SET LOCAL enable_{way} = off")
    return queryset.explain()


@pytest.mark.django_db
@pytest.mark.parametrize("text", ["самокат", "САМ", "50 %", "a_b\\c"])
def test_a_search_has_its_index(text):
    assert "Bitmap Index Scan on incidents_search_text" in plan(Incident.objects.mentioning(text), "indexscan")


@pytest.mark.django_db
@pytest.mark.both_databases
def test_nothing_is_updated_before_it_is_created():
    with pytest.raises(IntegrityError):
        Incident.objects.create(description="a", source="operator", updated_at=MOMENT)


@pytest.mark.django_db
def test_updated_before_does_not_pass_what_was_created_since():
    incidents = IncidentFilter(QueryDict("updated_before=2024-01-15"), Incident.objects.newest_first()).qs
    assert "Index Cond: (created_at < " in plan(incidents, "bitmapscan")


@pytest.mark.django_db
def test_what_was_updated_is_filtered_and_counted_in_an_index():
    columns = Incident.objects.filter(updated_at__gte=MOMENT).values("created_at", "status", "source", "id")
    assert "Index Only Scan using incident_updated_covering" in plan(columns, "bitmapscan")


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("index", "ordering", "filters"),
    [
        ("incident_newest", "-created_at", {"created_at__lt": MOMENT}),
        ("incident_newest", "created_at", {}),
        ("incident_updated_covering", "-updated_at", {"updated_at__gte": MOMENT}),
        ("incident_updated_covering", "updated_at", {}),
        ("incidents_incident_pkey", "-id", {}),
        ("incidents_incident_pkey", "id", {}),
    ],
)
def test_an_ordering_has_its_index(index, ordering, filters):
    found = plan(Incident.objects.filter(**filters).in_order(ordering)[:100], "bitmapscan")
    assert index in found
    assert "Sort" not in found


@pytest.mark.django_db(transaction=True)
def test_the_planner_prefers_indexes():
    def cost():
        with connection.cursor() as cursor:
            cursor.execute("SHOW random_page_cost")
            return cursor.fetchone()[0]

    assert at_once(cost) == ["1.1"]
