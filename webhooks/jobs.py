"""Sends events: at least once each, and those of an incident one after the other."""

import logging
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any

from django.conf import settings
from django.db.models import Exists, F, OuterRef, Q
from django.utils import timezone
from standardwebhooks import Webhook

from core.api.json import JSONRenderer
from incidents.serializers import IncidentChangeSerializer, IncidentSerializer
from webhooks.collecting import Collector
from webhooks.http import FailureError, post
from webhooks.models import Event, Failure, Rest, Subscription

logger = logging.getLogger(__name__)

AT_ONCE = 8
# Before each next attempt, 27 hours together
BACKOFF = [
    *(timedelta(seconds=5), timedelta(minutes=5), timedelta(minutes=30)),
    *(timedelta(hours=hours) for hours in (2, 5, 10, 10)),
]
# Of a subscription, after consecutive failures: a dead receiver must not hold up the others.
FIRST_PAUSE, LONGEST_PAUSE = timedelta(seconds=5), timedelta(minutes=5)
REST_AFTER = timedelta(days=1)
GONE = 410
PURGED = 1000


class Sender:
    def __init__(self) -> None:
        self._collector = Collector()

    def step(self) -> bool:
        more = self._collector.collect()
        return send_due() or more


def send_due() -> bool:
    """One attempt for each of at most AT_ONCE events; returns whether there were any."""
    events = _due(timezone.now())
    if not events:
        return False
    requests = [_request(event) for event in events]
    # Only HTTP runs in the threads: they have no connection to the database.
    with ThreadPoolExecutor(AT_ONCE) as pool:
        outcomes = list(pool.map(_attempt, requests))
    by_subscription = groupby(zip(events, outcomes, strict=True), key=lambda pair: pair[0].subscription)
    for subscription, pairs in by_subscription:
        attempts = list(pairs)
        for event, (status, failure) in attempts:
            _record(event, status, failure)
        _record_of(subscription, [outcome for _, outcome in attempts])
    return True


def _due(now: datetime) -> list[Event]:
    """Of the subscriptions that were tried the longest ago."""
    pending = Event.objects.filter(state=Event.State.PENDING)
    earlier = pending.filter(
        subscription=OuterRef("subscription"), incident=OuterRef("incident"), change__lt=OuterRef("change")
    )
    due = pending.filter(~Exists(earlier), due_at__lte=now)
    ready = Subscription.objects.filter(
        Exists(due.filter(subscription=OuterRef("pk"))), Q(retry_at=None) | Q(retry_at__lte=now), **SENDING
    )
    subscriptions = list(ready.order_by(F("tried_at").asc(nulls_first=True), "pk")[:AT_ONCE])
    return [
        event
        for subscription in subscriptions
        for event in due.filter(subscription=subscription)
        .select_related("subscription", "incident", "change")
        .order_by("due_at", "change")[: AT_ONCE // len(subscriptions)]
    ]


SENDING: dict[str, Any] = {"is_active": True, "rests_since": None}


def _request(event: Event) -> tuple[str, bytes, dict[str, str]]:
    now = timezone.now()
    incident = {field: getattr(event.incident, field) for field in IncidentSerializer.Meta.fields}
    change = {field: getattr(event.change, field) for field in IncidentChangeSerializer.Meta.fields}
    content = {
        "type": event.type,
        "timestamp": event.change.at,
        "data": {"incident": incident, "change": change},
    }
    body = JSONRenderer().render(content)
    headers = {
        "Content-Type": "application/json",
        "User-Agent": "incidents-webhooks",
        "webhook-id": event.webhook_id,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": Webhook(event.subscription.secret).sign(event.webhook_id, now, body.decode()),
    }
    return event.subscription.url, body, headers


Outcome = tuple[int | None, str]  # the status of the response; a Failure, or "" for a success


def _attempt(request: tuple[str, bytes, dict[str, str]]) -> Outcome:
    try:
        status = post(*request)
    except FailureError as exc:
        return None, exc.failure
    return status, "" if 200 <= status < 300 else Failure.RESPONSE


def _record(event: Event, status: int | None, failure: str) -> None:
    now = timezone.now()
    event.attempts += 1
    event.attempted_at, event.status_code, event.failure = now, status, failure
    if not failure:
        event.state = Event.State.DELIVERED
    elif event.attempts > len(BACKOFF):
        event.state = Event.State.FAILED
        logger.warning("The event %s was given up after %d attempts", event, event.attempts)
    else:
        event.due_at = now + BACKOFF[event.attempts - 1]
    event.save(update_fields=["attempts", "attempted_at", "status_code", "failure", "state", "due_at"])


def _record_of(subscription: Subscription, outcomes: list[Outcome]) -> None:
    now = timezone.now()
    row = Subscription.objects.filter(pk=subscription.pk)  # as it is: its settings may have been changed meanwhile
    if any(status == GONE for status, _ in outcomes):
        _rest(subscription, Rest.GONE)
    if not all(failure for _, failure in outcomes):
        row.update(tried_at=now, failures=0, failing_since=None, retry_at=None)
        return
    since = subscription.failing_since or now
    pause = min(FIRST_PAUSE * 2 ** min(subscription.failures, 10), LONGEST_PAUSE)
    row.update(tried_at=now, failures=F("failures") + 1, failing_since=since, retry_at=now + pause)
    if now - since >= REST_AFTER:
        _rest(subscription, Rest.FAILING)


def _rest(subscription: Subscription, reason: Rest) -> None:
    row = Subscription.objects.filter(pk=subscription.pk, rests_since=None)
    if row.update(rests_since=timezone.now(), rest_reason=reason):
        logger.error("Nothing more is sent to the webhook subscription %s: %s", subscription, reason.value)


def purge_old_events() -> bool:
    """Delivered ones that the collector will not look at again. Those given up are kept."""
    before = timezone.now() - timedelta(days=settings.DELIVERY_RETENTION_DAYS)
    old = Event.objects.filter(
        state=Event.State.DELIVERED, created_at__lt=before, change__lte=F("subscription__cursor")
    )
    ids = list(old.order_by("created_at").values_list("pk", flat=True)[:PURGED])
    Event.objects.filter(pk__in=ids).delete()
    return len(ids) == PURGED
