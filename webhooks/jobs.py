"""Sends events: at least once each, and those of an incident one after the other."""

import logging
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from itertools import batched, groupby, islice
from queue import Empty, SimpleQueue
from time import monotonic
from typing import Any, NamedTuple

from django.conf import settings
from django.db import transaction
from django.db.models import Exists, F, OuterRef, Q, Window
from django.db.models.functions import FirstValue, RowNumber
from django.utils import timezone
from django.utils.http import parse_http_date_safe
from standardwebhooks import Webhook

from core.api.json import JSONRenderer
from incidents.serializers import IncidentChangeSerializer, IncidentSerializer
from webhooks.collecting import Collector
from webhooks.http import Connections, FailureError
from webhooks.models import ROTATION, Event, Failure, Pause, Subscription

logger = logging.getLogger(__name__)

MAX_AT_ONCE = 8  # attempts for one subscription
MAX_AT_ONCE_OF_ALL = 64  # but one for each subscription in any case
MAX_FOUND = 1000  # due events of a subscription, whose ids are read at once
CHUNK = 50  # of them, which are read whole
STEP_SECONDS = 1.0  # for collecting, and again for sending
TRIED_EVERY = timedelta(seconds=1)  # that a subscription's successes are noted: a quick receiver has hundreds a second
# Before each next attempt, 27 hours together
BACKOFF = [
    *(timedelta(seconds=5), timedelta(minutes=5), timedelta(minutes=30)),
    *(timedelta(hours=hours) for hours in (2, 5, 10, 10)),
]
# Of a subscription, after consecutive failures: a dead receiver is asked less and less.
FIRST_BACKOFF, MAX_BACKOFF = timedelta(seconds=5), timedelta(minutes=5)
PAUSE_AFTER = timedelta(days=1)
GONE = 410
BUSY = (429, 503)  # with Retry-After
MAX_RETRY_AFTER = timedelta(days=1)
MAX_PURGED = 1000  # events, in a batch
SENDING: dict[str, Any] = {"is_active": True, "paused_since": None}


class Outcome(NamedTuple):
    status: int | None
    failure: str  # a Failure, or "" for a success
    retry_after: timedelta = timedelta()  # for which the receiver wants nothing


type Request = tuple[str, bytes, dict[str, str]]


class Sender:
    """
    Sends events in threads, which may outlast the step that started them.

    Each subscription has its own share of the threads: a slow receiver takes none from the others. Only HTTP runs in
    them: they have no connection to the database. They end with the process.
    """

    def __init__(self) -> None:
        self._collector = Collector()
        self._connections = Connections()
        # The incidents whose events are being sent, or have an outcome to be recorded, by subscription
        self._in_flight: dict[int, set[int]] = {}
        # Subscriptions with a failure since their last success. Nothing more is started while others are in flight:
        # their outcomes decide whether the receiver fails, or the event alone.
        self._failing: set[int] = set()
        self._threads = 0  # no fewer than events in flight
        self._started: SimpleQueue[tuple[Event, Request] | None] = SimpleQueue()  # None ends a thread.
        self._finished: SimpleQueue[tuple[Event, Outcome]] = SimpleQueue()

    def step(self) -> bool:
        """Returns whether there may be more to do."""
        until = monotonic() + STEP_SECONDS
        while (more := self._collector.collect()) and monotonic() < until:
            pass
        self._connections.close_unusable()
        return self._send() or more

    def _send(self) -> bool:
        """Starts attempts and records those that end meanwhile; returns whether there were any."""
        waiting = self._due(timezone.now())
        until = monotonic() + STEP_SECONDS
        self._start(waiting)
        busy = bool(self._in_flight)
        while self._in_flight and (seconds := until - monotonic()) > 0:
            outcomes = self._outcomes(seconds)
            failed = {event.subscription_id for event, outcome in outcomes if outcome.failure}
            try:
                # While the outcomes are recorded, receivers get the next events, unless they fail.
                self._start({pk: events for pk, events in waiting.items() if pk not in failed}, outcomes)
            finally:
                stopped = self._finish(outcomes)
            for pk in stopped:
                waiting.pop(pk, None)
            self._start(waiting)
        if not self._in_flight:
            for _ in range(self._threads):
                self._started.put(None)
            self._threads = 0
        return busy

    def _due(self, now: datetime) -> dict[int, Iterator[Event]]:
        """Returns the events that may be sent, by subscription; they are read when they are asked for."""
        due = Event.objects.filter(state=Event.State.PENDING, due_at__lte=now, subscription=OuterRef("pk"))
        ready = Subscription.objects.filter(Exists(due), Q(retry_at=None) | Q(retry_at__lte=now), **SENDING)
        return {subscription.pk: self._due_of(subscription, now) for subscription in ready}

    def _due_of(self, subscription: Subscription, now: datetime) -> Iterator[Event]:
        """Reads the oldest event of each incident, without those in flight."""
        pending = Event.objects.filter(subscription=subscription, state=Event.State.PENDING)
        # Windows are linear in any plan. NOT EXISTS or a join with GROUP BY are quadratic where the statistics are of a
        # time when next to nothing was pending.
        of_each: Any = {"partition_by": "incident", "order_by": "change"}
        oldest = pending.annotate(place=Window(RowNumber(), **of_each), due=Window(FirstValue("due_at"), **of_each))
        due = oldest.filter(place=1, due__lte=now).order_by("due_at", "change").values_list("pk", flat=True)
        whole = pending.select_related("incident", "change").order_by("due_at", "change")
        more = True
        while more:
            found = list(due.exclude(incident__in=self._in_flight.get(subscription.pk, ()))[:MAX_FOUND])
            more = len(found) == MAX_FOUND
            for chunk in batched(found, CHUNK):
                for event in whole.filter(pk__in=chunk):
                    event.subscription = subscription
                    yield event

    def _start(self, waiting: dict[int, Iterator[Event]], outcomes: Sequence[tuple[Event, Outcome]] = ()) -> None:
        """Starts attempts for as many as each subscription may have beside those with an outcome to be recorded."""
        ended = Counter(event.subscription_id for event, _ in outcomes)
        subscriptions = len(waiting.keys() | self._in_flight.keys())
        share = max(1, min(MAX_AT_ONCE, MAX_AT_ONCE_OF_ALL // max(1, subscriptions)))
        for pk, events in waiting.items():
            free = (1 if pk in self._failing else share) - len(self._in_flight.get(pk, ())) + ended[pk]
            for event in islice(events, max(0, free)):
                self._started.put((event, _request(event)))
                self._in_flight.setdefault(pk, set()).add(event.incident_id)
        while self._threads < sum(map(len, self._in_flight.values())) - len(outcomes):
            threading.Thread(target=self._attempt, daemon=True).start()
            self._threads += 1

    def _attempt(self) -> None:
        """Sends what is started, one event after the other."""
        while started := self._started.get():
            event, request = started
            try:
                outcome = self._outcome(*request)
            except Exception:
                logger.exception("The event %s could not be sent", event)
                outcome = Outcome(None, Failure.UNREACHABLE)
            self._finished.put((event, outcome))

    def _outcome(self, url: str, body: bytes, headers: dict[str, str]) -> Outcome:
        try:
            response = self._connections.post(url, body, headers)
        except FailureError as exc:
            return Outcome(None, exc.failure)
        if 200 <= response.status < 300:
            return Outcome(response.status, "")
        header = response.retry_after if response.status in BUSY else None
        return Outcome(response.status, Failure.RESPONSE, retry_after(header or ""))

    def _outcomes(self, seconds: float) -> list[tuple[Event, Outcome]]:
        """Waits for an outcome; returns it with all that are there by then."""
        outcomes = []
        with suppress(Empty):
            outcomes.append(self._finished.get(timeout=seconds))
            while True:
                outcomes.append(self._finished.get_nowait())
        return outcomes

    def _finish(self, outcomes: list[tuple[Event, Outcome]]) -> set[int]:
        """Records the outcomes together; returns the subscriptions to which nothing more may be sent for now."""
        stopped, subscriptions = set(), {}
        for event, _ in outcomes:
            subscriptions[event.subscription_id] = event.subscription
            self._in_flight[event.subscription_id].remove(event.incident_id)
        for pk in subscriptions:
            if not self._in_flight[pk]:
                del self._in_flight[pk]
        # The order of a subscription's outcomes decides whether it fails.
        of_each = sorted(outcomes, key=lambda finished: finished[0].subscription_id)
        with transaction.atomic():
            for _, alike in groupby(of_each, key=_recorded_alike):
                events, (outcome, *_) = zip(*alike, strict=True)
                pk = events[0].subscription_id
                if not _record(events, outcome):
                    continue
                if outcome.failure:
                    self._failing.add(pk)
                    if _record_failure(subscriptions[pk], outcome):
                        stopped.add(pk)
                else:
                    self._failing.discard(pk)
                    _record_success(subscriptions[pk])
            for pk in self._failing.intersection(subscriptions).difference(self._in_flight):
                self._failing.discard(pk)
                _back_off(subscriptions[pk])
                stopped.add(pk)
        return stopped


def _recorded_alike(finished: tuple[Event, Outcome]) -> Any:
    """Failures are recorded one by one, successes by what their rows were like when they were sent."""
    event, outcome = finished
    return event.subscription_id, event.attempts, event.due_at, outcome, event.pk if outcome.failure else None


def _request(event: Event) -> Request:
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


def retry_after(header: str) -> timedelta:
    """Reads a Retry-After, seconds or an HTTP date (RFC 9110, 10.2.3): up to MAX_RETRY_AFTER, none if it is neither."""
    header = header.strip()
    if header.isascii() and header.isdecimal():
        seconds = float(header)
    else:
        seconds = (parse_http_date_safe(header) or 0) - timezone.now().timestamp()
    return timedelta(seconds=min(max(seconds, 0.0), MAX_RETRY_AFTER.total_seconds()))


def _record(events: Sequence[Event], outcome: Outcome) -> bool:
    """
    Records the outcome of events that were alike; returns whether any was still as it was sent.

    For the others it counts for nothing: they were sent again by a person meanwhile, or by another process.
    """
    event = events[0]
    now, attempts = timezone.now(), event.attempts + 1
    state, due_at = Event.State.PENDING, event.due_at
    if not outcome.failure:
        state = Event.State.DELIVERED
    elif attempts > len(BACKOFF):
        state = Event.State.FAILED
    else:
        due_at = now + max(BACKOFF[attempts - 1], outcome.retry_after)
    unchanged = Event.objects.filter(
        pk__in=[event.pk for event in events], state=Event.State.PENDING, attempts=event.attempts, due_at=event.due_at
    )
    recorded = unchanged.update(
        state=state,
        due_at=due_at,
        attempts=attempts,
        attempted_at=now,
        status_code=outcome.status,
        failure=outcome.failure,
    )
    if recorded and state == Event.State.FAILED:
        logger.warning("The event %s was given up after %d attempts", event, attempts)
    return bool(recorded)


def _record_success(subscription: Subscription) -> None:
    now = timezone.now()
    # As it was read in this step. Only `_back_off` counts a failure, and then the step sends it nothing more.
    if not subscription.failures and subscription.tried_at and now - subscription.tried_at < TRIED_EVERY:
        return
    # Not `retry_at`: an attempt beside this one may have set it.
    Subscription.objects.filter(pk=subscription.pk).update(tried_at=now, failures=0, failing_since=None)
    subscription.tried_at = now


def _record_failure(subscription: Subscription, outcome: Outcome) -> bool:
    """Records the failure; returns whether nothing more may be sent for now, whatever attempts beside this one say."""
    now = timezone.now()
    row = Subscription.objects.filter(pk=subscription.pk)
    row.update(tried_at=now)
    if outcome.retry_after:
        row.update(retry_at=now + outcome.retry_after)
    if outcome.status == GONE:
        _pause(subscription, Pause.GONE)
    return bool(outcome.retry_after) or outcome.status == GONE


def _back_off(subscription: Subscription) -> None:
    """Stops for longer after each failure in a row; pauses after PAUSE_AFTER of them, until a person resumes."""
    now, row = timezone.now(), Subscription.objects.filter(pk=subscription.pk)
    stored = row.first()
    if stored is None:  # deleted while its events were in flight
        return
    since = stored.failing_since or now
    retry_at = now + min(FIRST_BACKOFF * 2 ** min(stored.failures, 10), MAX_BACKOFF)
    row.update(failures=F("failures") + 1, failing_since=since, retry_at=max(retry_at, stored.retry_at or now))
    if now - since >= PAUSE_AFTER:
        _pause(subscription, Pause.FAILING)


def _pause(subscription: Subscription, reason: Pause) -> None:
    row = Subscription.objects.filter(pk=subscription.pk, paused_since=None)
    if row.update(paused_since=timezone.now(), pause_reason=reason):
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
    ids = list(old.order_by("created_at").values_list("pk", flat=True)[:MAX_PURGED])
    Event.objects.filter(pk__in=ids).delete()
    return len(ids) == MAX_PURGED
