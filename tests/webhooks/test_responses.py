"""Which responses count, byte by byte."""

import socket
import threading

import pytest

from webhooks import http
from webhooks.http import Connections, FailureError, Response
from webhooks.models import Failure

pytestmark = pytest.mark.both_databases

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
EARLY = b"HTTP/1.1 103 Early Hints\r\nLink: </style.css>; rel=preload\r\n\r\n"


def failure(url):
    with pytest.raises(FailureError) as caught:
        Connections().post(url, b"{}", {})
    return caught.value.failure


@pytest.fixture
def raw(settings):
    """A server that sends the bytes of `reply`, then `drip` for as long as it is connected, or waits where `hold`."""
    settings.WEBHOOK_ALLOW_PRIVATE = True
    end = threading.Event()

    def start(reply, drip=b"", hold=False):
        threading.Thread(target=serve_once, args=[reply, drip, hold], daemon=True).start()
        return f"http://127.0.0.1:{listener.getsockname()[1]}/"

    def serve_once(reply, drip, hold):
        connected, _ = listener.accept()
        with connected:
            try:
                received = connected.recv(65536)
                # Closed with bytes that were not read, a connection is reset, and its response may be lost.
                while received.startswith(b"POST") and not received.endswith(b"{}"):
                    received += connected.recv(65536)
                connected.sendall(reply)
                while (drip or hold) and not end.wait(0.01):
                    connected.sendall(drip)
            except OSError:
                pass

    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield start
        end.set()


@pytest.mark.parametrize(
    "interim",
    [
        EARLY,
        b"HTTP/1.1 100 Continue\r\n\r\n",
        b"HTTP/1.1 102 Processing\r\n\r\n" * 30,
        b"HTTP/1.1 100 Continue\r\n\r\n" + EARLY + b"HTTP/1.1 199 Soon\r\n\r\n",
    ],
)
@pytest.mark.parametrize(("final", "status"), [(OK, 200), (OK.replace(b"200 OK", b"500 No"), 500)])
def test_final_response_after_interim_ones(raw, interim, final, status):
    assert Connections().post(raw(interim + final), b"{}", {}).status == status


def test_headers_are_those_of_the_final_response(raw):
    early = EARLY.replace(b"Link", b"Retry-After")
    assert Connections().post(raw(early + OK), b"{}", {}) == Response(200, None)


def test_switching_protocols_is_final(raw):
    reply = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n"
    assert Connections().post(raw(reply), b"{}", {}).status == 101


@pytest.mark.parametrize("interim", [EARLY, b"HTTP/1.1 100 Continue\r\n\r\n", OK[:-2] + b"X: " + b"y" * 60_000])
def test_endless_interim_responses_are_no_http(raw, interim):
    assert failure(raw(interim, interim * 100)) == Failure.UNREACHABLE


@pytest.mark.parametrize("end", range(len(OK)))
def test_response_cut_off_within_its_headers_is_a_failure(raw, end):
    assert failure(raw(OK[:end])) == Failure.UNREACHABLE


@pytest.mark.parametrize("interim", [EARLY, EARLY + OK[:-1]])
def test_interim_response_without_a_final_one_is_a_failure(raw, interim):
    assert failure(raw(interim)) == Failure.UNREACHABLE


@pytest.mark.parametrize("end", range(0, len(OK), 5))
def test_headers_cut_off_at_the_deadline_are_a_failure(raw, monkeypatch, end):
    monkeypatch.setattr(http, "DEADLINE_SECONDS", 0.2)
    assert failure(raw(OK[:end], hold=True)) == Failure.TIMEOUT


@pytest.mark.parametrize(
    "reply", [b"HTTP/1.1 204\r\n\r\n", b"HTTP/1.0 204 No Content\n\n", b"HTTP/1.1 204 \r\nX:y\r\n z\r\n\r\n"]
)
def test_unusual_but_complete_headers(raw, reply):
    assert Connections().post(raw(reply), b"{}", {}).status == 204


@pytest.mark.parametrize("rest", [b"", b"short", b"x" * 65536])
def test_body_that_is_cut_short_does_not_matter(raw, rest):
    """It is not read: the status says that the event was taken."""
    assert Connections().post(raw(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n" + rest), b"{}", {}).status == 200


def test_endless_body_is_not_read(raw):
    assert Connections().post(raw(b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 65536, b"x" * 65536), b"{}", {}).status == 200


@pytest.mark.parametrize("reply", [b"HTTP/1.1 2", b"HTTP/1.1 200 OK\r\nX: "])
def test_response_that_comes_byte_by_byte_meets_the_deadline(raw, monkeypatch, reply):
    monkeypatch.setattr(http, "DEADLINE_SECONDS", 0.5)
    assert failure(raw(reply, b"0")) == Failure.TIMEOUT


def test_request_that_is_not_read_meets_the_deadline(settings, monkeypatch):
    settings.WEBHOOK_ALLOW_PRIVATE = True
    monkeypatch.setattr(http, "DEADLINE_SECONDS", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as listener, pytest.raises(FailureError) as caught:
        Connections().post(f"http://127.0.0.1:{listener.getsockname()[1]}/", bytes(20_000_000), {})
    assert caught.value.failure == Failure.TIMEOUT


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_silent_receiver_times_out(settings, monkeypatch, scheme):
    settings.WEBHOOK_ALLOW_PRIVATE = True
    monkeypatch.setattr(http, "DEADLINE_SECONDS", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        assert failure(f"{scheme}://127.0.0.1:{listener.getsockname()[1]}/") == Failure.TIMEOUT


def test_response_may_take_all_of_the_deadline(raw, monkeypatch):
    """One limit holds for all: no read of its own may end before."""
    timeouts = []
    monkeypatch.setattr(http, "monotonic", lambda: 0.0)
    monkeypatch.setattr(socket.socket, "settimeout", lambda self, seconds: timeouts.append(seconds))
    Connections().post(raw(OK), b"{}", {})
    assert set(timeouts[1:]) - {0} == {http.DEADLINE_SECONDS} == {15.0}


@pytest.mark.parametrize(
    "reply",
    [
        *(b"", b"nonsense\r\n\r\n", b"HTTP/1.1 abc\r\n\r\n", b"\0" * 100, b"200 OK\r\n\r\n", b"HTTP/2 200\r\n\r\n"),
        *(b"HTTP/1.1 2_00 OK\r\n\r\n", b"HTTP/1.1 +200 OK\r\n\r\n", b"HTTP/1.1 099 OK\r\n\r\n"),
        *(b"HTTP/1.1 2000 OK\r\n\r\n", b"HTTP/1.1 200OK\r\n\r\n"),
    ],
)
def test_no_http_is_a_failure(raw, reply):
    assert failure(raw(reply)) == Failure.UNREACHABLE


def test_plain_http_where_tls_is_expected(raw):
    url = raw(OK).replace("http", "https")
    assert failure(url) == Failure.TLS
