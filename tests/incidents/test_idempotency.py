from datetime import timedelta

import pytest
from django.utils import timezone

from identity.models import User
from incidents import idempotency
from incidents.idempotency import purge_expired_keys
from incidents.models import IdempotencyKey, Incident, IncidentChange
from tests.helpers.api import api_for, errors
from tests.helpers.incidents import make_incident

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]

URL = "/api/v1/incidents/"
BODY = {"description": "Самокат номер 875643 не в сети", "source": "operator"}


def post(api, body=BODY, key="k-1"):
    return api.post(URL, body, "application/json", headers={"idempotency-key": key})


def test_the_first_response_is_replayed_byte_for_byte(api):
    first = post(api)
    api.patch(f"{URL}{first.json()['id']}/", {"status": "closed"}, "application/json")
    again = post(api, '{"source": "operator",  "description": "Самокат номер 875643 не в сети"}')
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.content == first.content
    for header in ("Location", "ETag", "Content-Type"):
        assert again[header] == first[header]
    assert "Idempotency-Replayed" not in first
    assert again["Idempotency-Replayed"] == "true"
    assert (Incident.objects.count(), IncidentChange.objects.count()) == (1, 2)


def test_another_body_under_the_same_key(api):
    post(api)
    for body in (BODY | {"status": "closed"}, BODY | {"id": 5}):
        response = post(api, body)
        assert (response.status_code, errors(response)) == (422, [("422 idempotency_key_reused", None)])
    assert Incident.objects.count() == 1


def test_keys_of_two_users_are_independent(api):
    other = api_for(User.objects.create_user("other"))
    assert post(api).json()["id"] != post(other).json()["id"]


def test_a_refused_request_does_not_use_the_key(api):
    assert post(api, {"description": "x"}).status_code == 400
    assert post(api).status_code == 201


@pytest.mark.parametrize(
    ("key", "code"),
    [("", "blank"), ("x" * 256, "max_length"), ("a b", "invalid"), ("ключ", "invalid"), ("a\tb", "invalid")],
)
def test_an_invalid_key(api, key, code):
    response = post(api, key=key)
    assert (response.status_code, errors(response)) == (400, [(code, "Idempotency-Key")])
    assert not Incident.objects.exists()


@pytest.mark.parametrize("path", ["", "{pk}/comments/"])
def test_an_invalid_key_beside_an_invalid_body(api, path):
    path = path.format(pk=make_incident().pk)
    response = api.post(URL + path, {"bogus": 1}, "application/json", headers={"idempotency-key": ""})
    assert errors(response)[0] == ("blank", "Idempotency-Key")
    assert errors(response)[-1] == ("unknown_field", "bogus")


def test_the_longest_key(api):
    key = "~" * 255
    assert post(api, key=key).content == post(api, key=key).content


def test_without_a_key_every_post_is_a_report(api):
    for _ in range(2):
        api.post(URL, BODY, "application/json")
    assert Incident.objects.count() == 2


def test_keys_are_kept_for_a_day(api):
    first = post(api)
    IdempotencyKey.objects.update(created_at=timezone.now() - timedelta(hours=23, minutes=59))
    purge_expired_keys()
    assert post(api).content == first.content
    IdempotencyKey.objects.update(created_at=timezone.now() - timedelta(hours=25))
    purge_expired_keys()
    assert post(api).json()["id"] != first.json()["id"]


def test_expired_keys_are_deleted_in_batches(api, monkeypatch):
    monkeypatch.setattr(idempotency, "PURGE_BATCH", 2)
    for number in range(3):
        post(api, key=f"k{number}")
    IdempotencyKey.objects.update(created_at=timezone.now() - timedelta(hours=25))
    assert [purge_expired_keys(), purge_expired_keys()] == [True, False]
    assert not IdempotencyKey.objects.exists()
