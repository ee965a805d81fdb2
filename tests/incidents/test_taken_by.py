"""Who has an incident: a column that a trigger keeps, which is as the history says after every kind of writing."""

import json

import pytest
from django.core.management import call_command
from django.db import connection
from django.utils import timezone

from incidents.actors import Named
from incidents.history import names_of_takers
from incidents.models import Incident, IncidentChange
from incidents.services import (
    Comment,
    add_comment,
    change_incident,
    change_statuses,
    import_incidents,
    new_incident,
)
from tests.helpers.archive import restore, write
from tests.helpers.incidents import make_incident

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]


def set_status(incident, actor, *statuses, **options):
    for status in statuses:
        change_incident(incident, values={"status": status}, actor=Named(actor), channel="admin", **options)


def hand_over(incident, actor, taker, **options):
    change_incident(incident, values={"taken_by": taker}, actor=Named(actor), channel="admin", **options)


def by_history(pk):
    """Reads it from the history alone."""
    taker = ""
    for entry in IncidentChange.objects.filter(incident=pk).order_by("pk"):
        if entry.taken_by is not None:
            taker = entry.taken_by
        elif "taken_by" in entry.changes:
            taker = entry.changes["taken_by"][1]
        elif entry.changes.get("status", [None, None])[1] == "in_progress":
            taker = entry.actor
        elif entry.changes.get("status", [None, None])[1] == "open":
            taker = ""
    return taker


def kept():
    found = dict(Incident.objects.order_by("pk").values_list("pk", "taken_by"))
    assert found == {pk: by_history(pk) for pk in found}
    return list(found.values())


@pytest.mark.parametrize(
    ("steps", "taker"),
    [
        ([], ""),
        ([("anna", "in_progress")], "anna"),
        ([("anna", "in_progress"), ("boris", "resolved"), ("vera", "closed")], "anna"),
        ([("anna", "in_progress"), ("boris", "resolved"), ("vera", "in_progress")], "vera"),
        ([("anna", "in_progress"), ("boris", "open")], ""),
        ([("anna", "in_progress"), ("boris", "open"), ("vera", "resolved")], ""),
        ([("anna", "resolved")], ""),
    ],
)
def test_the_last_change_to_in_progress_counts_until_the_incident_is_reopened(steps, taker):
    incident = make_incident()
    for actor, status in steps:
        set_status(incident, actor, status)
    assert kept() == [taker]
    assert incident.taken_by == taker  # not as it was read before


def test_created_in_progress_is_taken_by_its_author():
    make_incident(status="in_progress", actor=Named("anna"))
    assert kept() == ["anna"]


def test_other_changes_and_comments_take_nothing():
    incident = make_incident()
    set_status(incident, "anna", "in_progress")
    change_incident(incident, values={"description": "in_progress"}, actor=Named("boris"), channel="api")
    add_comment(incident_id=incident.pk, text="in_progress", actor=Named("vera"), channel="api")
    assert kept() == ["anna"]


def test_handed_over_and_undone():
    incident = make_incident()
    set_status(incident, "anna", "in_progress")
    etag = incident.etag
    hand_over(incident, "anna", "boris")
    assert kept() == ["boris"] and incident.etag != etag
    assert IncidentChange.objects.latest("pk").changes == {"taken_by": ["anna", "boris"]}
    hand_over(incident, "anna", "anna", taken_by="anna")
    assert kept() == ["anna"]
    set_status(incident, "vera", "resolved")
    set_status(incident, "vera", "in_progress", taken_by="anna")
    assert kept() == ["anna"]


def test_it_leaves_the_rest_of_the_row():
    incident = make_incident()
    set_status(incident, "anna", "in_progress")
    row = Incident.objects.get()
    assert (row.updated_at, row.etag, row.status) == (incident.updated_at, incident.etag, "in_progress")
    set_status(incident, "boris", "resolved")  # the comparison of what was read finds it unchanged


def test_in_bulk():
    incidents = [make_incident() for _ in range(5)]
    for incident in incidents[:3]:
        set_status(incident, "anna", "in_progress", "resolved")
    pks = [incident.pk for incident in incidents[1:]]
    change_statuses(pks, "in_progress", actor=Named("boris"), channel="webhook")
    assert kept() == ["anna", "boris", "boris", "boris", "boris"]
    change_statuses(pks[2:], "open", actor=Named("boris"), channel="webhook")
    assert kept() == ["anna", "boris", "boris", "", ""]


def test_imported():
    new = [
        (new_incident(description=f"{n}", source="operator", status=status), "vera")
        for n, status in enumerate(["open", "in_progress", "closed", "in_progress", "resolved"])
    ]
    import_incidents(new, [Comment(new[1][0], "in_progress", timezone.now(), "olga")], channel="telegram")
    assert kept() == ["", "vera", "", "vera", ""]


def test_samples():
    call_command("load_sample", count=300, verbosity=0)
    assert any(kept())


def test_written_by_a_release_that_does_not_know_it():
    incident, now = make_incident(), timezone.now()
    with connection.cursor() as cursor:
        for changes, undo in [({"status": ["open", "in_progress"]}, None), ({"source": ["partner", "operator"]}, None)]:
            cursor.execute(
                "INSERT INTO incidents_incidentchange (incident_id, at, actor, channel, changes, taken_by) "
                "VALUES (%s, %s, 'anna', 'api', %s, %s)",
                [incident.pk, now, json.dumps(changes), undo],
            )
    assert kept() == ["anna"]


def test_archived_and_restored(tmp_path):
    for steps in [("in_progress", "closed"), ("in_progress", "open", "closed"), ("closed",)]:
        set_status(make_incident(), "anna", *steps)
    assert kept() == ["anna", "", ""]
    write(tmp_path / "archive.gz")
    assert kept() == []
    restore(tmp_path / "archive.gz")
    assert kept() == ["anna", "", ""]


def test_the_desk_names_people_in_one_query(django_user_model, django_assert_num_queries):
    django_user_model.objects.create_user("anna", last_name="Петрова")
    for name in ("anna", "boris"):
        make_incident(status="in_progress", actor=Named(name))
    incidents = list(Incident.objects.order_by("pk"))
    with django_assert_num_queries(1):
        assert names_of_takers(incidents) == {incidents[0].pk: "Петрова", incidents[1].pk: "boris"}
