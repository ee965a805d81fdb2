"""
A retried POST records nothing twice.

Semantics: https://datatracker.ietf.org/doc/draft-ietf-httpapi-idempotency-key-header/
"""

import hashlib
import json
import re
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import psycopg
from django.db import IntegrityError, OperationalError, transaction
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request

from core.db.vendor import database
from incidents.exceptions import IdempotencyKeyInUse, IdempotencyKeyReused, TooManyFilesError
from incidents.models import IdempotencyKey

HEADER = "Idempotency-Key"
RETENTION = timedelta(hours=24)
MAX_WAIT_SECONDS = 3  # for another request with the same key
PURGE_BATCH = 1_000  # keys
UNIQUE = "idempotency_key_once"  # the constraint of IdempotencyKey


class StoredResponse(NamedTuple):
    """The body of the response to a POST, about an incident created at `created_at`."""

    incident_id: int
    created_at: datetime
    body: bytes
    replayed: bool = False


def key_of(request: Request) -> str | None:
    """Returns the request's Idempotency-Key. Raises ValidationError unless it is 1 to 255 visible ASCII characters."""
    key: str | None = request.META.get("HTTP_IDEMPOTENCY_KEY")
    if key is None:
        return None
    if not key:
        raise ValidationError({HEADER: [_("This header may not be blank.")]}, code="blank")
    if len(key) > 255:
        raise ValidationError({HEADER: [_("Ensure this header has no more than 255 characters.")]}, code="max_length")
    if not re.fullmatch(r"[\x21-\x7e]+", key):
        raise ValidationError({HEADER: [_("Only visible ASCII characters are allowed.")]}, code="invalid")
    return key


def create_or_replay(*, user_id: int, key: str, request: Any, create: Callable[[], StoredResponse]) -> StoredResponse:
    """
    Returns the response of `create`, or the stored one if this user sent this key before.

    The key is written in the transaction of `create`: either both are there or neither. Of two requests at the same
    instant the second waits at the unique constraint, then finds the response of the first.

    Raises IdempotencyKeyReused for another `request` (parsed JSON), IdempotencyKeyInUse if the first takes too long.
    """
    request_hash = _hash(request)
    if stored := _stored_response(user_id, key, request_hash):
        return stored
    try:
        with transaction.atomic():
            response = create()
            database.limit_lock_waits(MAX_WAIT_SECONDS)
            IdempotencyKey.objects.create(
                user_id=user_id,
                key=key,
                request_hash=request_hash,
                response=response.body,
                incident_id=response.incident_id,
            )
    except (IntegrityError, TooManyFilesError):  # with the file of the first one
        if stored := _stored_response(user_id, key, request_hash):
            return stored
        raise
    except OperationalError as exc:
        if _waited_for_key(exc.__cause__):
            raise IdempotencyKeyInUse from None
        raise
    return response


def _waited_for_key(error: BaseException | None) -> bool:
    """Returns whether another transaction has written the same key. Building an index locks the table, too."""
    # In whatever language the context is, it names the index in which the key was found.
    return isinstance(error, psycopg.errors.LockNotAvailable) and UNIQUE in (error.diag.context or "")


def _hash(request: Any) -> bytes:
    """Returns SHA-256 of the JSON with its names sorted."""
    # Written and read once more, so that 1.0 becomes 1. The standard library takes the 1,024 levels that orjson reads;
    # orjson writes 254.
    request = json.loads(json.dumps(request), parse_float=_parse_number)
    text = json.dumps(request, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
    return hashlib.sha256(text.encode()).digest()


def _parse_number(digits: str) -> int | float:
    number = float(digits)
    return int(number) if number.is_integer() and abs(number) < 2**53 else number


def _stored_response(user_id: int, key: str, request_hash: bytes) -> StoredResponse | None:
    row = (
        IdempotencyKey.objects.filter(user_id=user_id, key=key)
        .values_list("request_hash", "incident_id", "incident__created_at", "response")
        .first()
    )
    if row is None:
        return None
    first_hash, incident_id, created_at, body = row
    if bytes(first_hash) != request_hash:
        raise IdempotencyKeyReused
    database.wait_for_replication()  # the first request may have failed to
    return StoredResponse(incident_id, created_at, bytes(body), replayed=True)


def purge_expired_keys() -> bool:
    """Deletes a batch of the keys that are older than RETENTION; returns whether there may be more."""
    expired = IdempotencyKey.objects.filter(created_at__lt=timezone.now() - RETENTION).values("pk")
    return IdempotencyKey.objects.filter(pk__in=expired[:PURGE_BATCH]).delete()[0] == PURGE_BATCH
