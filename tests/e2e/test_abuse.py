"""Clients that mean no good, straight at gunicorn, without nginx before it: a clear error or a closed connection each,
and everybody else is still served."""

import json
import resource
import socket
import time

import pytest
import requests

from tests.e2e.servers import Gunicorn, Postgres

pytestmark = pytest.mark.e2e

LIST = "/api/v1/incidents/"


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    home = tmp_path_factory.mktemp("abuse")
    postgres = Postgres(home / "data")
    gunicorn = Gunicorn(postgres.port, home / "gunicorn.log")
    yield gunicorn
    gunicorn.kill()
    postgres.kill()


@pytest.fixture(scope="module")
def token(service):
    return service.token()


def connect(service):
    return socket.create_connection(("127.0.0.1", service.port), timeout=20)


def said(service, request: bytes) -> bytes:
    """What comes back before the connection is closed, or stays silent for a second."""
    answer = b""
    with connect(service) as client:
        try:
            client.sendall(request)
            client.settimeout(1)
            while data := client.recv(65_536):
                answer += data
        except OSError:
            pass
    return answer


def serves(service, token):
    """Whether new clients are answered at once, however busy others keep the service."""
    for _ in range(20):
        started = time.monotonic()
        answer = requests.get(service.url + LIST, headers={"Authorization": f"Bearer {token}"}, timeout=5)
        assert answer.status_code == 200
        assert time.monotonic() - started < 2
    return True


def test_thousands_of_connections_that_say_nothing(service, token):
    silent = [connect(service) for _ in range(3_000)]
    assert serves(service, token)
    for client in silent:
        client.close()


def test_bodies_and_heads_that_trickle_in(service, token):
    head = f"POST {LIST} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {token}\r\n"
    slow = [connect(service) for _ in range(200)]
    for number, client in enumerate(slow):
        whole = head + "Content-Type: application/json\r\nContent-Length: 1000\r\n\r\n{"
        client.sendall((whole if number % 2 else head).encode())
    assert serves(service, token)
    for client in slow:
        client.sendall(b"x")
    assert serves(service, token)
    for client in slow:
        client.close()


def test_a_body_of_20_megabytes(service, token):
    body = json.dumps({"description": "x" * 20_000_000, "source": "operator"})
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    answer = requests.post(service.url + LIST, body, headers=headers, timeout=20)
    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (413, "413 request_too_large")
    assert serves(service, token)


@pytest.mark.parametrize(
    "request_head",
    [
        f"GET {LIST} HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Long: {'x' * 100_000}\r\n\r\n",
        f"GET {LIST}?{'&'.join(f'a{number}=1' for number in range(10_000))} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
        f"GET {LIST} HTTP/1.1\r\nHost: 127.0.0.1\r\n"
        + "".join(f"X-{number}: 1\r\n" for number in range(1_000))
        + "\r\n",
        f"GET {'/x' * 100_000}",
        "\x00\x01\x02 garbage\r\n\r\n",
        f"POST {LIST} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: -5\r\n\r\n",
        f"POST {LIST} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    ],
    ids=["long header", "10000 parameters", "1000 headers", "endless line", "garbage", "negative", "two lengths"],
)
def test_heads_that_are_refused(service, token, request_head):
    answer = said(service, request_head.encode())
    assert answer == b"" or answer.split()[1][:1] == b"4", answer[:200]
    assert serves(service, token)


def test_as_many_parameters_as_a_line_holds(service, token):
    query = "&".join(f"{number}=" for number in range(1_300))
    answer = requests.get(f"{service.url}{LIST}?{query}", headers={"Authorization": f"Bearer {token}"}, timeout=5)
    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (400, "400 parse_error")
