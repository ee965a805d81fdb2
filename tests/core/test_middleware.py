"""The middleware: errors of plain Django views, Vary, languages, no sessions or CSRF outside the admin."""

import pytest
from django.contrib.sessions.backends.db import SessionStore
from django.db import OperationalError
from django.http import HttpResponse
from django.test import Client
from django.urls import include, path

from identity.models import User
from tests.helpers.api import errors
from tests.helpers.wsgi import wsgi_request

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]

LIST = "/api/v1/incidents/"


def lost(*args, **kwargs):
    raise OperationalError("no route to host 10.0.0.5")


def crash(request):
    raise ZeroDivisionError


def take(request):
    return HttpResponse(request.body, content_type="application/json")


urlpatterns = [
    path("api/lost/", lost),
    path("api/crash/", crash),
    path("api/take/", take),
    path("", include("config.urls")),
]


@pytest.fixture(params=[False, True], ids=["production", "debug"])
def plain(request, settings):
    """A client for plain Django views, outside REST framework."""
    settings.ROOT_URLCONF, settings.DEBUG = __name__, request.param
    return Client(enforce_csrf_checks=True, raise_request_exception=False)


def test_lost_database_is_503(plain):
    response = plain.get("/api/lost/")
    assert (response.status_code, errors(response)) == (503, [("503 service_unavailable", None)])
    assert int(response["Retry-After"]) > 0
    assert "10.0.0.5" not in response.text


def test_crash_is_500(plain):
    response = plain.get("/api/crash/")
    assert (response.status_code, errors(response)) == (500, [("500 error", None)])
    assert len(response["X-Request-ID"]) == 32


def test_csrf_token_is_required_in_the_admin_only(plain):
    response = plain.post("/api/take/", {"a": 1}, "application/json")
    assert (response.status_code, response.json()) == (200, {"a": 1})
    assert plain.post("/api/admin/login/", {"username": "x"}).status_code == 403


def test_session_that_cannot_be_saved_is_503(client, settings, monkeypatch):
    settings.SESSION_SAVE_EVERY_REQUEST = True
    client.force_login(User.objects.create_superuser("chief"))
    monkeypatch.setattr(SessionStore, "save", lost)
    response = client.get("/api/admin/")
    assert (response.status_code, errors(response)) == (503, [("503 service_unavailable", None)])


@pytest.mark.parametrize("path", [LIST, "/api/schema/", "/api/nothing/"])
@pytest.mark.parametrize("headers", [{}, {"origin": "https://a.example"}, {"accept-language": "ru"}])
def test_vary_names_origin_and_language(api, path, headers):
    response = api.get(path, headers=headers)
    assert {"origin", "accept-language"} <= {name.strip().lower() for name in response["Vary"].split(",")}
    assert response["Content-Language"] == headers.get("accept-language", "en")


@pytest.mark.parametrize("language", ["", "ru"])
def test_refused_body_is_explained_in_the_language_of_its_request(client, language):
    for other in ("ru", "en"):
        client.get("/api/nothing/", headers={"accept-language": other})
        response = wsgi_request(
            "POST", LIST, HTTP_TRANSFER_ENCODING="chunked", CONTENT_LENGTH="", HTTP_ACCEPT_LANGUAGE=language
        )
        assert (response.status_code, errors(response)) == (411, [("411 length_required", None)])
        assert response.headers["Content-Language"] == (language or "en")
        assert response.json()["errors"][0]["detail"].isascii() == (language == "")


def test_sessions_are_not_loaded_outside_the_admin(client, monkeypatch):
    monkeypatch.setattr(SessionStore, "load", lambda self: 1 / 0)
    client.cookies["sessionid"] = "x" * 32
    for url in (LIST, "/api/schema/", "/api/v1/schema/swagger-ui/", "/static/nothing"):
        assert client.get(url).status_code in (200, 401, 404)


@pytest.mark.parametrize("length", ["x", "-1", "1.5", "0x10", "1_000", "9" * 5000, "\xb2"])
@pytest.mark.parametrize("path", [LIST, "/api/nothing/", "/static/admin/css/base.css", "/", "/api/admin/login/"])
def test_malformed_content_length_is_400(path, length):
    response = wsgi_request("POST", path, b"{}", CONTENT_TYPE="application/json", CONTENT_LENGTH=length)
    assert (response.status_code, errors(response)) == (400, [("400 parse_error", None)])
