"""
A POST that is sent again records nothing again.

Semantics: https://datatracker.ietf.org/doc/draft-ietf-httpapi-idempotency-key-header/
"""

import hashlib
import logging
import re
from collections.abc import Callable
from datetime import timedelta
from time import monotonic
from typing import Any, NamedTuple

import orjson
from django.db import DatabaseError, IntegrityError, OperationalError, connection, transaction
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from rest_framework.exceptions import ValidationError

from incidents.exceptions import IdempotencyKeyInUse, IdempotencyKeyReused
from incidents.models import IdempotencyKey, Incident, etag

logger = logging.getLogger(__name__)

HEADER = "Idempotency-Key"
KEPT = timedelta(hours=24)


class Answer(NamedTuple):
    """What a POST is answered with."""

    incident_id: int
    body: bytes
    etag: str
    replayed: bool = False


def check_key(key: str) -> None:
    """Raises ValidationError unless the key is 1 to 255 visible ASCII characters."""
    if not key:
        raise ValidationError({HEADER: [_("This header may not be blank.")]}, code="blank")
    if len(key) > 255:
        raise ValidationError({HEADER: [_("Ensure this header has no more than 255 characters.")]}, code="max_length")
    if not re.fullmatch(r"[\x21-\x7e]+", key):
        raise ValidationError({HEADER: [_("Only visible ASCII characters are allowed.")]}, code="invalid")


def once(
    user_id: int,
    key: str,
    request: Any,
    *,
    create: Callable[[], Incident],
    render: Callable[[Incident], bytes],
) -> Answer:
    """
    Creates and answers, or gives the first answer again where this user sent this key before.

    The key is written in the incident's own transaction: either both are there or neither. Of two
    requests at the same moment the second waits at the unique constraint, then finds the first's answer.

    Raises IdempotencyKeyReused for another `request` (parsed JSON), IdempotencyKeyInUse where the first takes too long.
    """
    request_hash = hashlib.sha256(orjson.dumps(request, option=orjson.OPT_SORT_KEYS)).digest()
    if answer := _first_answer(user_id, key, request_hash):
        return answer
    try:
        with transaction.atomic():
            if connection.vendor == "postgresql":
                with connection.cursor() as cursor:
                    cursor.execute("SET LOCAL lock_timeout = '3s'")
            incident = create()
            body = render(incident)
            IdempotencyKey.objects.create(
                user_id=user_id, key=key, request_hash=request_hash, response=body, incident=incident
            )
    except IntegrityError:
        if answer := _first_answer(user_id, key, request_hash):
            return answer
        raise
    except OperationalError as exc:
        if getattr(exc.__cause__, "sqlstate", None) == "55P03":  # lock_not_available
            raise IdempotencyKeyInUse from None
        raise
    return Answer(incident.pk, body, incident.etag)


def _first_answer(user_id: int, key: str, request_hash: bytes) -> Answer | None:
    row = (
        IdempotencyKey.objects.filter(user_id=user_id, key=key)
        .values_list("request_hash", "incident_id", "response", "incident__created_at")
        .first()
    )
    if row is None:
        return None
    first_hash, incident_id, body, created_at = row
    if bytes(first_hash) != request_hash:
        raise IdempotencyKeyReused
    return Answer(incident_id, bytes(body), etag(created_at), replayed=True)


def delete_expired() -> int:
    """Forgets the keys that are older than a day; returns how many."""
    return IdempotencyKey.objects.filter(created_at__lt=timezone.now() - KEPT).delete()[0]


CLEANING_INTERVAL = 3600.0  # seconds, for each process
_next_cleaning = monotonic() + CLEANING_INTERVAL


def delete_expired_now_and_then(**kwargs: Any) -> None:
    """
    Called when an answer has been sent, so that no client waits for it; and needs no scheduler in a deployment.

    Where no request comes, no key comes either.
    """
    global _next_cleaning
    if monotonic() >= _next_cleaning:
        _next_cleaning = monotonic() + CLEANING_INTERVAL
        try:
            delete_expired()
        except DatabaseError:
            logger.warning("Expired idempotency keys were not deleted: the next attempt is in an hour", exc_info=True)
