"""What is urgent: a mark beside the six fields, kept in the history like them."""

import pytest

from incidents.actors import Named
from incidents.models import Incident, Status
from incidents.reports import oldest
from incidents.services import create_incident, import_incidents, mark_urgent, new_incident
from tests.helpers.api import errors
from tests.helpers.incidents import HOUR, MIDNIGHT, make_incident

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]

URL = "/api/v1/incidents/"
MARK = {"urgent": True}


@pytest.fixture
def incident():
    return make_incident()


def put(api, incident, body=MARK, **headers):
    return api.put(f"{URL}{incident.pk}/urgent/", body, "application/json", headers=headers)


def get(api, incident, **headers):
    return api.get(f"{URL}{incident.pk}/urgent/", headers=headers)


def last_changes(api, incident):
    return [entry["changes"] for entry in api.get(f"{URL}{incident.pk}/history/").json()["results"]][1:]


def test_the_mark_is_set_and_taken_away(api, incident):
    assert get(api, incident).json() == {"urgent": False}
    assert put(api, incident).json() == {"urgent": True} == get(api, incident).json()
    assert put(api, incident, {"urgent": False}).json() == {"urgent": False} == get(api, incident).json()
    assert last_changes(api, incident) == [{"urgent": [False, True]}, {"urgent": [True, False]}]


def test_an_incident_has_its_six_fields(api, incident):
    put(api, incident)
    fields = ["id", "description", "status", "source", "created_at", "updated_at"]
    assert list(api.get(f"{URL}{incident.pk}/").json()) == fields
    assert list(api.get(URL).json()["results"][0]) == fields


@pytest.mark.parametrize("method", ["post", "patch"])
def test_the_mark_is_no_field_of_an_incident(api, incident, method):
    body = {"description": "x", "source": "operator", "urgent": True}
    response = getattr(api, method)(URL if method == "post" else f"{URL}{incident.pk}/", body, "application/json")
    assert errors(response) == [("unknown_field", "urgent")]


def test_a_mark_that_is_there_changes_nothing(api, incident):
    first = put(api, incident)
    assert put(api, incident)["ETag"] == first["ETag"]
    assert len(last_changes(api, incident)) == 1


def test_the_tag_is_the_incidents_and_moves(api, incident):
    before = get(api, incident)["ETag"]
    assert before == api.get(f"{URL}{incident.pk}/")["ETag"]
    after = put(api, incident, if_match=before)["ETag"]
    assert after == get(api, incident)["ETag"] != before
    assert get(api, incident, if_none_match=after).status_code == 304
    assert errors(get(api, incident, if_match=before)) == [("412 precondition_failed", None)]
    assert errors(put(api, incident, {"urgent": False}, if_match=before)) == [("412 precondition_failed", None)]
    assert get(api, incident).json() == {"urgent": True}


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ({}, ("required", "urgent")),
        ({"urgent": None}, ("null", "urgent")),
        ({"urgent": "true"}, ("invalid", "urgent")),
        ({"urgent": 1}, ("invalid", "urgent")),
        ({"urgent": []}, ("invalid", "urgent")),
        ({"urgent": "\0"}, ("invalid", "urgent")),
        ({"urgent": True, "status": "open"}, ("unknown_field", "status")),
        ([], ("invalid", "non_field_errors")),
    ],
)
def test_a_body_that_is_not_allowed(api, incident, body, error):
    assert errors(put(api, incident, body)) == [error]
    assert get(api, incident).json() == {"urgent": False}


@pytest.mark.parametrize("pk", [0, 10**9, 2**63, 2**70])
def test_an_unknown_incident_is_404_whatever_the_body(api, pk):
    for response in (get(api, Incident(pk=pk)), put(api, Incident(pk=pk), "nonsense")):
        assert (response.status_code, errors(response)) == (404, [("404 not_found", None)])


@pytest.mark.parametrize("method", ["post", "patch", "delete"])
def test_other_methods(api, incident, method):
    response = getattr(api, method)(f"{URL}{incident.pk}/urgent/")
    assert (response.status_code, response["Allow"]) == (405, "GET, PUT, HEAD")


def test_the_filter(api):
    plain, urgent, closed = make_incident(), make_incident(urgent=True), make_incident(urgent=True, status="closed")

    def found(query):
        body = api.get(URL + query).json()
        assert body["count"] == len(body["results"])
        return {row["id"] for row in body["results"]}

    assert found("?urgent=true") == {urgent.pk, closed.pk}
    assert found("?urgent=false") == {plain.pk}
    assert found("?urgent=true&status=open,in_progress") == {urgent.pk}
    assert found("?urgent=true&search=самокат&status=closed") == {closed.pk}
    assert found("?urgent=true&created_after=2999-01-01") == set()


@pytest.mark.parametrize(
    ("query", "error"),
    [
        ("urgent=True", "invalid_choice"),
        ("urgent=1", "invalid_choice"),
        ("urgent=yes&urgent=true", "invalid_choice"),
        ("urgent=%00", "invalid_choice"),
        ("urgent=", "blank"),
    ],
)
def test_a_filter_that_is_not_allowed(api, query, error):
    assert errors(api.get(f"{URL}?{query}")) == [(error, "urgent")]


def test_the_first_entry_tells_what_is_urgent_from_the_start():
    made = create_incident(description="a", source="operator", urgent=True, actor=Named("a"), channel="api")
    assert made.changes.get().changes == {
        "description": [None, "a"],
        "status": [None, "open"],
        "source": [None, "operator"],
        "urgent": [None, True],
    }
    assert "urgent" not in make_incident().changes.get().changes


@pytest.mark.parametrize("count", [1, 5])
def test_an_import_takes_the_mark(count):
    imported = [(new_incident(description="a", source="partner", urgent=bool(n % 2)), "b") for n in range(count + 1)]
    import_incidents(imported, (), channel="command")
    for incident, _ in imported:
        stored = Incident.objects.get(pk=incident.pk)
        assert stored.urgent == incident.urgent == ("urgent" in stored.changes.get().changes)


def test_many_are_marked_in_bulk():
    plain, urgent, closed = make_incident(), make_incident(urgent=True), make_incident(status="closed")
    mark_urgent([plain.pk, urgent.pk, closed.pk, 10**9], actor=Named("alerts"), channel="webhook")
    marked = Incident.objects.get(pk=plain.pk)
    assert marked.urgent and marked.updated_at > plain.updated_at
    entry = plain.changes.last()
    assert (entry.changes, entry.actor, entry.channel) == ({"urgent": [False, True]}, "alerts", "webhook")
    for left in (urgent, closed):
        assert Incident.objects.get(pk=left.pk).updated_at == left.updated_at
        assert left.changes.count() == 1


def test_the_oldest_of_what_is_urgent():
    def made(hours, **values):
        return make_incident(created_at=MIDNIGHT + HOUR * hours, **values)

    made(1), made(0, urgent=True, status="resolved")
    new, old = made(9, urgent=True), made(5, urgent=True)
    assert oldest(Status.OPEN, 5, urgent_only=True) == [old, new]
    assert oldest(Status.OPEN, 1, urgent_only=True) == [old]


def test_an_entry_for_people(incident, api):
    put(api, incident)
    assert [*incident.changes.last().display_changes()] == [("urgent", "no", "yes")]
