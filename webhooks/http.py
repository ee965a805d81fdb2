"""A POST to an address that a person chose: bounded in time, and never into the networks behind the service."""

import os
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from http.client import HTTPConnection, HTTPException
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from threading import Timer
from typing import NamedTuple
from urllib.parse import urlsplit

import certifi
from django.conf import settings
from django.utils.encoding import iri_to_uri

from webhooks.models import Failure

CONNECT_TIMEOUT, READ_TIMEOUT = 5.0, 10.0
DEADLINE = 15.0  # seconds for request and response together, from the connection on
ADDRESSES_TRIED = 3
NAT64 = IPv6Network("64:ff9b::/96")  # RFC 6052


class Response(NamedTuple):
    status: int
    retry_after: str | None  # the header


class FailureError(Exception):
    def __init__(self, failure: Failure) -> None:
        super().__init__(failure)
        self.failure = failure


def post(url: str, body: bytes, headers: dict[str, str]) -> Response:
    """The response, whose body is not read; redirects are not followed. Raises FailureError."""
    parts = urlsplit(url)
    host = str(parts.hostname).encode("idna").decode()
    port = parts.port or (443 if parts.scheme == "https" else 80)
    try:
        # Its name is not resolved again: another answer of the DNS could lead elsewhere (DNS rebinding).
        with _connect(resolve(host, port), port) as connected, _deadline(connected):
            secure = parts.scheme == "https"
            with tls_context().wrap_socket(connected, server_hostname=host) if secure else connected as sock:
                sock.settimeout(READ_TIMEOUT)
                connection = HTTPConnection(host, port)
                connection.sock = sock
                name = f"[{host}]" if ":" in host else host
                headers = {"Host": f"{name}:{parts.port}" if parts.port else name, **headers, "Connection": "close"}
                target = iri_to_uri((parts.path or "/") + (f"?{parts.query}" if parts.query else ""))
                connection.request("POST", target, body, headers)
                response = connection.getresponse()
                return Response(response.status, response.getheader("Retry-After"))
    except ssl.SSLError:
        raise FailureError(Failure.TLS) from None
    except TimeoutError:
        raise FailureError(Failure.TIMEOUT) from None
    except (OSError, HTTPException):
        raise FailureError(Failure.UNREACHABLE) from None


def resolve(host: str, port: int) -> list[str]:
    """The addresses of a host, all of which may be connected to. Raises FailureError."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise FailureError(Failure.UNRESOLVED) from None
    addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
    if not settings.WEBHOOK_ALLOW_PRIVATE and not all(is_public(ip_address(address)) for address in addresses):
        raise FailureError(Failure.PRIVATE)
    return addresses


def is_public(address: IPv4Address | IPv6Address) -> bool:
    """An address that leads to an IPv4 address is as public as that one."""
    if isinstance(address, IPv6Address):
        if embedded := address.ipv4_mapped or address.sixtofour:
            return is_public(embedded)
        if address in NAT64:
            return is_public(IPv4Address(int(address) & 0xFFFFFFFF))
        if address.is_site_local:
            return False
    return address.is_global and not (address.is_multicast or address.is_reserved)


def _connect(addresses: list[str], port: int) -> socket.socket:
    """Raises OSError."""
    error = OSError()
    for address in addresses[:ADDRESSES_TRIED]:
        try:
            return socket.create_connection((address, port), CONNECT_TIMEOUT)
        except OSError as exc:
            error = exc
    raise error


@contextmanager
def _deadline(sock: socket.socket) -> Iterator[None]:
    """A time-out alone bounds each read: a response that comes byte by byte would last for hours."""
    with socket.socket(fileno=os.dup(sock.fileno())) as duplicate:  # wrap_socket takes the descriptor of the original
        timer = Timer(DEADLINE, _shut_down, [duplicate])
        timer.start()
        try:
            yield
        finally:
            timer.cancel()
            timer.join()


def _shut_down(sock: socket.socket) -> None:
    with suppress(OSError):
        sock.shutdown(socket.SHUT_RDWR)


@cache
def tls_context() -> ssl.SSLContext:
    return ssl.create_default_context(cafile=certifi.where())
