"""nginx's own errors have the error format, in Russian on request; those of the admin are HTML."""

from uuid import uuid4

import pytest

from tests.helpers.api import errors
from tests.helpers.production import parse, send, until

pytestmark = pytest.mark.e2e

HOST = b"Host: 127.0.0.1\r\n"
LIST = b"/api/v1/incidents/"
POST = b"POST " + LIST + b" HTTP/1.1\r\n" + HOST


def get(target: bytes, headers: bytes = HOST, version: bytes = b"1.1") -> bytes:
    return b"GET " + target + b" HTTP/" + version + b"\r\n" + headers + b"\r\n"


REFUSED = {
    "a path with NUL": (get(b"/a%00b"), "400 parse_error"),
    "a path above the root": (get(b"/../../etc/passwd"), "400 parse_error"),
    "no path": (get(b"incidents"), "400 parse_error"),
    "an address without a host": (get(b"http://"), "400 parse_error"),
    "no method": (b"\x00\x01\x02\r\n\r\n", "400 parse_error"),
    "one word": (b"garbage\r\n\r\n", "400 parse_error"),
    "no Host": (get(LIST, b""), "400 parse_error"),
    "two Hosts": (get(LIST, HOST + HOST), "400 parse_error"),
    "a malformed Host": (get(LIST, b"Host: a b\r\n"), "400 parse_error"),
    "a length that is no number": (POST + b"Content-Length: five\r\n\r\n", "400 parse_error"),
    "a negative length": (POST + b"Content-Length: -5\r\n\r\n", "400 parse_error"),
    "a length of 19 digits": (POST + b"Content-Length: 9999999999999999999\r\n\r\n", "400 parse_error"),
    "two lengths": (POST + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\n", "400 parse_error"),
    "a length and chunks": (POST + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", "400 parse_error"),
    "chunks of no length": (POST + b"Transfer-Encoding: chunked\r\n\r\nZZ\r\n", "400 parse_error"),
    "chunks with a key": (POST + b"Idempotency-Key: 1\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n", "400 parse_error"),
    "the internal location of errors": (get(b"/error/json"), "404 not_found"),
    "TRACE": (b"TRACE " + LIST + b" HTTP/1.1\r\n" + HOST + b"\r\n", "405 method_not_allowed"),
    "CONNECT": (b"CONNECT / HTTP/1.1\r\n" + HOST + b"\r\n", "405 method_not_allowed"),
    "a large body": (POST + b"Content-Length: 2700000\r\n\r\n", "413 request_too_large"),
    "a large body with a key": (
        POST + b"Idempotency-Key: 1\r\nContent-Length: 2700000\r\n\r\n",
        "413 request_too_large",
    ),
    "a large body in chunks": (
        POST + b"Transfer-Encoding: chunked\r\n\r\n2932e0\r\n" + b" " * 2_700_000 + b"\r\n0\r\n\r\n",
        "413 request_too_large",
    ),
    "a long line": (get(LIST + b"?" + b"x" * 9_000), "414 uri_too_long"),
    "a long header": (get(LIST, HOST + b"Cookie: " + b"x" * 9_000 + b"\r\n"), "431 headers_too_large"),
    "many headers": (get(LIST, HOST + b"X-Name: value\r\n" * 5_000), "431 headers_too_large"),
    "an unknown transfer encoding": (POST + b"Transfer-Encoding: gzip\r\n\r\n", "501 not_implemented"),
    "HTTP/3.0": (get(LIST, HOST, b"3.0"), "505 http_version_not_supported"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_request_that_nginx_refuses(production, name):
    request, code = REFUSED[name]
    response = parse(send(production.port, request))
    assert f"{response.status_code} {errors(response)[0][0].split()[1]}" == errors(response)[0][0] == code
    assert errors(response)[0][1] is None
    assert response.headers["Content-Type"] == "application/json"
    assert response.headers["X-Request-ID"]
    assert ("GET" in response.headers.get("Allow", "")) == (response.status_code == 405)


@pytest.mark.parametrize(
    "request_",
    [
        get(LIST + "?search=самокат".encode()),
        b"A " + LIST + b" HTTP/1.1\r\n" + HOST + b"\r\n",
        get(LIST, HOST + b"Idempotency-Key: a\x01\r\n"),
    ],
)
def test_what_nginx_lets_pass_and_gunicorn_refuses(production, request_):
    response = parse(send(production.port, request_))
    assert (response.status_code, errors(response)) == (400, [("400 parse_error", None)])


@pytest.mark.parametrize("path", [b"/repeatable", b"/maintenance", b"/@repeatable", b"/error/", b"/nothing"])
def test_paths_that_do_not_exist(production, path):
    assert errors(parse(send(production.port, get(path)))) == [("404 not_found", None)]


def test_http_0_9_gets_only_a_body(production):
    assert send(production.port, b"GET /a%00b\r\n").startswith(b'{"type":"client_error"')


@pytest.mark.parametrize("language", ["ru", "ru-RU,ru;q=0.9", "RU"])
def test_details_are_russian_on_request(production, language):
    request = b"TRACE / HTTP/1.1\r\n" + HOST + f"Accept-Language: {language}\r\n\r\n".encode()
    response = parse(send(production.port, request))
    assert response.json()["errors"][0]["detail"] == "Метод не разрешен."
    assert response.headers["Vary"] == "Accept-Language"


def test_errors_of_the_admin_are_html(production):
    response = parse(send(production.port, b"TRACE /api/admin/ HTTP/1.1\r\n" + HOST + b"\r\n"))
    assert response.status_code == 405 and response.headers["Content-Type"].startswith("text/html")
    assert response.headers["Allow"] and response.headers["X-Request-ID"]


QUERY = b"?token=SECRET"
SECRETS = {
    "a query": get(LIST + QUERY),
    "a query of a large body": POST.replace(LIST, LIST + QUERY) + b"Content-Length: 2700000\r\n\r\n",
    "a query of bad chunks": POST.replace(LIST, LIST + QUERY) + b"Transfer-Encoding: chunked\r\n\r\nZZ\r\n",
    "a header without a colon": get(LIST, HOST + b"Authorization Bearer SECRET\r\n"),
    "a header with a space": get(LIST, HOST + b"Authorization : SECRET\r\n"),
    "a referrer of bad chunks": POST + b"Referer: /" + QUERY + b"\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n",
}
INTAKE_SECRETS = {
    "a path": get(b"/api/v1/intake/sender/SECRET/"),
    "no slash at its end": get(b"//api/v1/intake/sender/SECRET"),
    "an encoded path": get(b"/api/v1/%69ntake/sender/SECRET/"),
    "a key": POST.replace(LIST, b"/api/v1/intake/sender/SECRET/") + b"Idempotency-Key: 1\r\nContent-Length: 0\r\n\r\n",
    "a large body": POST.replace(LIST, b"/api/v1/intake/sender/SECRET/") + b"Content-Length: 30000000\r\n\r\n",
    "a path with NUL": get(b"/api/v1/intake/sender/SECRET%00/"),
    "no name": get(b"/api/v1/intake/SECRET"),
    "no name in a large body": POST.replace(LIST, b"/api/v1/intake/SECRET") + b"Content-Length: 30000000\r\n\r\n",
    "capitals": get(b"/api/v1/INTAKE/sender/SECRET"),
    "double slashes": get(b"//api//v1//intake//sender//SECRET"),
    "an encoded slash": get(b"/api/v1/intake%2FSECRET"),
    "encoded twice": get(b"/api/v1/%2569ntake/sender/SECRET"),
    "a referrer": get(b"/api/v1/incidents/", HOST + b"Referer: http://x/api/v1/intake/SECRET\r\n"),
}


def logs(production, request, *services):
    """The logs of the services after `request`, with its random secret replaced by SECRET."""
    secret, mark = uuid4().hex, uuid4().hex
    send(production.port, request.replace(b"SECRET", secret.encode()))
    send(production.port, get(b"/api/health/live/", HOST + f"X-Request-ID: {mark}\r\n".encode()))
    until(lambda: f'"request_id":"{mark}"' in production.compose("logs", "nginx").stdout)
    return production.compose("logs", *services).stdout.replace(secret, "SECRET")


@pytest.mark.parametrize("name", SECRETS)
def test_secret_is_not_logged(production, name):
    assert "SECRET" not in logs(production, SECRETS[name], "nginx", "web")


@pytest.mark.parametrize("name", INTAKE_SECRETS)
def test_secret_in_an_intake_path_is_not_logged_by_nginx(production, name):
    assert "SECRET" not in logs(production, INTAKE_SECRETS[name], "nginx", "web")
