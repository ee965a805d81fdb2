"""Each route checks the token before it reveals or writes anything."""

import pytest
from django.utils import timezone

from identity.models import User
from incidents.models import Incident, IncidentChange
from tests.helpers.api import errors
from tests.helpers.incidents import make_incident

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]

URL = "/api/v1/incidents/"
BODY = {"description": "Самокат не в сети", "source": "operator"}

END = {
    "deactivated": lambda: User.objects.update(is_active=False),
    "deleted": lambda: User.objects.all().delete(),
    "another password": lambda: User.objects.update(password_changed_at=timezone.now()),
}


@pytest.fixture
def pk(db):
    return make_incident().pk


@pytest.mark.parametrize("end", END)
@pytest.mark.parametrize(
    ("method", "path", "body", "headers", "alive"),
    [
        ("get", "", None, {}, 200),
        ("get", "?status=bogus", None, {}, 400),
        ("get", "?page=2", None, {}, 404),
        ("get", "{pk}/", None, {}, 200),
        ("get", "{pk}/", None, {"if-none-match": "*"}, 304),
        ("get", "0/", None, {}, 404),
        ("get", "{pk}/history/", None, {}, 200),
        ("get", "0/history/", None, {}, 404),
        ("patch", "{pk}/", {"status": "closed"}, {}, 200),
        ("patch", "{pk}/", {"status": "bogus"}, {}, 400),
        ("patch", "{pk}/", {"status": "closed"}, {"if-match": "x"}, 412),
        ("patch", "0/", {"status": "closed"}, {}, 404),
        ("get", "{pk}/urgent/", None, {}, 200),
        ("put", "{pk}/urgent/", {"urgent": True}, {}, 200),
        ("put", "{pk}/urgent/", {"urgent": "x"}, {}, 400),
        ("put", "0/urgent/", {"urgent": True}, {}, 404),
        ("post", "", BODY, {}, 201),
        ("post", "", BODY, {"idempotency-key": "1"}, 201),
        ("post", "", BODY, {"idempotency-key": ""}, 400),
        ("post", "", {}, {}, 400),
        ("post", "", "{", {}, 400),
        ("post", "", " " * 2_700_000, {}, 413),
    ],
)
def test_a_revoked_token_is_401(api, pk, method, path, body, headers, alive, end):
    def ask():
        options = {"content_type": "application/json"} if body is not None else {}
        return getattr(api, method)(URL + path.format(pk=pk), body, headers=headers, **options)

    assert ask().status_code == alive
    END[end]()
    before = list(Incident.objects.values()), IncidentChange.objects.count()
    response = ask()
    assert (response.status_code, errors(response)) == (401, [("401 token_not_valid", None)])
    assert "WWW-Authenticate" in response
    assert (list(Incident.objects.values()), IncidentChange.objects.count()) == before


def test_history_names_the_bearer_by_the_present_username(api, user):
    User.objects.update(username="petrova")
    pk = api.post(URL, BODY, "application/json").json()["id"]
    api.patch(f"{URL}{pk}/", {"status": "closed"}, "application/json")
    actors = [entry["actor"] for entry in api.get(f"{URL}{pk}/history/").json()["results"]]
    assert actors == ["petrova", "petrova"]
