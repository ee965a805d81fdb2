"""POST /api/v1/incidents/{id}/comments/"""

import pytest

from incidents.models import Incident, IncidentChange
from tests.helpers.api import errors
from tests.helpers.incidents import make_incident

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]

URL = "/api/v1/incidents/"


@pytest.fixture
def incident(db):
    return make_incident(description="Самокат не в сети")


def comment(api, pk, body, **headers):
    return api.post(f"{URL}{pk}/comments/", body, "application/json", headers=headers)


def test_a_comment_is_an_entry_of_the_history(api, incident):
    response = comment(api, incident.pk, {"text": " Выехал техник\n"})
    assert response.status_code == 201
    entry = response.json()
    assert list(entry) == ["at", "actor", "channel", "changes"]
    assert (entry["actor"], entry["channel"]) == ("operator", "api")
    assert entry["changes"] == {"comment": [None, "Выехал техник"]}
    history = api.get(f"{URL}{incident.pk}/history/").json()
    assert (history["count"], history["results"][1]) == (2, entry)


def test_it_does_not_touch_the_incident(api, incident):
    before = api.get(f"{URL}{incident.pk}/")
    comment(api, incident.pk, {"text": "x"})
    after = api.get(f"{URL}{incident.pk}/")
    assert (after.json(), after["ETag"]) == (before.json(), before["ETag"])


@pytest.mark.parametrize(
    ("body", "found"),
    [
        ({}, [("required", "text")]),
        ({"text": " \n"}, [("blank", "text")]),
        ({"text": None}, [("null", "text")]),
        ({"text": 7}, [("invalid", "text")]),
        ({"text": "x" * 20_001}, [("max_length", "text")]),
        ({"text": "x", "author": "y"}, [("unknown_field", "author")]),
        ([], [("invalid", "non_field_errors")]),
    ],
)
def test_faults_are_named_and_record_nothing(api, incident, body, found):
    response = comment(api, incident.pk, body)
    assert (response.status_code, errors(response)) == (400, found)
    assert IncidentChange.objects.count() == 1


@pytest.mark.parametrize("body", [{"text": "x"}, {}, "{"])
def test_of_a_missing_incident_is_404_before_the_body_is_looked_at(api, body):
    response = comment(api, 10**17, body)
    assert (response.status_code, errors(response)) == (404, [("404 not_found", None)])


def test_the_same_key_and_body_is_one_comment(api, incident):
    first, again = (comment(api, incident.pk, {"text": "x"}, idempotency_key="k1") for _ in range(2))
    assert (first.status_code, again.status_code, again.content) == (201, 201, first.content)
    assert ("Idempotency-Replayed" in first, again["Idempotency-Replayed"]) == (False, "true")
    assert IncidentChange.objects.count() == 2


def test_the_same_key_for_another_request_is_refused(api, incident):
    report = {"description": "x", "source": "operator"}
    other = make_incident(description="x")
    comment(api, incident.pk, {"text": "x"}, idempotency_key="k1")
    for response in (
        comment(api, incident.pk, {"text": "y"}, idempotency_key="k1"),
        comment(api, other.pk, {"text": "x"}, idempotency_key="k1"),
        api.post(URL, report, "application/json", headers={"idempotency-key": "k1"}),
    ):
        assert (response.status_code, errors(response)) == (422, [("422 idempotency_key_reused", None)])
    assert (Incident.objects.count(), IncidentChange.objects.count()) == (2, 3)


@pytest.mark.parametrize("method", ["get", "put", "patch", "delete"])
def test_a_comment_is_only_added(api, incident, method):
    response = getattr(api, method)(f"{URL}{incident.pk}/comments/")
    assert (response.status_code, errors(response)) == (405, [("405 method_not_allowed", None)])


def test_the_admin_shows_it_in_the_history(admin_client, incident, api):
    comment(api, incident.pk, {"text": "<b>Выехал</b> техник"})
    page = admin_client.get(f"/api/admin/incidents/incident/{incident.pk}/history/", headers={"accept-language": "ru"})
    assert "комментарий" in page.text.lower() and "&lt;b&gt;Выехал&lt;/b&gt; техник" in page.text
