import pytest

from tests.helpers.api import errors
from tests.helpers.incidents import make_incident

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]


def test_one_incident(api):
    incident = make_incident(description="Точка не отвечает", source="monitoring")
    response = api.get(f"/api/v1/incidents/{incident.pk}/")
    assert response.status_code == 200
    assert list(response.json()) == ["id", "description", "status", "source", "created_at", "updated_at"]
    assert response.json() == api.get(f"/api/v1/incidents/{incident.pk}").json()
    assert response.json() == api.get("/api/v1/incidents/").json()["results"][0]


@pytest.mark.parametrize("pk", [1, 2**63, 10**30, "abc"])
def test_a_missing_incident_is_404(api, pk):
    response = api.get(f"/api/v1/incidents/{pk}/")
    assert response.status_code == 404
    assert response.json() == {
        "type": "client_error",
        "errors": [{"code": "404 not_found", "detail": "Not found.", "attr": None}],
    }


def test_a_token_is_required(client, db):
    for response in (
        client.get("/api/v1/incidents/"),
        client.get("/api/v1/incidents/1/"),
        client.post("/api/v1/incidents/"),
    ):
        assert (response.status_code, errors(response)) == (401, [("401 not_authenticated", None)])
        assert response["WWW-Authenticate"].startswith("Bearer")
