import pytest

from incidents.actors import Named
from incidents.services import create_incident
from tests.conftest import errors

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]


def test_one_incident(api):
    incident = create_incident(description="Точка не отвечает", source="monitoring", actor=Named("a"), channel="api")
    answer = api.get(f"/api/v1/incidents/{incident.pk}/")
    assert answer.status_code == 200
    assert list(answer.json()) == ["id", "description", "status", "source", "created_at", "updated_at"]
    assert answer.json() == api.get(f"/api/v1/incidents/{incident.pk}").json()
    assert answer.json() == api.get("/api/v1/incidents/").json()["results"][0]


@pytest.mark.parametrize("pk", [1, 2**63, 10**30, "abc"])
def test_what_does_not_exist(api, pk):
    answer = api.get(f"/api/v1/incidents/{pk}/")
    assert answer.status_code == 404
    assert answer.json() == {
        "type": "client_error",
        "errors": [{"code": "404 not_found", "detail": "Not found.", "attr": None}],
    }


def test_a_token_is_needed(client, db):
    for answer in (
        client.get("/api/v1/incidents/"),
        client.get("/api/v1/incidents/1/"),
        client.post("/api/v1/incidents/"),
    ):
        assert (answer.status_code, errors(answer)) == (401, [("401 not_authenticated", None)])
        assert answer["WWW-Authenticate"].startswith("Bearer")
