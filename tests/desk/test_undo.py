"""An undo restores the status and who had taken the incident, as before the press."""

import pytest
from django.test import Client

from incidents.actors import Named
from incidents.services import change_incident
from tests.helpers.admin import INCIDENTS, open_form, told, undo
from tests.helpers.incidents import make_incident

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]


def become(incident, *steps):
    for actor, status in steps:
        change_incident(incident, values={"status": status}, actor=Named(actor), channel="api")


def press(site, incident, status):
    incident.refresh_from_db()
    return site.post(f"{INCIDENTS}{incident.pk}/status/", {"status": status, "shown": incident.status})


def state(incident):
    incident.refresh_from_db()
    return incident.status, incident.taken_by


@pytest.mark.parametrize(
    ("steps", "pressed"),
    [
        ([], "in_progress"),
        ([], "closed"),
        ([("anna", "in_progress")], "resolved"),
        ([("anna", "in_progress")], "closed"),
        ([("anna", "in_progress")], "open"),
        ([("anna", "in_progress"), ("boris", "resolved")], "open"),
        ([("anna", "in_progress"), ("boris", "resolved")], "in_progress"),
        ([("anna", "in_progress"), ("boris", "closed")], "resolved"),
        ([("anna", "resolved")], "in_progress"),
    ],
)
def test_it_is_as_before_the_press(site, steps, pressed):
    incident = make_incident()
    become(incident, *steps)
    before = state(incident)
    press(site, incident, pressed)
    after = state(incident)
    undo(site)
    assert state(incident) == before
    undo(site)  # what the undo did
    assert state(incident) == after
    undo(site)
    assert state(incident) == before


def test_ten_at_once(site):
    incidents = [make_incident() for _ in range(10)]
    for number, incident in enumerate(incidents[1:]):
        become(incident, (f"user{number % 3}", "in_progress"))
    before = [state(incident) for incident in incidents]
    form = {"action": "close", "index": 0, "_selected_action": [incident.pk for incident in incidents]}
    page = site.post(INCIDENTS, form)
    site.post(f"{INCIDENTS}moves/", {"moves": page.context["moves"]})
    assert {status for status, _ in map(state, incidents)} == {"closed"}
    undo(site)
    assert [state(incident) for incident in incidents] == before


def test_another_persons_change_to_the_same_status_is_not_undone(site):
    incident = make_incident()
    press(site, incident, "closed")
    form = open_form(site, "", "undo")
    incident.refresh_from_db()
    become(incident, ("boris", "open"), ("vera", "closed"))
    response = site.post(f"{INCIDENTS}moves/", form)
    assert told(response)[-1] == f"{incident} не изменён: его статус теперь «Закрыт», автор — vera."
    assert state(incident) == ("closed", "")


def test_it_is_undone_once(site):
    incident = make_incident()
    press(site, incident, "resolved")
    form = open_form(site, "", "undo")
    for _ in range(2):
        site.post(f"{INCIDENTS}moves/", form)
    press(site, incident, "resolved")
    site.post(f"{INCIDENTS}moves/", form)
    assert state(incident)[0] == "resolved"


def test_a_change_of_the_text_does_not_hinder_it_and_stays(site):
    incident = make_incident()
    press(site, incident, "resolved")
    incident.refresh_from_db()
    change_incident(incident, values={"description": "иначе"}, actor=Named("boris"), channel="api")
    undo(site)
    assert state(incident)[0] == "open" and incident.description == "иначе"


def test_clients_see_an_undo_as_any_change(site, api):
    incident = make_incident()
    press(site, incident, "resolved")
    undo(site)
    entry = api.get(f"/api/v1/incidents/{incident.pk}/history/").json()["results"][-1]
    assert entry.keys() == {"at", "actor", "channel", "changes"}
    assert (entry["actor"], entry["changes"]) == ("petrova", {"status": ["resolved", "open"]})


def test_who_takes_it_after_an_undo_has_taken_it(site):
    incident = make_incident()
    become(incident, ("anna", "in_progress"))
    press(site, incident, "resolved")
    undo(site)
    incident.refresh_from_db()
    become(incident, ("boris", "open"), ("vera", "in_progress"))
    assert state(incident) == ("in_progress", "vera")


def test_its_page_says_that_it_is_an_undo(site):
    incident = make_incident()
    press(site, incident, "resolved")
    undo(site)
    for page in ("change", "history"):
        assert "отмена" in site.get(f"{INCIDENTS}{incident.pk}/{page}/").content.decode()
    assert Client().get(f"{INCIDENTS}{incident.pk}/change/").status_code == 302
