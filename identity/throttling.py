"""
Slows the guessing of passwords, wherever one is asked for: 5 failures in 15 minutes for an account from one
address, 50 for an address.

Failures are counted in the database, for all processes alike. Guesses at the same instant may overshoot by as many
as are worked on at once; in return a right password never counts, not even for a moment.
"""

from collections.abc import Callable
from datetime import timedelta
from hashlib import sha256
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
FAILURES_PER_ADDRESS = 50


def throttle[T](request: HttpRequest | Request, username: str, check: Callable[[], T]) -> T:
    """Returns what `check` returns: a false result is a wrong password. Raises Throttled instead of checking."""
    address, account = client_address(request), sha256(username_key(username).encode()).digest()
    if wait := _wait(address, account):
        raise Throttled(wait)
    result = check()
    if result:
        LoginFailure.objects.filter(address=address, account=account).delete()
    else:
        LoginFailure.objects.filter(at__lt=timezone.now() - WINDOW).delete()
        LoginFailure.objects.create(address=address, account=account)
    return result


def _wait(address: str, account: bytes) -> int:
    """Seconds until the next guess may be made, 0 for now."""
    now = timezone.now()
    failures = LoginFailure.objects.filter(address=address, at__gt=now - WINDOW).order_by("-at")
    recent = list(failures.values_list("at", "account")[:FAILURES_PER_ADDRESS])
    waits = []
    for times, limit in (
        ([at for at, its in recent if bytes(its) == account], FAILURES_PER_ACCOUNT),
        ([at for at, _ in recent], FAILURES_PER_ADDRESS),
    ):
        if len(times) >= limit:
            waits.append(times[limit - 1] + WINDOW - now)
    return ceil(max(waits).total_seconds()) if waits else 0
