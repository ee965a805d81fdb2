"""One format for whatever goes wrong, inside REST framework's views and outside them, with DEBUG on and off."""

import pytest
from django.core.exceptions import SuspiciousOperation
from django.db import OperationalError
from django.http import Http404
from django.test import Client, override_settings

from incidents import views
from tests.conftest import errors

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]

LIST = "/api/v1/incidents/"


@pytest.fixture(params=[False, True], ids=["production", "debug"])
def quiet(request, api):
    """The API where a crash is answered, not raised into the test."""
    api.raise_request_exception = False
    with override_settings(DEBUG=request.param):
        yield api


@pytest.mark.parametrize("path", ["/api/", "/api/nothing/", "/api/v1/", "/api/v1/incidents/x/", "/api/schema/x", "/"])
def test_an_unknown_path(quiet, path):
    for method in ("get", "post", "delete"):
        answer = getattr(quiet, method)(path)
        assert (answer.status_code, errors(answer)) == (404, [("404 not_found", None)])
        assert answer["Content-Type"] == "application/json"
        assert answer["Content-Length"] == str(len(answer.content))
        assert answer.json()["errors"][0]["detail"] == "Not found."


def test_a_crash_in_a_view_says_nothing(quiet, monkeypatch):
    monkeypatch.setattr(views, "create_incident", lambda **values: 1 / 0)
    answer = quiet.post(LIST, {"description": "x", "source": "operator"}, "application/json")
    assert (answer.status_code, errors(answer)) == (500, [("500 error", None)])
    assert b"ZeroDivision" not in answer.content and b"Traceback" not in answer.content


@pytest.mark.parametrize(
    ("raised", "code"),
    [
        (ZeroDivisionError(), "500 error"),
        (Http404(), "404 not_found"),
        (SuspiciousOperation(), "400 parse_error"),
    ],
)
def test_a_crash_outside_rest_framework(quiet, monkeypatch, raised, code):
    def fail(*args, **kwargs):
        raise raised

    monkeypatch.setattr("django.middleware.locale.LocaleMiddleware.process_request", fail)
    answer = quiet.get(LIST)
    assert (answer.status_code, errors(answer)) == (int(code[:3]), [(code, None)])


def test_the_database_is_gone(quiet, monkeypatch):
    def fail(*args, **kwargs):
        raise OperationalError("connection refused to 10.0.0.5, password=secret")

    monkeypatch.setattr("incidents.views.read_page", fail)
    answer = quiet.get(LIST)
    assert (answer.status_code, errors(answer)) == (503, [("503 service_unavailable", None)])
    assert int(answer["Retry-After"]) > 0
    assert b"secret" not in answer.content


def test_ten_thousand_parameters(quiet):
    answer = quiet.get(LIST, {f"a{number}": 1 for number in range(10_000)})
    assert (answer.status_code, errors(answer)) == (400, [("400 parse_error", None)])


def test_a_host_that_is_not_ours(quiet):
    with override_settings(ALLOWED_HOSTS=["example.org"]):
        answer = quiet.get(LIST)
    assert (answer.status_code, errors(answer)) == (400, [("400 parse_error", None)])


@pytest.mark.parametrize("query", ["?format=html", "?format=api", "?format=xml"])
@pytest.mark.parametrize("accept", ["text/html", "application/xml", "image/png;q=0.1", "garbage"])
def test_answers_are_json_whatever_is_asked_for(quiet, accept, query):
    answer = quiet.get(LIST + query, headers={"accept": accept})
    assert (answer.status_code, answer["Content-Type"]) == (200, "application/json")


@pytest.mark.parametrize("path", ["/api/schema/", "/api/v1/schema/swagger-ui/", "/api/schema/redoc/"])
def test_405_names_what_is_allowed(quiet, path):
    answer = quiet.delete(path)
    assert (answer.status_code, errors(answer)) == (405, [("405 method_not_allowed", None)])
    assert "GET" in answer["Allow"]


def test_options_is_no_operation(quiet):
    assert quiet.options(LIST).status_code == 405


def test_the_admin_keeps_its_pages(client):
    answer = client.get("/api/admin/nothing/", follow=True)
    assert answer["Content-Type"].startswith("text/html")


def test_csrf_failures_of_the_admin_stay_pages():
    answer = Client(enforce_csrf_checks=True).post("/api/admin/login/", {"username": "x", "password": "y"})
    assert answer.status_code == 403
    assert answer["Content-Type"].startswith("text/html")


def test_the_request_id_is_taken_or_given(api):
    assert api.get(LIST, headers={"x-request-id": "order-66:a/b"})["X-Request-ID"] == "order-66:a/b"
    given = {
        api.get(LIST, headers={"x-request-id": bad})["X-Request-ID"] for bad in ("", "a b", "a\nb", "x" * 129, "ё")
    }
    assert len(given) == 5
    assert all(len(name) == 32 for name in given)


def test_cors(api):
    origin = {"origin": "http://localhost:3000"}
    with override_settings(CORS_ALLOWED_ORIGINS=["http://localhost:3000"]):
        answer = api.get(LIST, headers=origin)
        assert answer["Access-Control-Allow-Origin"] == "http://localhost:3000"
        exposed = {name.strip() for name in answer["Access-Control-Expose-Headers"].split(",")}
        assert exposed == {"ETag", "Location", "Retry-After", "Idempotency-Replayed", "X-Request-ID"}
        preflight = api.options(LIST, headers=origin | {"access-control-request-method": "PATCH"})
        assert preflight.status_code == 200
        allowed = preflight["Access-Control-Allow-Headers"]
        for name in ("idempotency-key", "if-match", "if-none-match", "x-request-id", "authorization"):
            assert name in allowed
    assert "Access-Control-Allow-Origin" not in api.get(LIST, headers=origin)
