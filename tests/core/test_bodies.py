"""Request bodies that are refused, and responses without a body."""

import io
import tempfile
from wsgiref.handlers import SimpleHandler

import pytest
from django.conf import settings
from django.core.files.uploadedfile import SimpleUploadedFile
from django.http import FileResponse, HttpResponseNotModified
from django.test import Client

from core.api.middleware import RequestMiddleware
from identity.models import User
from tests.helpers.api import api_for, errors
from tests.helpers.routes import routes
from tests.helpers.wsgi import wsgi_request

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]

LIST = "/api/v1/incidents/"
TOO_LONG = settings.DATA_UPLOAD_MAX_MEMORY_SIZE + 1


@pytest.mark.parametrize("path", ["/api/admin/login/", "/api/admin/", "/api/admin/incidents/incident/add/"])
def test_admin_refuses_a_body_over_the_limit(path):
    response = wsgi_request("POST", path, CONTENT_TYPE="multipart/form-data; boundary=x", CONTENT_LENGTH=str(TOO_LONG))
    assert (response.status_code, errors(response)) == (413, [("413 request_too_large", None)])


def test_uploaded_files_are_discarded(client, monkeypatch):
    monkeypatch.setattr(tempfile, "_get_candidate_names", lambda: 1 / 0)
    form = {"username": "x", "password": "y", "file": SimpleUploadedFile("a.txt", b"x" * 2_000_000)}
    response = client.post("/api/admin/login/", form)
    assert response.status_code == 200
    assert not response.wsgi_request.FILES


@pytest.mark.parametrize("coding", ["gzip", "br", "GZIP", "gzip, identity", "x"])
@pytest.mark.parametrize("path", [LIST, "/api/identity/auth/jwt/create/", "/api/identity/auth/jwt/verify/"])
def test_body_with_a_content_encoding_is_415(api, path, coding):
    response = api.post(path, {"a": 1}, "application/json", headers={"content-encoding": coding})
    assert (response.status_code, errors(response)) == (415, [("415 unsupported_media_type", None)])


@pytest.mark.parametrize("coding", ["", "identity", "Identity"])
def test_identity_encoding_is_accepted(api, coding):
    body = {"description": "x", "source": "operator"}
    assert api.post(LIST, body, "application/json", headers={"content-encoding": coding}).status_code == 201


def test_response_without_content_has_no_content_length(api):
    created = api.post(LIST, {"description": "x", "source": "operator"}, "application/json")
    same = api.get(created["Location"], headers={"if-none-match": created["ETag"]})
    assert (same.status_code, same.headers.keys() & {"Content-Length", "Content-Type"}) == (304, set())
    superuser, other = User.objects.create_superuser("chief"), User.objects.create_user("other")
    deleted = api_for(superuser).delete(f"/api/identity/auth/users/{other.pk}/")
    assert (deleted.status_code, deleted.headers.keys() & {"Content-Length", "Content-Type"}) == (204, set())


@pytest.mark.parametrize("response", [HttpResponseNotModified(), FileResponse((), status=304)])
def test_development_server_adds_no_content_length(rf, response):
    def application(environ, start_response):
        response_with_headers = RequestMiddleware(lambda request: response)(rf.get("/"))
        start_response("304 Not Modified", [*response_with_headers.items()])
        return response_with_headers

    sent = io.BytesIO()
    SimpleHandler(io.BytesIO(), sent, io.StringIO(), {"SERVER_PROTOCOL": "HTTP/1.1"}).run(application)
    assert sent.getvalue().startswith(b"HTTP/1.0 304 Not Modified\r\n")
    assert b"content-length" not in sent.getvalue().lower()


API = sorted({f"{path}/" for path, pattern in routes() if hasattr(pattern.callback, "cls")})  # REST framework's views


@pytest.mark.parametrize("path", API)
def test_options_is_not_offered(client, path):
    client.force_login(User.objects.create_superuser("chief"))
    response = client.options(path)
    assert response.status_code in (401, 405)
    assert "OPTIONS" not in response["Allow"]
    assert "OPTIONS" not in client.get(path).get("Allow", "")


def test_cors_preflight(settings):
    settings.CORS_ALLOWED_ORIGINS = ["https://a.example"]
    headers = {"origin": "https://a.example", "access-control-request-method": "PATCH"}
    response = Client().options(LIST, headers=headers)
    assert (response.status_code, response["Access-Control-Allow-Origin"]) == (200, "https://a.example")
