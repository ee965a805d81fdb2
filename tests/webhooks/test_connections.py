"""Connections that are kept for the next request."""

import re
import socket
import threading
from contextlib import closing, contextmanager, suppress
from itertools import takewhile

import pytest

from tests.helpers.incidents import make_incident
from tests.helpers.receiver import run, subscribe
from webhooks import http, jobs
from webhooks.http import Connections, FailureError
from webhooks.models import Event, Failure, Subscription

pytestmark = pytest.mark.both_databases

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
HOLD = b""  # neither a response nor an end


class Server(threading.Thread):
    """Answers with the replies of each connection, one for each request, and closes it after the last."""

    def __init__(self, listener, replies):
        super().__init__(daemon=True)
        self.listener, self.replies = listener, replies
        self.url = f"http://localhost:{listener.getsockname()[1]}/"
        self.requests, self.connected, self.end = [], [], threading.Event()

    @property
    def order(self):
        """The number of the connection of each request."""
        return [number for number, _ in self.requests]

    def run(self):
        with suppress(OSError):
            self.answer()

    def answer(self):
        for number, replies in enumerate(self.replies):
            sock, _ = self.listener.accept()
            self.connected.append(sock)
            with closing(sock), sock.makefile("rb") as file, suppress(OSError):
                for reply in replies:
                    head = b"".join(takewhile(bytes.strip, iter(file.readline, b"")))
                    if not head:
                        break
                    file.read(int(re.search(rb"(?i)content-length: (\d+)", head)[1]))
                    self.requests.append((number, head))
                    if reply == HOLD:
                        self.end.wait(60)
                    elif reply is not None:
                        sock.sendall(reply)


@pytest.fixture
def server(settings):
    settings.WEBHOOK_ALLOW_PRIVATE = True

    @contextmanager
    def serve(*replies):
        with socket.create_server(("127.0.0.1", 0)) as listener:
            server = Server(listener, replies)
            server.start()
            yield server
            server.end.set()

    return serve


def send(server, times):
    """Returns the statuses, and the failures."""
    connections, seen = Connections(), []
    for _ in range(times):
        try:
            seen.append(connections.post(server.url, b"{}", {}).status)
        except FailureError as exc:
            seen.append(exc.failure)
    return seen


@pytest.mark.parametrize(
    "reply",
    [
        OK,
        b"HTTP/1.1 204 No Content\r\n\r\n",
        b"HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n12345",
        b"HTTP/1.1 200 OK\r\nConnection: keep-alive\r\nContent-Length: 60000\r\n\r\n" + b"x" * 60_000,
        b"HTTP/1.1 202 Accepted\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\nA;x=y\r\n0123456789\r\n0\r\nX: y\r\n\r\n",
        b"HTTP/1.1 103 Early Hints\r\n\r\n" + OK,
    ],
)
def test_connection_is_kept(server, reply):
    with server([reply, OK, OK]) as receiver:
        assert send(receiver, 3)[1:] == [200, 200]
        assert receiver.order == [0, 0, 0]


@pytest.mark.parametrize(
    "reply",
    [
        OK.replace(b"HTTP/1.1", b"HTTP/1.0"),
        OK[:-2] + b"Connection: Close\r\n\r\n",
        OK[:-2] + b"Connection: foo\r\nConnection: x, close\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 70000\r\n\r\n" + b"x" * 70_000,
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n123",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n5\r\n12",
        b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nContent-Length: 5\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: gzip\r\n\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-2\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nabcd0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nno header\r\nConnection: close\r\n\r\n",
        b"HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n",
        b"HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n",
        OK + OK,
        OK.replace(b"200", b"500"),
        OK.replace(b"200", b"408"),
        OK.replace(b"200", b"101"),
    ],
)
def test_connection_is_not_kept(server, monkeypatch, reply):
    """Where the end of the response is not known, or not reached, or the receiver wants or seems to want none."""
    monkeypatch.setattr(http, "BODY_SECONDS", 0.1)
    with server([reply, OK], [OK]) as receiver:
        first, second = send(receiver, 2)
        assert (first, second) == (int(reply[9:12]), 200)
        assert receiver.order == [0, 1]


def test_body_that_does_not_come_delays_nothing_for_long(server, monkeypatch):
    timeouts, settimeout = [], socket.socket.settimeout
    monkeypatch.setattr(socket.socket, "settimeout", lambda *args: timeouts.append(args[1]) or settimeout(*args))
    monkeypatch.setattr(http, "BODY_SECONDS", 0.1)
    with server([b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", HOLD]) as receiver:
        assert send(receiver, 1) == [200]
    assert timeouts[-1] <= 0.1


def test_connection_that_was_closed_while_idle_is_not_used(server):
    with server([OK], [OK]) as receiver:
        assert send(receiver, 2) == [200, 200]
        assert receiver.order == [0, 1]


def test_request_on_a_connection_that_closes_just_then_is_sent_again(server):
    with server([OK, None], [OK]) as receiver:
        assert send(receiver, 2) == [200, 200]
        assert receiver.order == [0, 0, 1]


@pytest.mark.parametrize(
    ("replies", "seen", "order"),
    [
        ([[None], [OK]], [Failure.UNREACHABLE], [0]),  # a new connection
        ([[OK, None], [None]], [200, Failure.UNREACHABLE], [0, 0, 1]),
        ([[OK, b"HTTP/1.1 2"], [OK]], [200, Failure.UNREACHABLE], [0, 0]),  # the response had begun
    ],
)
def test_failure_of_the_receiver(server, replies, seen, order):
    with server(*replies) as receiver:
        assert send(receiver, len(seen)) == seen
        assert receiver.order == order


def test_kept_connection_has_the_same_deadline(server, monkeypatch):
    with server([OK, HOLD], [OK]) as receiver:
        connections = Connections()
        connections.post(receiver.url, b"{}", {})
        monkeypatch.setattr(http, "DEADLINE_SECONDS", 0.2)
        with pytest.raises(FailureError) as caught:
            connections.post(receiver.url, b"{}", {})
        assert (caught.value.failure, receiver.order) == (Failure.TIMEOUT, [0, 0])


def test_what_was_not_asked_for_is_no_response(server):
    """Some servers say 408 before they close an idle connection."""
    with server([OK, OK], [OK]) as receiver:
        connections = Connections()
        connections.post(receiver.url, b"{}", {})
        receiver.connected[0].sendall(b"HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n")
        assert connections.post(receiver.url, b"{}", {}).status == 200
        assert receiver.order == [0, 1]


@pytest.mark.parametrize("limit", ["IDLE_SECONDS", "MAX_AGE_SECONDS"])
def test_old_connection_is_not_used(server, monkeypatch, limit):
    monkeypatch.setattr(http, limit, -1)
    with server([OK, OK], [OK]) as receiver:
        assert send(receiver, 2) == [200, 200]
        assert receiver.order == [0, 1]


def test_address_is_checked_again_with_each_connection(server, settings, monkeypatch):
    with server([OK, OK], [OK]) as receiver:
        connections = Connections()
        connections.post(receiver.url, b"{}", {})
        settings.WEBHOOK_ALLOW_PRIVATE = False
        monkeypatch.setattr(http, "IDLE_SECONDS", -1)
        with pytest.raises(FailureError) as caught:
            connections.post(receiver.url, b"{}", {})
        assert (caught.value.failure, receiver.order) == (Failure.PRIVATE, [0])


def test_idle_connection_is_closed_by_a_later_step(server, monkeypatch):
    with server([OK, OK, OK]) as receiver:
        connections = Connections()
        for _ in range(2):
            connections.post(receiver.url, b"{}", {})
            connections.close_unusable()
        monkeypatch.setattr(http, "IDLE_SECONDS", -1)
        connections.close_unusable()
        receiver.join(60)
        assert (receiver.order, receiver.is_alive()) == ([0, 0], False)


def test_connections_of_two_addresses_are_kept_apart(server):
    with server([OK, OK]) as one, server([OK, OK]) as other:
        connections = Connections()
        for receiver in (one, other, one, other):
            assert connections.post(receiver.url, b"{}", {}).status == 200
        assert one.order == other.order == [0, 0]


@pytest.mark.django_db
def test_event_is_sent_again_at_once_with_its_id(server):
    with server([OK, None], [OK]) as receiver:
        subscribe(receiver.url)
        sender = jobs.Sender()
        for _ in range(2):
            make_incident()
            while sender.step():
                pass
        ids = [re.search(rb"(?i)webhook-id: (\S+)", head)[1] for _, head in receiver.requests]
        assert receiver.order == [0, 0, 1] and ids[1] == ids[2] != ids[0]
    assert [(event.state, event.attempts) for event in Event.objects.all()] == [("delivered", 1)] * 2
    assert Subscription.objects.get().failing_since is None


@pytest.mark.django_db
def test_subscription_has_no_more_connections_than_attempts(hook, receiver):
    for _ in range(50):
        make_incident()
    run()
    assert len(receiver.requests) == 50
    assert receiver.connections <= jobs.MAX_AT_ONCE
