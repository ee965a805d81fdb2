"""A POST to an address that a person chose: bounded in time, and never into the networks behind the service."""

import re
import socket
import ssl
from collections import defaultdict
from collections.abc import Buffer
from contextlib import suppress
from functools import cache
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException, HTTPMessage, parse_headers
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from threading import Lock
from time import monotonic
from typing import NamedTuple
from urllib.parse import urlsplit

import certifi
from django.conf import settings
from django.utils.encoding import iri_to_uri

from webhooks.addresses import ascii_host, authority
from webhooks.models import Failure

DEADLINE_SECONDS = 15.0  # for connection, request and response together
CONNECT_SECONDS = 5.0  # for each address
MAX_ADDRESSES = 3
# Servers close an idle connection after 2 seconds (gunicorn), 5 (Node.js), 75 (nginx).
IDLE_SECONDS = 1.5
MAX_AGE_SECONDS = 30.0  # of a connection: then the name is resolved, and its addresses are checked, again
BODY_SECONDS = 1.0  # The body is read for the sake of the connection alone.
MAX_RESPONSE_BYTES = 64 * 1024  # of the interim responses and the final one
BUFFER_BYTES = 8 * 1024
STATUS_LINE = re.compile(rb"HTTP/1\.(\d) +([1-9]\d\d)(?: .*)?\r?\n")  # RFC 9112, 4
CHUNK_SIZE = re.compile(rb"([0-9A-Fa-f]+)[ \t]*(?:;.*)?\r\n")  # RFC 9112, 7.1
NAT64 = IPv6Network("64:ff9b::/96")  # RFC 6052


class Response(NamedTuple):
    status: int
    retry_after: str | None  # the header


class FailureError(Exception):
    def __init__(self, failure: Failure) -> None:
        super().__init__(failure)
        self.failure = failure


class Connections:
    """Sends requests from any thread, each on its own connection, which is kept for the next one to the same URL."""

    def __init__(self) -> None:
        self._idle: defaultdict[str, list[_Connection]] = defaultdict(list)
        self._lock = Lock()

    def post(self, url: str, body: bytes, headers: dict[str, str]) -> Response:
        """Returns the response; redirects are not followed. Raises FailureError."""
        deadline = monotonic() + DEADLINE_SECONDS
        try:
            if kept := self._take(url):
                kept.deadline = deadline
                try:
                    return self._send(kept, body, headers)
                except (OSError, HTTPException) as exc:
                    # Closed by the receiver while it was idle, which is no failure.
                    if kept.received or isinstance(exc, TimeoutError):
                        raise
            return self._send(_Connection(url, deadline), body, headers)
        except ssl.SSLError:
            raise FailureError(Failure.TLS) from None
        except TimeoutError:
            raise FailureError(Failure.TIMEOUT) from None
        except (OSError, HTTPException):
            raise FailureError(Failure.UNREACHABLE) from None

    def close_unusable(self) -> None:
        """Closes idle connections that are too old, or that the receiver has closed."""
        with self._lock:
            idle, self._idle = self._idle, defaultdict(list)
            for url, connections in idle.items():
                for connection in connections:
                    if connection.is_usable():
                        self._idle[url].append(connection)
                    else:
                        connection.close()

    def _take(self, url: str) -> "_Connection | None":
        with self._lock:
            while idle := self._idle[url]:
                if (connection := idle.pop()).is_usable():
                    return connection
                connection.close()
        return None

    def _send(self, connection: "_Connection", body: bytes, headers: dict[str, str]) -> Response:
        try:
            return connection.send(body, headers)
        finally:
            if connection.idle_since is None:
                connection.close()
            else:
                with self._lock:
                    self._idle[connection.url].append(connection)


class _Connection:
    """
    A connection to a checked address.

    A time-out of the socket bounds each read: a response that comes byte by byte would last for hours. Therefore each
    request has a deadline. Raises OSError, TimeoutError among it, and HTTPException where the end comes, or
    MAX_RESPONSE_BYTES, before a response.
    """

    idle_since: float | None = None  # once a response was read to its end, and the next may follow
    received = 0  # bytes of the response

    def __init__(self, url: str, deadline: float) -> None:
        """Raises FailureError too."""
        try:
            parts = urlsplit(url)
            host = ascii_host(parts)
        except ValueError:
            raise FailureError(Failure.UNRESOLVED) from None
        port = parts.port or (443 if parts.scheme == "https" else 80)
        self.url, self._authority = url, authority(host, parts.port)
        self._target = iri_to_uri((parts.path or "/") + (f"?{parts.query}" if parts.query else ""))
        began = monotonic()
        addresses = resolve(host, port)
        self._expires_at = monotonic() + MAX_AGE_SECONDS
        self.deadline = deadline + monotonic() - began  # The resolver has limits of its own.
        # The name is not resolved again: another answer of the DNS could lead elsewhere (DNS rebinding).
        self._sock = _connect(addresses, port, self.deadline)
        if parts.scheme == "https":
            name = host.removesuffix(".")  # of certificates (RFC 6066, 3)
            self._sock = tls_context().wrap_socket(self._sock, server_hostname=name)

    def send(self, body: bytes, headers: dict[str, str]) -> Response:
        """Sends a request; returns its response, whose body does not matter."""
        self.received, self._buffer = 0, bytearray()
        self.idle_since = None
        connection = HTTPConnection(self._authority)
        connection.sock = self
        connection.request("POST", self._target, body, {"Host": self._authority, **headers})
        version, status, received = self._read_head()
        # A line that is no header ends them for the parser: what follows it is unknown.
        closes = received.defects or "close" in str(received.get_all("Connection")).lower()
        persistent = version == b"1" and not closes
        with suppress(OSError, HTTPException, ValueError):
            if persistent and 200 <= status < 300:
                self._read_body(status, received)
                self.idle_since = None if self._buffer else monotonic()
        return Response(status, received["Retry-After"])

    def _read_head(self) -> tuple[bytes, int, HTTPMessage]:
        """
        Returns the minor version, status and headers of the final response, past any interim ones (RFC 9110, 15.2).

        http.client skips 100 alone, and takes a connection that ends within the headers for their end.
        """
        while True:
            line = STATUS_LINE.fullmatch(self.readline())
            if not line:
                raise HTTPException
            status, headers = int(line[2]), parse_headers(self)
            # 101 was not asked for: it is final, and a failure.
            if status >= 200 or status == HTTPStatus.SWITCHING_PROTOCOLS:
                return line[1], status, headers

    def _read_body(self, status: int, headers: HTTPMessage) -> None:
        """
        Reads as far as a response of success goes. Raises ValueError where that is not certain (RFC 9112, 6.3).

        What came after a wrong end would pass for the response to the next event.
        """
        self.deadline = min(self.deadline, monotonic() + BODY_SECONDS)
        match headers.get_all("Transfer-Encoding"), headers.get_all("Content-Length"):
            case None, None | ["0"] if status == HTTPStatus.NO_CONTENT:
                pass
            case None, [length] if status != HTTPStatus.NO_CONTENT and length.isascii() and length.isdecimal():
                self._read(int(length))
            case [coding], None if status != HTTPStatus.NO_CONTENT and coding.lower() == "chunked":
                self._read_chunks()
            case _:
                raise ValueError

    def _read_chunks(self) -> None:
        size = None
        while size != 0:
            line = CHUNK_SIZE.fullmatch(self.readline())
            if not line:
                raise ValueError
            size = int(line[1], 16)
            if size and not self._read(size + 2).endswith(b"\r\n"):
                raise ValueError
        while self.readline().strip():
            pass

    def is_usable(self) -> bool:
        """Tells whether it may be used again, unless the receiver has closed it or sent what was not asked for."""
        now = monotonic()
        if self.idle_since is None or now > min(self.idle_since + IDLE_SECONDS, self._expires_at):
            return False
        self._sock.settimeout(0)
        try:
            self._sock.recv(1)
        except (BlockingIOError, ssl.SSLWantReadError):
            return True
        except OSError:
            pass
        return False

    def close(self) -> None:
        self._sock.close()

    def sendall(self, data: Buffer) -> None:
        view = memoryview(data)
        while view:
            self._sock.settimeout(_remaining(self.deadline))
            view = view[self._sock.send(view) :]

    def readline(self, _limit: int = -1, /) -> bytes:
        while (end := self._buffer.find(b"\n")) < 0:
            self._receive()
        return self._read(end + 1)

    def _read(self, count: int) -> bytes:
        while len(self._buffer) < count:
            self._receive()
        data = bytes(self._buffer[:count])
        del self._buffer[:count]
        return data

    def _receive(self) -> None:
        self._sock.settimeout(_remaining(self.deadline))
        data = self._sock.recv(BUFFER_BYTES)
        self.received += len(data)
        if not data or self.received > MAX_RESPONSE_BYTES:
            raise HTTPException
        self._buffer += data


def _remaining(deadline: float) -> float:
    """Returns the seconds that are left, more than 0. Raises TimeoutError."""
    seconds = deadline - monotonic()
    if seconds <= 0:
        raise TimeoutError
    return seconds


def resolve(host: str, port: int) -> list[str]:
    """Returns the addresses of a host, all of which may be connected to. Raises FailureError."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise FailureError(Failure.UNRESOLVED) from None
    addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
    if not settings.WEBHOOK_ALLOW_PRIVATE and not all(is_public(ip_address(address)) for address in addresses):
        raise FailureError(Failure.PRIVATE)
    return addresses


def is_public(address: IPv4Address | IPv6Address) -> bool:
    """Tells whether the address is public; one that leads to an IPv4 address is as public as that one."""
    if isinstance(address, IPv6Address):
        if embedded := address.ipv4_mapped or address.sixtofour:
            return is_public(embedded)
        if address in NAT64:
            return is_public(IPv4Address(int(address) & 0xFFFFFFFF))
        if address.is_site_local:
            return False
    return address.is_global and not (address.is_multicast or address.is_reserved)


def _connect(addresses: list[str], port: int, deadline: float) -> socket.socket:
    """Connects to the first address that accepts; the time-out is the deadline, for TLS's handshake. Raises OSError."""
    error = OSError()
    for address in addresses[:MAX_ADDRESSES]:
        try:
            sock = socket.create_connection((address, port), min(CONNECT_SECONDS, _remaining(deadline)))
            sock.settimeout(_remaining(deadline))
            # http.client sends head and body apart: on a kept connection the body would wait for the head's ACK.
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return sock
        except OSError as exc:
            error = exc
    raise error


@cache
def tls_context() -> ssl.SSLContext:
    return ssl.create_default_context(cafile=certifi.where())
