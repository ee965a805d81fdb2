"""A read-only database, as after a failover: each write is 503 with Retry-After, reads are served."""

import pytest
from django.db import connection

from core.db.vendor import sqlite
from incidents.models import Incident
from tests.helpers.api import errors

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.both_databases]

LIST = "/api/v1/incidents/"
WRITES = [
    ("post", LIST, {"description": "x", "source": "operator"}, {}),
    ("post", LIST, {"description": "x", "source": "operator"}, {"idempotency-key": "k"}),
    ("patch", LIST + "{pk}/", {"status": "closed"}, {}),
    ("post", LIST + "{pk}/comments/", {"text": "x"}, {}),
    ("post", LIST + "{pk}/comments/", {"text": "x"}, {"idempotency-key": "k"}),
    ("post", "/api/identity/auth/jwt/create/", {"username": "operator", "password": "wrong"}, {}),
    ("post", "/api/admin/login/", "username=operator&password=wrong", {}),
]


@pytest.fixture
def read_only(user):
    incident = Incident.objects.create(description="x", source="operator")
    on, off = {
        "postgresql": ("SET default_transaction_read_only = on", "SET default_transaction_read_only = off"),
        "sqlite": ("PRAGMA query_only = ON", "PRAGMA query_only = OFF"),
    }[connection.vendor]
    connection.connection.execute(on)
    yield incident.pk
    connection.connection.execute(off)


@pytest.mark.parametrize(("method", "path", "body", "headers"), WRITES)
def test_write_is_503_with_retry_after(api, read_only, method, path, body, headers):
    api.raise_request_exception = False
    kind = "application/json" if isinstance(body, dict) else "application/x-www-form-urlencoded"
    response = getattr(api, method)(path.format(pk=read_only), body, kind, headers=headers)
    assert (response.status_code, errors(response)) == (503, [("503 service_unavailable", None)])
    assert int(response["Retry-After"]) > 0


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("add/", {"description": "x", "source": "operator", "status": "open"}),
        ("{pk}/change/", {"description": "y", "source": "operator", "status": "open"}),
        ("{pk}/status/", {"shown": "open", "status": "closed"}),
        ("{pk}/comment/", {"text": "y"}),
    ],
)
def test_write_in_the_admin_is_503(request, admin_client, path, body):
    pk = request.getfixturevalue("read_only")  # after the log-in, which writes a session
    admin_client.raise_request_exception = False
    body = {name: value.format(pk=pk) for name, value in body.items()}
    response = admin_client.post(f"/api/admin/incidents/incident/{path.format(pk=pk)}", body)
    assert response.status_code == 503
    assert int(response["Retry-After"]) > 0
    assert Incident.objects.values_list("description", "status").get() == ("x", "open")


def test_read_is_200(api, read_only):
    assert api.get(f"{LIST}{read_only}/").status_code == 200


def test_page_of_the_admin_is_shown(request, admin_client):
    pk = request.getfixturevalue("read_only")
    assert admin_client.get(f"/api/admin/incidents/incident/{pk}/change/").status_code == 200


def test_service_is_not_ready(client, read_only, monkeypatch):
    monkeypatch.setattr(sqlite.os, "access", lambda *args: False)
    monkeypatch.setattr(sqlite.os.path, "exists", lambda path: True)
    response = client.get("/api/health/ready/")
    assert (response.status_code, response.json()["checks"]["database"]) == (503, "read_only")
    assert int(response["Retry-After"]) > 0
