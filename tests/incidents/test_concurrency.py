"""Requests at the same time, on real connections: PostgreSQL alone, since SQLite lets one writer in at a time."""

import pytest
from django.db import connection, transaction
from django.test import Client

from core.db import time_limit
from desk import incident_page
from incidents.actors import Named
from incidents.models import IdempotencyKey, Incident, IncidentChange
from incidents.services import change_incident
from tests.helpers.admin import INCIDENTS, form_of, open_form
from tests.helpers.api import errors
from tests.helpers.concurrency import at_once
from tests.helpers.incidents import make_incident

pytestmark = pytest.mark.django_db(transaction=True)

URL = "/api/v1/incidents/"
BODY = {"description": "Самокат номер 875643 не в сети", "source": "operator"}


def patch(api, pk, body, **headers):
    return lambda: api.patch(f"{URL}{pk}/", body, "application/json", headers=headers)


def test_the_same_key_at_the_same_moment_is_one_incident(api):
    for number in range(10):
        headers = {"idempotency-key": f"key-{number}"}
        responses = at_once(*[lambda h=headers: api.post(URL, BODY, "application/json", headers=h)] * 8)
        assert {response.status_code for response in responses} == {201}
        assert len({response.content for response in responses}) == 1
        assert sum("Idempotency-Replayed" not in response for response in responses) == 1
    assert (Incident.objects.count(), IncidentChange.objects.count()) == (10, 10)


def test_a_first_request_that_hangs_gets_the_second_409(api, user):
    with transaction.atomic():
        incident = make_incident()
        IdempotencyKey.objects.create(user=user, key="k", request_hash=b"", response=b"", incident=incident)
        (response,) = at_once(lambda: api.post(URL, BODY, "application/json", headers={"idempotency-key": "k"}))
    assert (response.status_code, errors(response)) == (409, [("409 idempotency_key_in_use", None)])
    assert int(response["Retry-After"]) > 0
    assert Incident.objects.count() == 1


@pytest.mark.parametrize("headers", [{}, {"idempotency-key": "k"}])
@pytest.mark.parametrize("table", ["incidents_incident", "incidents_incidentchange", "incidents_idempotencykey"])
def test_another_lock_is_503_with_and_without_a_key(api, user, monkeypatch, table, headers):
    """As CREATE INDEX holds it."""
    monkeypatch.setattr(time_limit, "REQUEST_SECONDS", 0.5)
    api.raise_request_exception = False
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(f"LOCK TABLE {table} IN SHARE MODE")
        (response,) = at_once(lambda: api.post(URL, BODY, "application/json", headers=headers))
    if table == "incidents_idempotencykey" and not headers:
        assert response.status_code == 201
        return
    assert (response.status_code, errors(response)) == (503, [("503 service_unavailable", None)])
    assert int(response["Retry-After"]) > 0
    assert not Incident.objects.exists()
    monkeypatch.undo()
    assert api.post(URL, BODY, "application/json", headers=headers).status_code == 201


def test_a_lock_of_the_keys_table_that_lasts_is_no_key_in_use(api, user):
    api.raise_request_exception = False
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("LOCK TABLE incidents_idempotencykey IN SHARE MODE")
        (response,) = at_once(lambda: api.post(URL, BODY, "application/json", headers={"idempotency-key": "k"}))
    assert (response.status_code, errors(response)) == (503, [("503 service_unavailable", None)])


def test_changes_of_different_fields_both_survive(api):
    for _ in range(10):
        incident = make_incident()
        at_once(
            patch(api, incident.pk, {"status": "closed"}),
            patch(api, incident.pk, {"description": "другое"}),
            patch(api, incident.pk, {"source": "partner"}),
        )
        incident.refresh_from_db()
        assert (incident.status, incident.description, incident.source) == ("closed", "другое", "partner")


def test_changes_of_the_same_field_are_all_in_the_history_in_order(api):
    incident = make_incident()
    responses = at_once(*[patch(api, incident.pk, {"description": f"{number}"}) for number in range(8)])
    assert {response.status_code for response in responses} == {200}
    steps = [entry.changes["description"] for entry in IncidentChange.objects.order_by("id")]
    assert [before for before, _ in steps[1:]] == [after for _, after in steps[:-1]]
    incident.refresh_from_db()
    assert steps[-1][1] == incident.description
    assert sorted(after for _, after in steps[1:]) == [f"{number}" for number in range(8)]


def test_one_of_several_editors_with_the_same_tag_wins(api):
    incident = make_incident()
    responses = at_once(
        *[patch(api, incident.pk, {"description": f"{number}"}, if_match=incident.etag) for number in range(8)]
    )
    assert sorted(response.status_code for response in responses) == [200] + [412] * 7


@pytest.fixture
def browsers(admin_client):
    """Eight windows of one log-in."""
    clients = [Client() for _ in range(8)]
    for client in clients:
        client.cookies = admin_client.cookies
    return clients


def test_a_change_between_the_comparison_of_the_page_and_its_write_is_refused(admin_client, monkeypatch):
    incident = make_incident()
    form = open_form(admin_client, f"{incident.pk}/change/")

    def change_late(*args, **kwargs):
        monkeypatch.undo()
        other = {"values": {"description": "theirs"}, "actor": Named("b"), "channel": "api"}
        at_once(lambda: change_incident(Incident.objects.get(), **other))
        return change_incident(*args, **kwargs)

    monkeypatch.setattr(incident_page, "change_incident", change_late)
    refused = admin_client.post(f"{INCIDENTS}{incident.pk}/change/", form | {"description": "mine"})
    assert (refused.status_code, Incident.objects.get().description) == (200, "theirs")
    assert form_of(refused)["description"] == "mine"


def test_of_eight_who_save_a_page_at_once_one_is_saved_and_seven_are_refused(browsers):
    incident = make_incident()
    url = f"{incident.pk}/change/"
    form = open_form(browsers[0], url)
    saves = [
        lambda browser=browser, text=f"{number}": browser.post(INCIDENTS + url, form | {"description": text})
        for number, browser in enumerate(browsers)
    ]
    responses = at_once(*saves)
    assert sorted(response.status_code for response in responses) == [200] * 7 + [302]
    texts = [form_of(response)["description"] for response in responses if response.status_code == 200]
    incident.refresh_from_db()
    assert sorted([*texts, incident.description]) == [f"{number}" for number in range(8)]
    assert IncidentChange.objects.count() == 2


@pytest.mark.parametrize(("path", "form_id"), [("add/", "incident_form"), ("{pk}/comment/", "comment_form")])
def test_a_form_sent_eight_times_at_once_is_recorded_once(browsers, path, form_id):
    incident = make_incident()
    page = path.replace("{pk}/comment", f"{incident.pk}/change")
    form = open_form(browsers[0], page, form_id)
    typed = {"description": "Течь", "source": "partner", "text": "Выехал техник"}
    url = INCIDENTS + path.format(pk=incident.pk)
    responses = at_once(*[lambda browser=browser: browser.post(url, form | typed) for browser in browsers])
    assert {response.status_code for response in responses} == {302}
    assert len({response["Location"] for response in responses}) == 1
    assert IncidentChange.objects.count() == 2


def test_a_form_whose_first_sending_hangs_keeps_what_was_typed_and_its_key(admin_client, admin_user):
    form = open_form(admin_client, "add/") | {"description": "Течь", "source": "partner"}
    with transaction.atomic():
        incident = make_incident()
        key = {"user": admin_user, "key": form["once"], "request_hash": b"", "response": b""}
        IdempotencyKey.objects.create(**key, incident=incident)
        (response,) = at_once(lambda: admin_client.post(f"{INCIDENTS}add/", form))
    shown = form_of(response)
    assert (response.status_code, shown["description"], shown["once"]) == (200, "Течь", form["once"])
    assert Incident.objects.count() == 1


def test_marks_of_what_is_urgent_are_one_change(api):
    incident = make_incident()
    url = f"{URL}{incident.pk}/urgent/"
    responses = at_once(*[lambda: api.put(url, {"urgent": True}, "application/json")] * 4)
    assert {response.status_code for response in responses} == {200}
    assert [entry.changes for entry in incident.changes.order_by("pk")][1:] == [{"urgent": [False, True]}]
