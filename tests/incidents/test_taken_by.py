"""Who took an incident, read from its history."""

import pytest

from incidents.actors import Named
from incidents.history import taken_by
from incidents.services import add_comment, change_incident
from tests.helpers.incidents import make_incident

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]


def set_status(incident, actor, *statuses):
    for status in statuses:
        change_incident(incident, values={"status": status}, actor=Named(actor), channel="admin")


@pytest.mark.parametrize(
    ("steps", "taker"),
    [
        ([], None),
        ([("anna", "in_progress")], "anna"),
        ([("anna", "in_progress"), ("boris", "resolved"), ("vera", "closed")], "anna"),
        ([("anna", "in_progress"), ("boris", "resolved"), ("vera", "in_progress")], "vera"),
        ([("anna", "in_progress"), ("boris", "open")], None),
        ([("anna", "in_progress"), ("boris", "open"), ("vera", "resolved")], None),
        ([("anna", "resolved")], None),
    ],
)
def test_the_last_change_to_in_progress_counts_until_the_incident_is_reopened(steps, taker):
    incident = make_incident()
    for actor, status in steps:
        set_status(incident, actor, status)
    assert taken_by([incident.pk]) == ({incident.pk: taker} if taker else {})


def test_created_in_progress_is_taken_by_its_author():
    incident = make_incident(status="in_progress", actor=Named("anna"))
    assert taken_by([incident.pk]) == {incident.pk: "anna"}


def test_other_changes_and_comments_take_nothing():
    incident = make_incident()
    set_status(incident, "anna", "in_progress")
    change_incident(incident, values={"description": "in_progress"}, actor=Named("boris"), channel="api")
    add_comment(incident_id=incident.pk, text="in_progress", actor=Named("vera"), channel="api")
    assert taken_by([incident.pk]) == {incident.pk: "anna"}


@pytest.mark.parametrize("count", [0, 1, 50])
def test_one_query_for_any_number(django_assert_max_num_queries, count):
    incidents = [make_incident() for _ in range(count)]
    for incident in incidents:
        set_status(incident, f"user{incident.pk}", "in_progress")
    with django_assert_max_num_queries(1):
        assert taken_by(incident.pk for incident in incidents) == {one.pk: f"user{one.pk}" for one in incidents}
