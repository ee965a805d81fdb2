"""gunicorn with docker/gunicorn.conf.py."""

import json
import re
import socket
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

ALIVE = b"GET /api/health/live/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"


class Gunicorn:
    def __init__(self, path: Path) -> None:
        self.path, self.log = path / "socket", path / "log"
        command = ["-c", "docker/gunicorn.conf.py", "--bind", f"unix:{self.path}", "--workers=1"]
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                [Path(sys.executable).with_name("gunicorn"), *command, "config.wsgi:application"], stderr=log
            )

    def send(self, request: bytes) -> bytes:
        """The whole response; waits for gunicorn to listen."""
        deadline = time.monotonic() + 30
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(20)
            while client.connect_ex(str(self.path)):
                assert self.process.poll() is None and time.monotonic() < deadline, self.log.read_text()
                time.sleep(0.02)
            client.sendall(request)
            response = b""
            with suppress(ConnectionResetError):
                while data := client.recv(65_536):
                    response += data
            return response


@pytest.fixture(scope="module")
def gunicorn(tmp_path_factory):
    server = Gunicorn(tmp_path_factory.mktemp("gunicorn"))
    yield server
    server.process.terminate()
    assert server.process.wait(30) == 0


def test_serves_on_a_unix_socket(gunicorn):
    assert gunicorn.send(ALIVE).startswith(b"HTTP/1.1 200 OK")


def test_lines_of_its_log_are_whole(gunicorn):
    """The formatter of gunicorn shows the process, in the master and in the workers, which both load the service."""
    gunicorn.send(ALIVE)
    lines = gunicorn.log.read_text().splitlines()
    assert [line for line in lines if not re.fullmatch(r"\[.{25}\] \[\d+\] \[[A-Z]+\] .+", line)] == []
    assert {line.split("] ")[-1].split()[0] for line in lines} >= {"Starting", "Listening", "Booting"}


@pytest.mark.parametrize(
    "malformed",
    [
        b"GET / HTTP/1.1\r\nHost: x\r\nAuthorization Bearer SECRET\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nAuthorization : SECRET\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nAuthorization: a\r\n SECRET: b\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: SECRET\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: SECRET\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nExpect: SECRET\r\n\r\n",
        b"POST /api/v1/ HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nSECRET: x\r\n\r\n",
        b"GET /?token=SECRET\r\n\r\n",
        b"GET /?token=SECRET HTTP/9.9\r\n\r\n",
        b"GET /?token=SECRET HTTP/1.1 : SECRET\r\n\r\n",
        b"SECRET@: / HTTP/1.1\r\n\r\n",
        b"SECRET\r\n\r\n",
    ],
)
def test_malformed_request_is_logged_without_its_content(gunicorn, malformed):
    head, _, body = gunicorn.send(malformed).partition(b"\r\n\r\n")
    assert not head.startswith(b"HTTP/1.1 2") and b"SECRET" not in body
    assert gunicorn.send(ALIVE)
    log = gunicorn.log.read_text()
    assert "SECRET" not in log
    assert "Listening" in log


@pytest.mark.parametrize(
    ("malformed", "code"),
    [
        ("GET /api/v1/incidents/?search=самокат HTTP/1.1\r\nHost: x\r\n\r\n", "400 parse_error"),
        ("A / HTTP/1.1\r\nHost: x\r\n\r\n", "400 parse_error"),
        ("GET / HTTP/1.1\r\nHost: x\r\nIdempotency-Key: a\x01\r\n\r\n", "400 parse_error"),
        (f"GET /{'x' * 9_000} HTTP/1.1\r\nHost: x\r\n\r\n", "414 uri_too_long"),
        (f"GET / HTTP/1.1\r\nHost: x\r\nCookie: {'x' * 9_000}\r\n\r\n", "431 headers_too_large"),
        ("GET / HTTP/1.1\r\nHost: x\r\nExpect: x\r\n\r\n", "417 expectation_failed"),
        ("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: x, chunked\r\n\r\n", "501 not_implemented"),
    ],
)
def test_what_gunicorn_refuses_is_in_the_error_format(gunicorn, malformed, code):
    head, _, body = gunicorn.send(malformed.encode()).partition(b"\r\n\r\n")
    assert b"Content-Type: application/json\r\n" in head
    (error,) = json.loads(body)["errors"]
    assert (error["code"], error["attr"], head.split()[1].decode()) == (code, None, code[:3])
