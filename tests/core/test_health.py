import pytest
from django.db import OperationalError, connection

from core import jobs
from core.models import Heartbeat
from tests.helpers.api import errors

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]


@pytest.mark.parametrize("path", ["/api/health/", "/api/health", "/api/health/ready/", "/api/health/ready"])
def test_ready_is_200_for_any_host(client, path):
    response = client.get(path, headers={"host": "evil.example"})
    assert response.status_code == 200
    assert (response.json()["status"], response.json()["checks"]) == ("ok", {"database": "ok", "migrations": "ok"})


@pytest.mark.parametrize("path", ["/api/health/live/", "/api/health/live"])
def test_live_makes_no_query(client, path, django_assert_num_queries):
    with django_assert_num_queries(0):
        response = client.get(path, headers={"host": "evil.example"})
    assert (response.status_code, response.json()) == (200, {"status": "ok"})


def test_lost_database_is_not_ready(client, monkeypatch):
    def fail(*args, **kwargs):
        raise OperationalError("no route to host 10.0.0.5")

    monkeypatch.setattr(connection, "cursor", fail)
    response = client.get("/api/health/")
    assert response.status_code == 503
    assert response.json()["checks"] == {"database": "unavailable", "migrations": "unknown"}
    assert client.get("/api/health/live/").status_code == 200


def test_missing_migration_is_not_ready(client):
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM django_migrations WHERE app = 'incidents' AND name >= '0003'")
    response = client.get("/api/health/ready/")
    assert (response.status_code, response.json()["checks"]["migrations"]) == (503, "missing")


def test_late_jobs_are_named_and_leave_the_service_ready(client):
    late = client.get("/api/health/ready/")
    assert (late.status_code, late.json()["late_jobs"]) == (200, sorted(jobs.registered))
    for name in jobs.registered:
        Heartbeat.objects.create(job=name)
    assert client.get("/api/health/ready/").json()["late_jobs"] == []


@pytest.mark.parametrize("path", ["/api/health/", "/api/health/live/", "/api/health/ready/"])
def test_only_reading(client, path):
    for method in ("post", "put", "delete", "options"):
        response = getattr(client, method)(path)
        assert (response.status_code, errors(response)) == (405, [("405 method_not_allowed", None)])
        assert response["Allow"] == "GET, HEAD"


@pytest.mark.parametrize("path", ["/api/health/", "/api/health/live/"])
def test_browsers_of_an_allowed_origin(client, settings, path):
    settings.CORS_ALLOWED_ORIGINS = ["https://a.example"]
    response = client.get(path, headers={"origin": "https://a.example"})
    assert (response.status_code, response["Access-Control-Allow-Origin"]) == (200, "https://a.example")
    assert "Access-Control-Allow-Origin" not in client.get(path, headers={"origin": "https://b.example"})
