"""Malformed requests are client errors in the format, or have no effect: one log line each, no alert."""

import logging

import pytest
from django.conf import settings

from tests.helpers.api import errors
from tests.helpers.wsgi import wsgi_request

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]

CHARSETS = [
    *("hex", "rot13", "zlib", "base64", "unicode_escape", "utf-16", "utf-7", "undefined", "idna", "punycode", ""),
    *("no-such", "a\0b", "\xff", "x" * 5000, '"', "'"),
]
CONTENT_TYPES = [
    *(f"{kind}; charset={charset}" for kind in ("text/plain", "application/json") for charset in CHARSETS),
    *("text/plain; charset*=hex''x", "text/plain; charset*=no-such''x", "text/plain; charset*=utf-8''%ed%a0%80"),
    *("a/b;" * 2000, "", "/", ";", "\0", "\xff\xfe", "application/json; x*=a'b", 'text/plain; charset="', "multipart/"),
]
FORMS = [
    *(f"application/x-www-form-urlencoded; charset={charset}" for charset in CHARSETS),
    *(f"multipart/form-data; boundary=x; charset={charset}" for charset in CHARSETS),
    *("multipart/form-data", "multipart/form-data; boundary=", "multipart/form-data; boundary=\xff"),
]
PATHS = ["/api/v1/incidents/", "/api/nothing/", "/static/admin/css/base.css", "/static/nothing", "/"]


@pytest.fixture(autouse=True)
def no_alert(caplog):
    yield
    assert [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR] == []


@pytest.fixture
def logged(caplog, monkeypatch):
    """Checks that a response has its request id and its one line."""
    monkeypatch.setattr(logging.getLogger("request"), "propagate", True)

    def check(response):
        (line,) = [record for record in caplog.records if record.name == "request"]
        assert line.status == response.status_code
        assert len(response.headers["X-Request-ID"]) == 32

    return check


@pytest.mark.parametrize("content_type", CONTENT_TYPES)
def test_content_type_has_no_effect_on_a_query(logged, content_type):
    response = wsgi_request("GET", "/api/schema/", CONTENT_TYPE=content_type, QUERY_STRING="a=%ff&b=\xff")
    assert response.status_code == 200
    logged(response)


@pytest.mark.parametrize("content_type", CONTENT_TYPES + FORMS)
def test_unknown_content_type_is_415(content_type):
    response = wsgi_request("POST", "/api/identity/auth/jwt/verify/", b"a=1", CONTENT_TYPE=content_type)
    assert response.status_code in ((400, 415) if content_type.startswith("application/json") else (415,))
    assert errors(response)


@pytest.mark.parametrize("content_type", FORMS)
@pytest.mark.parametrize("path", PATHS)
def test_form_outside_the_admin_is_a_client_error(logged, path, content_type):
    response = wsgi_request("POST", path, b"a=1", CONTENT_TYPE=content_type)
    assert response.status_code in (401, 404, 405)
    assert errors(response)
    logged(response)


@pytest.mark.parametrize("host", ["testserver", "evil.example"])
@pytest.mark.parametrize("path", [*PATHS, "/api/admin", "/api/admin/nothing/"])
def test_malformed_form_with_a_csrf_token(logged, path, host):
    environ = {"CONTENT_TYPE": "multipart/form-data", "HTTP_COOKIE": f"csrftoken={'a' * 32}", "HTTP_HOST": host}
    response = wsgi_request("POST", path, b"a=1", **environ)
    assert response.status_code in (400, 401, 404, 405)
    logged(response)


@pytest.mark.parametrize(
    "query", ["version=%0a", "version=%00", "version=a%0d%0ab", "lang=%00", "format=%0a", "lang=%0a"]
)
def test_unknown_parameters_of_the_openapi_document_are_ignored(logged, query):
    response = wsgi_request("GET", "/api/schema/", QUERY_STRING=query)
    assert (response.status_code, response.json()["info"]["version"]) == (200, settings.VERSION)
    assert response.headers["Content-Disposition"] == 'inline; filename="Incidents.json"'
    logged(response)


@pytest.mark.parametrize("debug", [False, True])
@pytest.mark.parametrize("content_type", FORMS)
def test_malformed_form_of_the_admin_is_a_client_error(logged, settings, content_type, debug):
    settings.DEBUG = debug
    response = wsgi_request("POST", "/api/admin/login/", b"a=1", CONTENT_TYPE=content_type)
    assert response.status_code in (400, 403)
    assert response.headers["Content-Type"].startswith("text/html")
    logged(response)


@pytest.mark.parametrize(
    "path", ["/api/\xff/", "/api/\0", "/\0", "/%ff", "/api/v1/incidents/\xed\xa0\x80/", "//", "", "/api/%"]
)
def test_malformed_path_is_404(logged, path):
    response = wsgi_request("GET", path)
    assert (response.status_code, errors(response)) == (404, [("404 not_found", None)])
    logged(response)


@pytest.mark.parametrize("path", ["/api/admin/\0/", "/api/admin/\xff/", "/api/admin/identity/user/\0/change/"])
def test_malformed_path_of_the_admin_is_404(logged, path):
    response = wsgi_request("GET", path)
    assert response.status_code in (302, 404)
    logged(response)


@pytest.mark.parametrize(
    "cookie", ["=", ";;;", "\xff=\xff", "a\0b", "django_language=\0", "messages=x", "csrftoken=\0"]
)
def test_malformed_cookie_has_no_effect(cookie):
    for path, status in (("/api/schema/", 200), ("/api/admin/", 302), ("/api/admin/login/", 200)):
        assert wsgi_request("GET", path, HTTP_COOKIE=cookie).status_code == status
