"""gunicorn with docker/gunicorn.conf.py and no nginx before it: slow and rude clients keep nobody waiting."""

import select
import signal
import socket
import subprocess
import sys
from contextlib import ExitStack, suppress
from http.client import HTTPConnection
from pathlib import Path
from time import sleep

import pytest

from tests.core.answers import CONTENT

ASK = b"GET /api/health/live/ HTTP/1.1\r\nHost: x\r\n\r\n"
# A POST whose Host is refused: answered without a database
POST = b"POST /api/v1/incidents/ HTTP/1.1\r\nHost: nobody\r\nContent-Length: 50000\r\n"


class Server:
    def __init__(self, options: str = "", application: str = "config.wsgi:application") -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        command = f"-c docker/gunicorn.conf.py --workers=1 --bind=127.0.0.1:{self.port} {application} {options}"
        self.process = subprocess.Popen(
            [Path(sys.executable).with_name("gunicorn"), *command.split()],
            stderr=subprocess.PIPE,
            text=True,
        )
        while True:
            with suppress(ConnectionRefusedError):
                self.connect().close()
                break
            assert self.process.poll() is None
            sleep(0.02)

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=20)

    def ask(self, request: bytes = ASK) -> bytes:
        """The first line of the answer."""
        with self.connect() as client:
            client.sendall(request)
            return client.makefile("rb").readline().strip()


@pytest.fixture(scope="module")
def shared():
    server = Server()
    yield server
    server.process.kill()
    server.process.communicate()


@pytest.fixture
def server():
    server = Server()
    yield server
    server.process.kill()
    server.process.communicate()


def everything(client: socket.socket) -> bytes:
    return client.makefile("rb").read()


@pytest.mark.parametrize(
    "beginning",
    [
        b"",
        b"GET",
        ASK[:-2],
        POST,
        POST + b"\r\n{",
        POST.replace(b"Content-Length: 50000", b"Transfer-Encoding: chunked") + b"\r\n",
    ],
    ids=["silent", "a word", "no end of the head", "a length", "a piece of a body", "chunks"],
)
def test_others_are_answered_beside_clients_that_stall(shared, beginning):
    with ExitStack() as stack:
        for _ in range(200):
            stack.enter_context(shared.connect()).sendall(beginning)
        assert [shared.ask() for _ in range(5)] == [b"HTTP/1.1 200 OK"] * 5


def test_others_are_answered_beside_clients_that_do_not_close(shared):
    with ExitStack() as stack:
        for _ in range(50):
            stack.enter_context(shared.connect()).sendall(ASK.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
        assert shared.ask() == b"HTTP/1.1 200 OK"


def test_requests_in_one_packet_and_in_many(shared):
    with shared.connect() as client:
        client.sendall(ASK + ASK)
        for byte in ASK.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"):
            client.sendall(bytes([byte]))
        assert everything(client).count(b"HTTP/1.1 200 OK") == 3


def test_a_thousand_requests_in_one_packet(shared):
    with shared.connect() as client:
        client.sendall(ASK * 1_000 + ASK.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
        assert everything(client).count(b"HTTP/1.1 200 OK") == 1_001


def test_answers_of_all_kinds():
    server = Server(application="tests.core.answers:application")
    try:
        for method, path, status, body in [
            ("GET", "/", 200, CONTENT),
            ("HEAD", "/", 200, b""),
            ("GET", "/parts", 200, CONTENT),
            ("GET", "/chunks", 200, CONTENT),
            ("GET", "/file", 200, CONTENT),
            ("HEAD", "/file", 200, b""),
            ("GET", "/nothing", 204, b""),
        ]:
            client = HTTPConnection("127.0.0.1", server.port, timeout=20)
            for _ in range(2):
                client.request(method, path)
                answer = client.getresponse()
                assert (answer.status, answer.read()) == (status, body), path
            client.close()
        with server.connect() as client:
            client.sendall(b"GET /failing HTTP/1.1\r\n\r\n")
            assert everything(client).endswith(b"\r\n\r\n" + CONTENT[:10])
    finally:
        server.process.kill()
        server.process.communicate()


def test_some_who_say_nothing_make_room():
    full = Server("--worker-connections=50")
    try:
        with ExitStack() as stack:
            silent = [stack.enter_context(full.connect()) for _ in range(60)]
            assert [full.ask() for _ in range(20)] == [b"HTTP/1.1 200 OK"] * 20
            dropped = select.select(silent, [], [], 0)[0]
            assert 10 < len(dropped) <= 40
            assert {client.recv(1) for client in dropped} == {b""}
    finally:
        full.process.kill()
        full.process.communicate()


def test_others_are_answered_beside_a_request_that_lasts():
    server = Server(application="tests.core.answers:application")
    try:
        for _ in range(2):
            with server.connect() as client:
                client.sendall(b"GET /?1.5 HTTP/1.1\r\n\r\n")
                assert [server.ask(b"GET / HTTP/1.1\r\n\r\n") for _ in range(50)] == [b"HTTP/1.1 200 OK"] * 50
                client.setblocking(False)
                with pytest.raises(BlockingIOError):
                    client.recv(1)
                client.setblocking(True)
                assert client.recv(100).startswith(b"HTTP/1.1 200 OK")
    finally:
        server.process.kill()
        server.process.communicate()


def test_a_body_that_comes_late(shared):
    with shared.connect() as client:
        client.sendall(POST + b"Expect: 100-continue\r\n\r\n")
        assert client.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        client.sendall(b" " * 50_000 + ASK.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
        answers = everything(client)
    assert b"HTTP/1.1 400 Bad Request" in answers and b"HTTP/1.1 200 OK" in answers


@pytest.mark.parametrize(
    "request_, answer",
    [
        (b"GET /" + b"x" * 100_000, b"HTTP/1.1 431 Request Header Fields Too Large"),
        (b"GET /" + b"x" * 9_000 + b" HTTP/1.1\r\n\r\n", b"HTTP/1.1 414 URI Too Long"),
        (ASK[:-2] + b"Cookie: " + b"x" * 100_000 + b"\r\n\r\n", b"HTTP/1.1 431 Request Header Fields Too Large"),
        (ASK[:-2] + b"Content-Length: -1\r\n\r\n", b"HTTP/1.1 400 Bad Request"),
        (b"\r\n\r\n", b"HTTP/1.1 400 Bad Request"),
    ],
)
def test_what_is_refused(shared, request_, answer):
    assert shared.ask(request_) == answer
    assert shared.ask() == b"HTTP/1.1 200 OK"


def test_a_stopping_server_answers_what_it_has_begun_to_read(server):
    with server.connect() as begun, server.connect() as kept, server.connect() as silent:
        begun.sendall(POST + b"\r\n" + b" " * 30_000)
        kept.sendall(ASK)
        assert kept.recv(10_000)
        server.process.send_signal(signal.SIGTERM)
        while "Handling signal: term" not in server.process.stderr.readline():
            assert server.process.poll() is None
        for client in (kept, silent):
            client.sendall(ASK)
        for client in (kept, silent):
            assert everything(client).count(b"HTTP/1.1 200 OK") == 1
        begun.sendall(b" " * 20_000)
        assert everything(begun).startswith(b"HTTP/1.1 400 Bad Request")
    assert server.process.wait(timeout=20) == 0
    with pytest.raises(ConnectionRefusedError):
        server.connect()


def test_a_worker_is_renewed_without_a_gap():
    server = Server("--max-requests=30 --max-requests-jitter=0")
    children = Path(f"/proc/{server.process.pid}/task/{server.process.pid}/children")
    first = children.read_text()
    try:
        while first in children.read_text():
            assert server.ask() == b"HTTP/1.1 200 OK"
        assert children.read_text().split()
    finally:
        server.process.kill()
        server.process.communicate()
