"""A POST to an address that a person chose: bounded in time, and never into the networks behind the service."""

import re
import socket
import ssl
from collections.abc import Buffer
from functools import cache
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException, parse_headers
from io import BufferedReader, RawIOBase
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
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
MAX_HEAD_BYTES = 64 * 1024  # of the final response and the interim ones before it, without the body
BUFFER_BYTES = 8 * 1024
STATUS_LINE = re.compile(rb"HTTP/1\.\d +([1-9]\d\d)(?: .*)?\r?\n")  # RFC 9112, 4
NAT64 = IPv6Network("64:ff9b::/96")  # RFC 6052


class Response(NamedTuple):
    status: int
    retry_after: str | None  # the header


class FailureError(Exception):
    def __init__(self, failure: Failure) -> None:
        super().__init__(failure)
        self.failure = failure


def post(url: str, body: bytes, headers: dict[str, str]) -> Response:
    """Returns the response, whose body is not read; redirects are not followed. Raises FailureError."""
    try:
        parts = urlsplit(url)
        host = ascii_host(parts)
    except ValueError:
        raise FailureError(Failure.UNRESOLVED) from None
    port = parts.port or (443 if parts.scheme == "https" else 80)
    addresses = resolve(host, port)
    deadline = monotonic() + DEADLINE_SECONDS
    try:
        # Its name is not resolved again: another answer of the DNS could lead elsewhere (DNS rebinding).
        with _connect(addresses, port, deadline) as connected:
            secure = parts.scheme == "https"
            name = host.removesuffix(".")  # of certificates (RFC 6066, 3)
            with tls_context().wrap_socket(connected, server_hostname=name) if secure else connected as sock:
                stream = _Stream(sock, deadline)
                connection = HTTPConnection(host, port)
                connection.sock = stream
                headers = {"Host": authority(host, parts.port), **headers, "Connection": "close"}
                target = iri_to_uri((parts.path or "/") + (f"?{parts.query}" if parts.query else ""))
                connection.request("POST", target, body, headers)
                return _read_response(BufferedReader(stream, BUFFER_BYTES))
    except ssl.SSLError:
        raise FailureError(Failure.TLS) from None
    except TimeoutError:
        raise FailureError(Failure.TIMEOUT) from None
    except (OSError, HTTPException):
        raise FailureError(Failure.UNREACHABLE) from None


def _read_response(reader: BufferedReader) -> Response:
    """
    Reads to the end of the final response's headers, past any interim responses (RFC 9110, 15.2).

    http.client skips 100 alone, and takes a connection that ends within the headers for their end.
    """
    while True:
        line = STATUS_LINE.fullmatch(reader.readline(MAX_HEAD_BYTES))
        if not line:
            raise HTTPException
        status, headers = int(line[1]), parse_headers(reader)
        if status >= 200 or status == HTTPStatus.SWITCHING_PROTOCOLS:  # which was not asked for: final, and a failure
            return Response(status, headers["Retry-After"])


class _Stream(RawIOBase):
    """
    A socket as HTTPConnection and BufferedReader use one, up to a deadline.

    A time-out of the socket bounds each read: a response that comes byte by byte would last for hours. Raises OSError,
    TimeoutError among it, and HTTPException where the end comes, or MAX_HEAD_BYTES, before a response.
    """

    def __init__(self, sock: socket.socket, deadline: float) -> None:
        self._sock, self._deadline, self._received = sock, deadline, 0

    def sendall(self, data: Buffer) -> None:
        view = memoryview(data)
        while view:
            self._sock.settimeout(_remaining(self._deadline))
            view = view[self._sock.send(view) :]

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Buffer) -> int:
        self._sock.settimeout(_remaining(self._deadline))
        count = self._sock.recv_into(buffer)
        self._received += count
        if not count or self._received > MAX_HEAD_BYTES:
            raise HTTPException
        return count


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
            return sock
        except OSError as exc:
            error = exc
    raise error


@cache
def tls_context() -> ssl.SSLContext:
    return ssl.create_default_context(cafile=certifi.where())
