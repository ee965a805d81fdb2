"""Denial of service through nginx (slowloris, floods, resets): an error or a closed connection; others are served."""

import json
import resource
import socket
import struct
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress

import pytest
import requests

from tests.helpers.production import connect, parse, send, until

pytestmark = pytest.mark.e2e

LIST = "/api/v1/incidents/"
HEAD = f"POST {LIST} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
ALIVE = b"GET /api/health/live/ HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"


@pytest.fixture(scope="module", params=["granian", "gunicorn"], autouse=True)
def service(request, production):
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    production.set(WEB_SERVER=request.param)
    production.up("--scale", "web=2")
    return production


@pytest.fixture
def large_page(client, service):
    """The path of a page of 4 MB."""
    report = {"description": "x" * 20_000, "source": "operator"}
    for _ in range(200 - client.get(service.incidents, params={"search": "x" * 100}).json()["count"]):
        assert client.post(service.incidents, json=report).status_code == 201
    return f"{LIST}?search={'x' * 100}&page_size=200"


def serves(client, service):
    """Whether new clients are served in time under the load of others."""
    headers = dict(client.headers)
    return {requests.get(service.incidents, headers=headers, timeout=5).status_code for _ in range(20)} == {200}


def test_thousands_of_idle_connections(service, client):
    with ExitStack() as stack:
        for _ in range(3_000):
            stack.enter_context(connect(service.port))
        assert serves(client, service)


def test_slowloris_headers_and_bodies(service, client):
    whole = HEAD + "Content-Length: 1000\r\n\r\n{"
    with ExitStack() as stack:
        slow = [stack.enter_context(connect(service.port)) for _ in range(200)]
        for number, one in enumerate(slow):
            one.sendall((whole if number % 2 else HEAD).encode())
        assert serves(client, service)
        for one in slow:
            one.sendall(b"x")
        assert serves(client, service)


@pytest.mark.parametrize("length", [2_600_000, 3_000_000])
def test_large_bodies_that_are_never_completed(service, client, length):
    beginning = f"{HEAD}Content-Length: {length}\r\n\r\n".encode() + b" " * 2_500_000
    with ExitStack() as stack:
        for _ in range(110):
            one = stack.enter_context(connect(service.port))
            with suppress(OSError):
                one.sendall(beginning)
        assert serves(client, service)
    assert serves(client, service)


def test_content_length_of_18_digits_is_413(service):
    response = send(service.port, f"{HEAD}Content-Length: {'9' * 18}\r\n\r\n".encode())
    assert parse(response).json()["errors"][0]["code"] == "413 request_too_large"


def test_body_of_20_megabytes_is_413(service, client):
    body = json.dumps({"description": "x" * 20_000_000, "source": "operator"})
    response = client.post(service.incidents, body, headers={"Content-Type": "application/json"}, timeout=20)
    assert (response.status_code, response.json()["errors"][0]["code"]) == (413, "413 request_too_large")


def test_thousands_of_reset_connections(service, client):
    for number in range(3_000):
        with connect(service.port) as one:
            one.sendall([ALIVE, b"GET", b"", HEAD.encode() + b"Content-Length: 9\r\n\r\n{"][number % 4])
            one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    assert serves(client, service)
    assert service.all_healthy()


def test_ten_thousand_pipelined_requests(service, client):
    with connect(service.port) as one, ThreadPoolExecutor() as threads:
        threads.submit(one.sendall, ALIVE * 9_999 + ALIVE.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
        assert serves(client, service)
        assert one.makefile("rb").read().count(b"HTTP/1.1 200 OK") == 10_000


@pytest.mark.parametrize("path", ["a static file", "a page"])
def test_clients_that_do_not_read_their_responses(service, client, large_page, path):
    if path == "a static file":
        page = requests.get(f"{service.url}/api/v1/schema/swagger-ui/").text
        large_page = next(part for part in page.split('"') if "swagger-ui-bundle" in part)
    request = (
        f"GET {large_page} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: {client.headers['Authorization']}\r\n\r\n"
    )
    with ExitStack() as stack:
        for _ in range(16):
            one = socket.socket()
            one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            one.connect(("127.0.0.1", service.port))
            stack.enter_context(one).sendall(request.encode())
        assert serves(client, service)
        assert serves(client, service)
    until(service.all_healthy)


@pytest.mark.parametrize(
    "head",
    [
        f"GET {LIST}?{'&'.join(f'a{number}=1' for number in range(10_000))} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
        f"GET {'/x' * 100_000}",
        "GET / HTTP/1.1\r\n" + "".join(f"X-{number}: 1\r\n" for number in range(100_000)),
    ],
    ids=["10000 parameters", "endless line", "100000 headers"],
)
def test_oversized_request_heads_are_refused(service, client, head):
    response = send(service.port, head.encode())
    assert response == b"" or response.split()[1][:1] == b"4", response[:200]
    assert serves(client, service)


def test_as_many_parameters_as_fit_the_request_line(service, client):
    query = "&".join(f"{number}=" for number in range(1_300))
    response = client.get(f"{service.incidents}?{query}", timeout=5)
    assert (response.status_code, response.json()["errors"][0]["code"]) == (400, "400 parse_error")
