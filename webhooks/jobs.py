"""Sends events: at least once each, and those of an incident one after the other."""

import logging
from collections import defaultdict
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from itertools import islice, zip_longest
from time import monotonic
from typing import Any, NamedTuple

from django.conf import settings
from django.db import transaction
from django.db.models import Exists, F, Min, OuterRef, Q
from django.utils import timezone
from django.utils.http import parse_http_date_safe
from standardwebhooks import Webhook

from core.api.json import JSONRenderer
from incidents.serializers import IncidentChangeSerializer, IncidentSerializer
from webhooks.collecting import Collector
from webhooks.http import FailureError, post
from webhooks.models import ROTATION, Event, Failure, Rest, Subscription

logger = logging.getLogger(__name__)

AT_ONCE = 8
BATCH = 500  # events that a step reads
STEP = 5.0  # seconds, after which AT_ONCE attempts may follow: less than half a lease
# Before each next attempt, 27 hours together
BACKOFF = [
    *(timedelta(seconds=5), timedelta(minutes=5), timedelta(minutes=30)),
    *(timedelta(hours=hours) for hours in (2, 5, 10, 10)),
]
# Of a subscription, after consecutive failures: a dead receiver must not hold up the others.
FIRST_PAUSE, LONGEST_PAUSE = timedelta(seconds=5), timedelta(minutes=5)
REST_AFTER = timedelta(days=1)
GONE = 410
BUSY = (429, 503)  # with Retry-After
NONE, LONGEST_RETRY_AFTER = timedelta(), timedelta(days=1)
PURGED = 1000


class Sender:
    def __init__(self) -> None:
        self._collector = Collector()

    def step(self) -> bool:
        more = self._collector.collect()
        return send_due() or more


def send_due() -> bool:
    """One attempt for each of some events, AT_ONCE at a time; returns whether there were any."""
    events = _due(timezone.now())
    until = monotonic() + STEP
    resting: set[int] = set()
    with ThreadPoolExecutor(AT_ONCE) as pool:
        waiting = iter(events)
        # A subscription that fails, or asks for it, has its pause from then on.
        while monotonic() < until and (batch := list(islice(_of_others(waiting, resting), AT_ONCE))):
            requests = [_request(event) for event in batch]
            # Only HTTP runs in the threads: they have no connection to the database.
            resting |= _record(batch, list(pool.map(_attempt, requests)))
    return bool(events)


def _of_others(events: Iterator[Event], resting: set[int]) -> Iterator[Event]:
    return (event for event in events if event.subscription_id not in resting)


def _due(now: datetime) -> list[Event]:
    """The oldest of each incident, of the subscriptions in turn: first those that were tried the longest ago."""
    pending = Event.objects.filter(state=Event.State.PENDING)
    due = pending.filter(due_at__lte=now)
    ready = Subscription.objects.filter(
        Exists(due.filter(subscription=OuterRef("pk"))), Q(retry_at=None) | Q(retry_at__lte=now), **SENDING
    )
    subscriptions = list(ready.order_by(F("tried_at").asc(nulls_first=True), "pk"))
    limit = max(AT_ONCE, BATCH // len(subscriptions)) if subscriptions else 0
    events = []
    for subscription in subscriptions:
        of_each = pending.filter(subscription=subscription).order_by().values("incident")
        oldest = of_each.annotate(oldest=Min("change")).values("oldest")
        found = due.filter(subscription=subscription, change__in=oldest).order_by("due_at", "change")
        events.append(found.select_related("subscription", "incident", "change")[:limit])
    return [event for turn in zip_longest(*events) for event in turn if event]


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
    text, secrets = body.decode(), event.subscription.signing_secrets
    headers = {
        "Content-Type": "application/json",
        "User-Agent": "incidents-webhooks",
        "webhook-id": event.webhook_id,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": " ".join(Webhook(secret).sign(event.webhook_id, now, text) for secret in secrets),
    }
    return event.subscription.url, body, headers


class Outcome(NamedTuple):
    status: int | None
    failure: str  # a Failure, or "" for a success
    pause: timedelta = NONE  # for which the receiver wants nothing


def _attempt(request: tuple[str, bytes, dict[str, str]]) -> Outcome:
    try:
        response = post(*request)
    except FailureError as exc:
        return Outcome(None, exc.failure)
    if 200 <= response.status < 300:
        return Outcome(response.status, "")
    asks = response.status in BUSY and response.retry_after
    return Outcome(response.status, Failure.RESPONSE, retry_after(asks) if asks else NONE)


def retry_after(header: str) -> timedelta:
    """Of a Retry-After (RFC 9110, 10.2.3), which is seconds or an HTTP date: between none and LONGEST_RETRY_AFTER."""
    header = header.strip()
    if header.isascii() and header.isdecimal():
        seconds = float(header)
    else:
        seconds = (parse_http_date_safe(header) or 0) - timezone.now().timestamp()
    return timedelta(seconds=min(max(seconds, 0.0), LONGEST_RETRY_AFTER.total_seconds()))


def _record(events: list[Event], outcomes: list[Outcome]) -> set[int]:
    """The subscriptions that are to be left alone for now."""
    now = timezone.now()
    by_subscription = defaultdict(list)
    for event, outcome in zip(events, outcomes, strict=True):
        event.attempts += 1
        event.attempted_at, event.status_code, event.failure = now, outcome.status, outcome.failure
        if not outcome.failure:
            event.state = Event.State.DELIVERED
        elif event.attempts > len(BACKOFF):
            event.state = Event.State.FAILED
            logger.warning("The event %s was given up after %d attempts", event, event.attempts)
        else:
            event.due_at = now + max(BACKOFF[event.attempts - 1], outcome.pause)
        by_subscription[event.subscription].append(outcome)
    with transaction.atomic():
        fields = ("attempts", "attempted_at", "status_code", "failure", "state", "due_at")
        Event.objects.bulk_update(events, fields)
        return {one.pk for one, its in by_subscription.items() if _record_of(one, its)}


def _record_of(subscription: Subscription, outcomes: list[Outcome]) -> bool:
    """Whether the subscription is to be left alone for now."""
    now = timezone.now()
    row = Subscription.objects.filter(pk=subscription.pk)  # as it is: its settings may have been changed meanwhile
    gone = any(outcome.status == GONE for outcome in outcomes)
    if gone:
        _rest(subscription, Rest.GONE)
    pause = max(outcome.pause for outcome in outcomes)
    if not all(outcome.failure for outcome in outcomes):
        row.update(tried_at=now, failures=0, failing_since=None, retry_at=now + pause if pause else None)
        return gone or bool(pause)
    subscription.refresh_from_db(fields=["failures", "failing_since"])  # a success of this step may have reset them
    since = subscription.failing_since or now
    pause = max(pause, min(FIRST_PAUSE * 2 ** min(subscription.failures, 10), LONGEST_PAUSE))
    row.update(tried_at=now, failures=F("failures") + 1, failing_since=since, retry_at=now + pause)
    if now - since >= REST_AFTER:
        _rest(subscription, Rest.FAILING)
    return True


def _rest(subscription: Subscription, reason: Rest) -> None:
    row = Subscription.objects.filter(pk=subscription.pk, rests_since=None)
    if row.update(rests_since=timezone.now(), rest_reason=reason):
        logger.error("Nothing more is sent to the webhook subscription %s: %s", subscription, reason.value)


def purge() -> bool:
    """
    Deletes a batch of delivered events that the collector will not look at again, and secrets that sign no more.

    Returns whether there may be more. Events given up are kept.
    """
    now = timezone.now()
    Subscription.objects.filter(rotated_at__lte=now - ROTATION).exclude(previous_secret="").update(previous_secret="")
    old = Event.objects.filter(
        state=Event.State.DELIVERED,
        created_at__lt=now - timedelta(days=settings.DELIVERY_RETENTION_DAYS),
        change__lte=F("subscription__cursor"),
    )
    ids = list(old.order_by("created_at").values_list("pk", flat=True)[:PURGED])
    Event.objects.filter(pk__in=ids).delete()
    return len(ids) == PURGED
