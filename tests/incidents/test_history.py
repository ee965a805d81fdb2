import pytest
from django.db import DatabaseError, connection, transaction

from incidents.actors import Named
from incidents.models import Incident, IncidentChange
from incidents.services import change_incident
from tests.helpers.api import errors
from tests.helpers.incidents import make_incident

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]

URL = "/api/v1/incidents/"


def history(api, pk, query=""):
    response = api.get(f"{URL}{pk}/history/{query}")
    assert response.status_code == 200, response.content
    return response.json()


def test_creation_is_the_first_entry_and_changes_follow(api):
    pk = api.post(URL, {"description": "Точка не отвечает", "source": "partner"}, "application/json").json()["id"]
    api.patch(f"{URL}{pk}/", {"status": "closed", "description": "Точка ожила"}, "application/json")
    entries = history(api, pk)
    assert entries["count"] == 2
    assert list(entries["results"][0]) == ["at", "actor", "channel", "changes"]
    assert [entry["changes"] for entry in entries["results"]] == [
        {"description": [None, "Точка не отвечает"], "status": [None, "open"], "source": [None, "partner"]},
        {"description": ["Точка не отвечает", "Точка ожила"], "status": ["open", "closed"]},
    ]
    assert {(entry["actor"], entry["channel"]) for entry in entries["results"]} == {("operator", "api")}
    assert entries["results"][1]["at"] == api.get(f"{URL}{pk}/").json()["updated_at"]


def test_a_change_of_nothing_is_not_recorded(api):
    incident = make_incident(description="x", channel="command")
    api.patch(f"{URL}{incident.pk}/", {"status": "open"}, "application/json")
    assert history(api, incident.pk)["count"] == 1


def test_pages_oldest_first(api):
    incident = make_incident(description="x", channel="telegram")
    for number in range(4):
        change_incident(incident, values={"description": f"{number}"}, actor=Named("b"), channel="admin")
    page = history(api, incident.pk, "?page_size=2&page=2")
    assert [entry["changes"]["description"][1] for entry in page["results"]] == ["1", "2"]
    assert page["count"] == 5
    assert page["next"] and page["previous"]


@pytest.mark.parametrize("path", ["1/history/", f"{2**63}/history/", "history/", "1/history/?page=2"])
def test_history_of_a_missing_incident_is_404(api, path):
    assert errors(api.get(URL + path)) == [("404 not_found", None)]


def test_a_page_past_the_end(api):
    incident = make_incident(description="x")
    assert api.get(f"{URL}{incident.pk}/history/?page=2").status_code == 404


def test_history_is_append_only(api):
    incident = make_incident(description="x")
    entry = IncidentChange.objects.get()
    entry.actor = "another"
    with pytest.raises(TypeError):
        entry.save()
    with pytest.raises(TypeError):
        entry.delete()
    for method in ("post", "put", "patch", "delete"):
        assert getattr(api, method)(f"{URL}{incident.pk}/history/").status_code == 405


@pytest.mark.parametrize(
    "sql", ["UPDATE incidents_incidentchange SET actor = 'x'", "DELETE FROM incidents_incidentchange"]
)
def test_the_database_refuses_to_rewrite_history(db, sql):
    make_incident(description="x")
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(sql)


def test_an_incident_with_history_cannot_be_deleted(db):
    incident = make_incident(description="x")
    with pytest.raises(DatabaseError), transaction.atomic():
        incident.delete()
    assert Incident.objects.exists()
