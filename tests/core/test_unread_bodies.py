"""What is left of a body is read before the response, so that the next request can use the connection."""

import io
import socket

import pytest
from django.conf import settings
from django.http import HttpResponse
from django.urls import include, path
from rest_framework_simplejwt.tokens import AccessToken

from core import wsgi
from core.api.exceptions import ServiceUnavailable
from identity.tokens import issue
from tests.helpers.wsgi import wsgi_request

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]

LIST = "/api/v1/incidents/"
LOGIN = "/api/identity/auth/jwt/create/"
BODY = b'{"description": "' + b"x" * 300_000 + b'"}'
JSON = {"CONTENT_TYPE": "application/json"}
CHUNKED = {"HTTP_TRANSFER_ENCODING": "chunked", "CONTENT_LENGTH": "", "wsgi.input_terminated": True}
TOO_LONG = b" " * (settings.DATA_UPLOAD_MAX_MEMORY_SIZE + 1)
FORM = {"CONTENT_TYPE": "application/x-www-form-urlencoded"}


def crash(request):
    raise ZeroDivisionError


def unavailable(request):
    raise ServiceUnavailable


def half(request):
    return HttpResponse(request.read(1000))


urlpatterns = [
    path("crash/", crash),
    path("unavailable/", unavailable),
    path("half/", half),
    path("", include("config.urls")),
]


@pytest.fixture
def token(user):
    return {"HTTP_AUTHORIZATION": f"Bearer {issue(AccessToken, user)}"}


class Input(io.BytesIO):
    """`wsgi.input` as gunicorn has it, with what docker/gunicorn.conf.py adds."""

    closes = False

    def close_connection(self):
        self.closes = True


def is_read(method, path, status, body=BODY, **environ):
    given = Input(body)
    response = wsgi_request(method, path, **{"CONTENT_LENGTH": str(len(body)), "wsgi.input": given, **JSON, **environ})
    assert response.status_code == status
    return given.tell() == len(body) and not given.closes


@pytest.mark.parametrize(
    ("method", "path", "status", "environ"),
    [
        ("POST", LIST, 401, {}),
        ("POST", LIST, 401, {"HTTP_AUTHORIZATION": "Bearer x"}),
        ("POST", LIST, 411, CHUNKED),
        ("POST", LIST, 400, {"CONTENT_LENGTH": "x", "wsgi.input_terminated": True}),
        ("PATCH", f"{LIST}1/", 401, {}),
        ("GET", LIST, 401, {}),
        ("POST", "/api/v1/intake/nothing/", 401, {}),
        ("POST", "/api/v1/intake/telegram/", 401, {}),
        ("POST", LOGIN, 415, {"CONTENT_TYPE": "text/plain"}),
        ("POST", LOGIN, 415, {"HTTP_CONTENT_ENCODING": "gzip"}),
        ("POST", LOGIN, 413, {"body": TOO_LONG}),
        ("POST", "/api/nothing/", 404, {}),
        ("POST", "/", 404, {}),
        ("GET", "/", 302, {"HTTP_ACCEPT": "text/html"}),
        ("POST", "/api/health/live/", 405, {}),
        ("GET", "/api/health/ready/", 200, {}),
        ("HEAD", "/api/health/live/", 200, {}),
        ("POST", "/static/admin/css/base.css", 405, {}),
        ("POST", "/api/admin/login/", 403, FORM),
        ("POST", "/api/admin/login/", 413, {"body": TOO_LONG}),
        ("GET", "/api/admin/", 302, {}),
        ("OPTIONS", LIST, 401, {}),
        ("OPTIONS", LIST, 200, {"HTTP_ORIGIN": "http://a.example", "HTTP_ACCESS_CONTROL_REQUEST_METHOD": "POST"}),
        ("POST", LIST, 400, {"HTTP_HOST": "evil.example"}),
        ("POST", "/crash/", 500, {}),
        ("POST", "/unavailable/", 503, {}),
        ("POST", "/half/", 200, {}),
    ],
)
def test_rest_of_a_body_is_read(settings, method, path, status, environ):
    settings.ROOT_URLCONF = __name__
    assert is_read(method, path, status, **environ)


@pytest.mark.parametrize(
    ("method", "path", "status", "environ"),
    [
        ("PUT", LIST, 405, {}),
        ("POST", LIST, 415, {"CONTENT_TYPE": "text/plain"}),
        ("POST", LIST, 413, {"body": TOO_LONG}),
        ("PATCH", f"{LIST}1/", 404, {}),
        ("GET", LIST, 200, {}),
    ],
)
def test_rest_of_a_body_is_read_with_a_token(token, method, path, status, environ):
    assert is_read(method, path, status, **environ, **token)


@pytest.mark.slow
def test_rest_of_a_throttled_body_is_read(client, monkeypatch):
    account = b'{"username": "x", "password": "y"}'
    statuses = {wsgi_request("POST", LOGIN, account, **JSON).status_code for _ in range(100)}
    assert statuses == {401, 429}
    assert is_read("POST", LOGIN, 429, account)


@pytest.mark.parametrize("length", [wsgi.MAX_DISCARDED_BYTES + 1, 10**12])
def test_body_that_is_far_too_large_closes_the_connection(length):
    for given in (Input(BODY), io.BytesIO(BODY)):
        environ = {"CONTENT_LENGTH": str(length), "wsgi.input": given, "SERVER_SOFTWARE": "Granian"}
        response = wsgi_request("POST", LIST, **environ)
        assert response.status_code == 401 and given.tell() == 0
        assert response.headers.get("Connection") == "close" or given.closes


def test_endless_body_in_chunks_closes_the_connection(monkeypatch):
    monkeypatch.setattr(wsgi, "MAX_DISCARDED_BYTES", 100_000)
    given = Input(BODY)
    assert wsgi_request("POST", LIST, **{"wsgi.input": given, **CHUNKED}).status_code == 411
    assert given.closes and given.tell() == 100_000


@pytest.mark.parametrize("environ", [{**CHUNKED, "wsgi.input_terminated": False}, {"CONTENT_LENGTH": str(10**12)}])
def test_development_server_closes_a_connection_that_it_cannot_read(environ):
    response = wsgi_request("POST", LIST, **environ)
    assert response.status_code in (401, 411)
    assert not response.headers.keys() & {"Content-Length", "Connection"}


def test_malformed_body_closes_the_connection():
    class Malformed(Input):
        def read(self, size=-1):
            raise ValueError("a chunk")

    given = Malformed(BODY)
    assert wsgi_request("POST", LIST, **{"wsgi.input": given, **CHUNKED}).status_code == 411
    assert given.closes


def test_slow_body_is_not_waited_for(monkeypatch):
    monkeypatch.setattr(wsgi, "DISCARD_SECONDS", 0.1)
    server, client = socket.socketpair()
    with server, client, server.makefile("rb") as given:
        client.sendall(BODY[:10])
        environ = {"CONTENT_LENGTH": str(len(BODY)), "wsgi.input": given, "gunicorn.socket": server}
        response = wsgi_request("POST", LIST, SERVER_SOFTWARE="Granian", **environ)
    assert (response.status_code, response.headers["Connection"]) == (401, "close")


def test_connection_that_the_client_has_closed():
    server, client = socket.socketpair()
    with server, server.makefile("rb") as given:
        client.sendall(BODY[:10])
        client.close()
        environ = {"CONTENT_LENGTH": str(len(BODY)), "wsgi.input": given, "gunicorn.socket": server}
        assert wsgi_request("POST", LIST, **environ).status_code == 401
