import signal
from contextlib import contextmanager

import pytest
from django.core.management import call_command
from django.db import connection

from incidents.models import Incident
from incidents.store import store
from tests.helpers.api import errors
from tests.helpers.incidents import make_incident

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]


@pytest.fixture
def incident(db):
    return make_incident(description="Самокат не в сети")


def patch(api, incident, body, **kwargs):
    pk = getattr(incident, "pk", incident)
    return api.patch(f"/api/v1/incidents/{pk}/", body, content_type="application/json", **kwargs)


def test_status_and_description(api, incident):
    response = patch(api, incident, {"status": "in_progress", "description": "Обновлённое описание"})
    assert response.status_code == 200
    row = Incident.objects.get()
    assert (row.status, row.description, row.source) == ("in_progress", "Обновлённое описание", "operator")
    assert response.json()["status"] == "in_progress"
    assert row.updated_at > incident.updated_at
    assert row.created_at == incident.created_at


@pytest.mark.parametrize("status", ["closed", "open", "resolved"])
def test_any_status_may_follow_any_other(api, incident, status):
    patch(api, incident, {"status": "closed"})
    assert patch(api, incident, {"status": status}).json()["status"] == status


@pytest.mark.parametrize("body", [{}, {"status": "open"}, {"id": 5, "created_at": "2001-01-01"}])
def test_nothing_to_change_changes_nothing(api, incident, body):
    response = patch(api, incident, body)
    assert (response.status_code, response.json()["id"]) == (200, incident.pk)
    assert Incident.objects.get().updated_at == incident.updated_at


def test_faults_are_named_and_change_nothing(api, incident):
    response = patch(api, incident, {"status": "bogus", "descripton": "x", "source": None, "description": ""})
    assert set(errors(response)) == {
        ("invalid_choice", "status"),
        ("unknown_field", "descripton"),
        ("null", "source"),
        ("blank", "description"),
    }
    assert Incident.objects.get().updated_at == incident.updated_at


@pytest.mark.parametrize("pk", [10**6, 2**63, 10**18 * 9 + 9, 10**40, 0, "abc", "-1", "1.5", "٣"])
@pytest.mark.parametrize("body", [{"status": "closed"}, {"status": "bogus"}, b"{"])
def test_a_missing_incident_is_404_whatever_the_body(api, pk, body):
    response = patch(api, pk, body)
    assert (response.status_code, errors(response)) == (404, [("404 not_found", None)])
    assert response.json()["errors"][0]["detail"] == "Not found."


@pytest.mark.parametrize("method", ["put", "delete"])
def test_a_record_is_never_replaced_or_deleted(api, incident, method):
    response = getattr(api, method)(f"/api/v1/incidents/{incident.pk}/", {}, content_type="application/json")
    assert (response.status_code, errors(response)) == (405, [("405 method_not_allowed", None)])
    assert "PATCH" in response["Allow"]
    assert Incident.objects.exists()


@contextmanager
def time_limit(seconds):
    """TimeoutError instead of a test that never ends."""

    def expire(*args):
        raise TimeoutError

    previous = signal.signal(signal.SIGALRM, expire)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, previous)


def test_a_sample_incident(api):
    call_command("load_sample", count=1)
    with time_limit(20):
        assert patch(api, Incident.objects.get(), {"status": "in_progress"}).json()["status"] == "in_progress"


@pytest.mark.parametrize("text", ["2024-01-15 10:30:00+00:00", "2024-01-15 10:30:00.5+00:00", "2024-01-15T10:30:00Z"])
def test_a_row_whose_timestamps_another_program_wrote(api, incident, text):
    with connection.cursor() as cursor:
        cursor.execute("UPDATE incidents_incident SET created_at = %s, updated_at = %s", [text, text])
    with time_limit(20):
        assert patch(api, incident, {"status": "closed"}).json()["status"] == "closed"


def test_races_that_are_always_lost_end_in_503(api, incident, monkeypatch):
    api.raise_request_exception = False
    monkeypatch.setattr(store, "update_incident", lambda *args, **kwargs: False)
    with time_limit(20):
        response = patch(api, incident, {"status": "closed"})
    assert (response.status_code, errors(response)) == (503, [("503 service_unavailable", None)])
    assert response["Retry-After"]
