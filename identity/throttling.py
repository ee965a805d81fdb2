"""
Rate limit of failed log-ins: in 15 minutes 5 for an account from one client, and 50 from one client.

Failures are counted in the database, for all processes, after the password was checked: a correct password never
counts, but concurrent guesses may exceed the limit by the number that is checked at the same time.
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
PURGE_BATCH = 1_000  # rows deleted at once
IPV6_PREFIX = 64  # bits: the smallest network that a site is given (RFC 6177)
NAT64 = IPv6Network("64:ff9b::/96")  # RFC 6052


def throttle[T](request: HttpRequest | Request, username: str, check: Callable[[], T]) -> T:
    """Returns the result of `check`, which is false for a wrong password. Raises Throttled before it is called."""
    return attempt(_client(client_address(request)), username_key(username), check)


def attempt[T](client: str, account: str, check: Callable[[], T]) -> T:
    """Does what `throttle` does, for any kind of client; its name has at most 45 characters."""
    username_hash = sha256(account.encode()).digest()
    if wait := _wait(client, username_hash):
        raise Throttled(wait)
    result = check()
    if result:
        LoginFailure.objects.filter(address=client, username_hash=username_hash).delete()
    else:
        LoginFailure.objects.create(address=client, username_hash=username_hash)
    return result


def purge_login_failures() -> bool:
    """Deletes a batch of failures older than the window; returns whether more may be left."""
    expired = LoginFailure.objects.filter(created_at__lt=timezone.now() - WINDOW).values("pk")
    return LoginFailure.objects.filter(pk__in=expired[:PURGE_BATCH]).delete()[0] == PURGE_BATCH


def _client(address: str) -> str:
    """Returns the IPv4 address, unwrapped from NAT64; the /64 network of any other IPv6 address."""
    if ":" not in address:
        return address
    ip = ip_address(address)
    if ip in NAT64:
        return str(IPv4Address(int(ip) & 0xFFFFFFFF))
    return str(IPv6Network((address, IPV6_PREFIX), strict=False))


def _wait(client: str, username_hash: bytes) -> int:
    """Seconds until the next attempt is allowed; 0 if it is allowed now."""
    now = timezone.now()
    failures = LoginFailure.objects.filter(address=client, created_at__gt=now - WINDOW).order_by("-created_at")
    recent = list(failures.values_list("created_at", "username_hash")[:FAILURES_PER_CLIENT])
    if recent and recent[0][0] > now:  # the clock was set back
        failures.filter(created_at__gt=now).update(created_at=now)
        recent = [(min(created_at, now), failed_hash) for created_at, failed_hash in recent]
    by_client = [created_at for created_at, _ in recent]
    by_account = [created_at for created_at, failed_hash in recent if bytes(failed_hash) == username_hash]
    waits = []
    for times, limit in ((by_account, FAILURES_PER_ACCOUNT), (by_client, FAILURES_PER_CLIENT)):
        if len(times) >= limit:
            waits.append(times[limit - 1] + WINDOW - now)
    return ceil(max(waits).total_seconds()) if waits else 0
