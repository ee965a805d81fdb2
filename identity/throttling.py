"""
Slows the guessing of passwords, wherever one is asked for: 5 failures in 15 minutes for an account from one
client, 50 for a client.

Failures are counted in the database, for all processes alike, after the password was checked: a right password never
counts, but concurrent guesses may exceed the limit by as many as are checked at once.
"""

from collections.abc import Callable
from datetime import timedelta
from hashlib import sha256
from ipaddress import IPv4Address, IPv6Network, ip_address
from math import ceil

from django.http import HttpRequest
from django.utils import timezone
from rest_framework.exceptions import Throttled
from rest_framework.request import Request

from core.client_address import client_address
from identity.models import LoginFailure
from identity.usernames import username_key

WINDOW = timedelta(minutes=15)
FAILURES_PER_ACCOUNT = 5
FAILURES_PER_CLIENT = 50
BATCH = 1_000  # rows deleted at once
IPV6_PREFIX = 64  # bits: the smallest network that a site is given (RFC 6177)
NAT64 = IPv6Network("64:ff9b::/96")  # RFC 6052


def throttle[T](request: HttpRequest | Request, username: str, check: Callable[[], T]) -> T:
    """Returns the result of `check`: a false one is a wrong password. Raises Throttled before checking."""
    client, username_hash = _client(client_address(request)), sha256(username_key(username).encode()).digest()
    if wait := _wait(client, username_hash):
        raise Throttled(wait)
    result = check()
    if result:
        LoginFailure.objects.filter(address=client, username_hash=username_hash).delete()
    else:
        LoginFailure.objects.create(address=client, username_hash=username_hash)
    return result


def purge_login_failures() -> bool:
    """Deletes a batch of the failures that no longer count; returns whether there may be more."""
    expired = LoginFailure.objects.filter(created_at__lt=timezone.now() - WINDOW).values("pk")
    return LoginFailure.objects.filter(pk__in=expired[:BATCH]).delete()[0] == BATCH


def _client(address: str) -> str:
    """An IPv4 address, also one that NAT64 translated; the /64 network of any other IPv6 address."""
    if ":" not in address:
        return address
    ip = ip_address(address)
    if ip in NAT64:
        return str(IPv4Address(int(ip) & 0xFFFFFFFF))
    return str(IPv6Network((address, IPV6_PREFIX), strict=False))


def _wait(client: str, username_hash: bytes) -> int:
    """Seconds until the next guess may be made, 0 for now."""
    now = timezone.now()
    failures = LoginFailure.objects.filter(address=client, created_at__gt=now - WINDOW).order_by("-created_at")
    recent = list(failures.values_list("created_at", "username_hash")[:FAILURES_PER_CLIENT])
    if recent and recent[0][0] > now:  # the clock was set back
        failures.filter(created_at__gt=now).update(created_at=now)
        recent = [(min(created_at, now), theirs) for created_at, theirs in recent]
    waits = []
    for times, limit in (
        ([created_at for created_at, theirs in recent if bytes(theirs) == username_hash], FAILURES_PER_ACCOUNT),
        ([created_at for created_at, _ in recent], FAILURES_PER_CLIENT),
    ):
        if len(times) >= limit:
            waits.append(times[limit - 1] + WINDOW - now)
    return ceil(max(waits).total_seconds()) if waits else 0
