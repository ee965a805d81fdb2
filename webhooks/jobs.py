"""Sends events: at least once each, and those of an incident one after the other."""

import logging
from collections import defaultdict
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from itertools import islice, zip_longest
from time import monotonic
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import Exists, F, Min, OuterRef, Q
from django.utils import timezone
from standardwebhooks import Webhook

from core.api.json import JSONRenderer
from incidents.serializers import IncidentChangeSerializer, IncidentSerializer
from webhooks.collecting import Collector
from webhooks.http import FailureError, post
from webhooks.models import Event, Failure, Rest, Subscription

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
    failing: set[int] = set()
    with ThreadPoolExecutor(AT_ONCE) as pool:
        waiting = iter(events)
        # A subscription that fails has its pause from the first failure on.
        while monotonic() < until and (batch := list(islice(_of_others(waiting, failing), AT_ONCE))):
            requests = [_request(event) for event in batch]
            # Only HTTP runs in the threads: they have no connection to the database.
            failing |= _record(batch, list(pool.map(_attempt, requests)))
    return bool(events)


def _of_others(events: Iterator[Event], failing: set[int]) -> Iterator[Event]:
    return (event for event in events if event.subscription_id not in failing)


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


def _record(events: list[Event], outcomes: list[Outcome]) -> set[int]:
    """The subscriptions of which nothing succeeded."""
    now = timezone.now()
    by_subscription = defaultdict(list)
    for event, (status, failure) in zip(events, outcomes, strict=True):
        event.attempts += 1
        event.attempted_at, event.status_code, event.failure = now, status, failure
        if not failure:
            event.state = Event.State.DELIVERED
        elif event.attempts > len(BACKOFF):
            event.state = Event.State.FAILED
            logger.warning("The event %s was given up after %d attempts", event, event.attempts)
        else:
            event.due_at = now + BACKOFF[event.attempts - 1]
        by_subscription[event.subscription].append((status, failure))
    with transaction.atomic():
        fields = ("attempts", "attempted_at", "status_code", "failure", "state", "due_at")
        Event.objects.bulk_update(events, fields)
        return {one.pk for one, of_it in by_subscription.items() if not _record_of(one, of_it)}


def _record_of(subscription: Subscription, outcomes: list[Outcome]) -> bool:
    """Whether anything succeeded."""
    now = timezone.now()
    row = Subscription.objects.filter(pk=subscription.pk)  # as it is: its settings may have been changed meanwhile
    gone = any(status == GONE for status, _ in outcomes)
    if gone:
        _rest(subscription, Rest.GONE)
    if not all(failure for _, failure in outcomes):
        row.update(tried_at=now, failures=0, failing_since=None, retry_at=None)
        return not gone
    subscription.refresh_from_db(fields=["failures", "failing_since"])  # a success of this step may have reset them
    since = subscription.failing_since or now
    pause = min(FIRST_PAUSE * 2 ** min(subscription.failures, 10), LONGEST_PAUSE)
    row.update(tried_at=now, failures=F("failures") + 1, failing_since=since, retry_at=now + pause)
    if now - since >= REST_AFTER:
        _rest(subscription, Rest.FAILING)
    return False


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
