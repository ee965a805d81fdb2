"""The error format, inside REST framework's views and outside them, with DEBUG on and off."""

import pytest
from django.core.exceptions import SuspiciousOperation
from django.db import OperationalError
from django.http import Http404
from django.test import Client, override_settings

from incidents import views
from tests.helpers.api import errors

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]

LIST = "/api/v1/incidents/"


@pytest.fixture(params=[False, True], ids=["production", "debug"])
def non_raising(request, api):
    """The API client, which gets the response to a crash instead of the exception."""
    api.raise_request_exception = False
    with override_settings(DEBUG=request.param):
        yield api


@pytest.mark.parametrize("path", ["/api/", "/api/nothing/", "/api/v1/", "/api/v1/incidents/x/", "/api/schema/x", "/"])
def test_unknown_path_is_404(non_raising, path):
    for method in ("get", "post", "delete"):
        response = getattr(non_raising, method)(path)
        assert (response.status_code, errors(response)) == (404, [("404 not_found", None)])
        assert response["Content-Type"] == "application/json"
        assert response["Content-Length"] == str(len(response.content))
        assert response.json()["errors"][0]["detail"] == "Not found."


def test_crash_in_a_view_reveals_nothing(non_raising, monkeypatch):
    monkeypatch.setattr(views, "create_incident", lambda **values: 1 / 0)
    response = non_raising.post(LIST, {"description": "x", "source": "operator"}, "application/json")
    assert (response.status_code, errors(response)) == (500, [("500 error", None)])
    assert b"ZeroDivision" not in response.content and b"Traceback" not in response.content


@pytest.mark.parametrize(
    ("raised", "code"),
    [
        (ZeroDivisionError(), "500 error"),
        (Http404(), "404 not_found"),
        (SuspiciousOperation(), "400 parse_error"),
    ],
)
def test_exception_in_middleware_has_the_format(non_raising, monkeypatch, raised, code):
    def fail(*args, **kwargs):
        raise raised

    monkeypatch.setattr("core.api.middleware.LanguageMiddleware.process_request", fail)
    response = non_raising.get(LIST)
    assert (response.status_code, errors(response)) == (int(code[:3]), [(code, None)])


def test_lost_database_is_503_with_retry_after(non_raising, monkeypatch):
    def fail(*args, **kwargs):
        raise OperationalError("connection refused to 10.0.0.5, password=secret")

    monkeypatch.setattr("incidents.store.store.read_page", fail)
    response = non_raising.get(LIST)
    assert (response.status_code, errors(response)) == (503, [("503 service_unavailable", None)])
    assert int(response["Retry-After"]) > 0
    assert b"secret" not in response.content


def test_too_many_parameters_are_400(non_raising):
    response = non_raising.get(LIST, {f"a{number}": 1 for number in range(10_000)})
    assert (response.status_code, errors(response)) == (400, [("400 parse_error", None)])


def test_unknown_host_is_400(non_raising):
    with override_settings(ALLOWED_HOSTS=["example.org"]):
        response = non_raising.get(LIST)
    assert (response.status_code, errors(response)) == (400, [("400 parse_error", None)])


@pytest.mark.parametrize("query", ["?format=html", "?format=api", "?format=xml"])
@pytest.mark.parametrize("accept", ["text/html", "application/xml", "image/png;q=0.1", "garbage"])
def test_responses_are_json_whatever_accept_says(non_raising, accept, query):
    response = non_raising.get(LIST + query, headers={"accept": accept})
    assert (response.status_code, response["Content-Type"]) == (200, "application/json")


@pytest.mark.parametrize("path", ["/api/schema/", "/api/v1/schema/swagger-ui/", "/api/schema/redoc/"])
def test_405_names_the_allowed_methods(non_raising, path):
    response = non_raising.delete(path)
    assert (response.status_code, errors(response)) == (405, [("405 method_not_allowed", None)])
    assert "GET" in response["Allow"]


def test_options_is_405(non_raising):
    assert non_raising.options(LIST).status_code == 405


def test_admin_errors_are_html(client):
    response = client.get("/api/admin/nothing/", follow=True)
    assert response["Content-Type"].startswith("text/html")


def test_csrf_failures_of_the_admin_are_html():
    response = Client(enforce_csrf_checks=True).post("/api/admin/login/", {"username": "x", "password": "y"})
    assert response.status_code == 403
    assert response["Content-Type"].startswith("text/html")


def test_request_id_is_kept_or_generated(api):
    assert api.get(LIST, headers={"x-request-id": "order-66:a/b"})["X-Request-ID"] == "order-66:a/b"
    generated = {
        api.get(LIST, headers={"x-request-id": bad})["X-Request-ID"] for bad in ("", "a b", "a\nb", "x" * 129, "ё")
    }
    assert len(generated) == 5
    assert all(len(name) == 32 for name in generated)


def test_cors_headers(api):
    origin = {"origin": "http://localhost:3000"}
    with override_settings(CORS_ALLOWED_ORIGINS=["http://localhost:3000"]):
        response = api.get(LIST, headers=origin)
        assert response["Access-Control-Allow-Origin"] == "http://localhost:3000"
        exposed = {name.strip() for name in response["Access-Control-Expose-Headers"].split(",")}
        assert exposed == {"ETag", "Location", "Retry-After", "Idempotency-Replayed", "X-Request-ID"}
        preflight = api.options(LIST, headers=origin | {"access-control-request-method": "PATCH"})
        assert preflight.status_code == 200
        allowed = preflight["Access-Control-Allow-Headers"]
        for name in ("idempotency-key", "if-match", "if-none-match", "x-request-id", "authorization"):
            assert name in allowed
    assert "Access-Control-Allow-Origin" not in api.get(LIST, headers=origin)
