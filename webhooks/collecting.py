"""Makes events of the changes of incidents."""

from datetime import datetime

from django.db import connection
from django.db.models import Exists, OuterRef
from django.utils import timezone

from incidents.models import IncidentChange
from webhooks.models import Event, EventType, Subscription, last_change_id

PAGE = 500

# A transaction that has taken an id and not ended is older than the timestamp that comes with a later id.
MARK = "SELECT coalesce(max(id), 0), clock_timestamp() FROM incidents_incidentchange"
OLDEST = """
SELECT min(xact_start) FROM pg_stat_activity
WHERE datname = current_database() AND backend_type = 'client backend' AND pid <> pg_backend_pid()
"""


class Collector:
    """
    Follows the history by its ids.

    They are not in the order of the commits: a cursor at the last one seen would pass those that are committed later.
    Timestamps do not help: a report may be older than its record. Here a cursor moves only to ids below which every
    transaction has ended, and what is above it is looked at again.
    """

    def __init__(self) -> None:
        self._mark: tuple[int, datetime] | None = None
        self._settled = 0
        # Where a subscription's look through the history goes on, and what was settled when it began
        self._positions: dict[int, tuple[int, int]] = {}

    def collect(self) -> bool:
        """One page for each subscription; returns whether more is left."""
        self._settle()
        subscriptions = Subscription.objects.filter(is_active=True, rests_since=None)
        left = [self._collect(subscription) for subscription in subscriptions]
        return any(left)

    def _settle(self) -> None:
        if connection.vendor != "postgresql":  # SQLite has one writer at a time: its ids are in order.
            self._settled = last_change_id()
            return
        with connection.cursor() as cursor:
            cursor.execute(OLDEST)
            (oldest,) = cursor.fetchone()
            if self._mark is None or oldest is None or oldest > self._mark[1]:
                self._settled = self._mark[0] if self._mark else 0
                cursor.execute(MARK)
                self._mark = cursor.fetchone()

    def _collect(self, subscription: Subscription) -> bool:
        position, settled = self._positions.pop(subscription.pk, (subscription.cursor, self._settled))
        known = Event.objects.filter(subscription=subscription, change=OuterRef("pk"))
        changes = IncidentChange.objects.filter(~Exists(known), pk__gt=position).order_by("pk")
        page = list(changes.select_related("incident").defer("incident__description")[:PAGE])
        now = timezone.now()
        events = [
            Event(
                subscription=subscription,
                change=change,
                incident=change.incident,
                type=type_of(change),
                created_at=now,
                due_at=now,
            )
            for change in page
            if matches(subscription, change)
        ]
        Event.objects.bulk_create(events, ignore_conflicts=True)
        if len(page) == PAGE:
            self._positions[subscription.pk] = (page[-1].pk, settled)
            return True
        if settled > subscription.cursor:
            Subscription.objects.filter(pk=subscription.pk).update(cursor=settled)
        return False


def type_of(change: IncidentChange) -> EventType:
    if "comment" in change.changes:
        return EventType.COMMENTED
    created = change.changes.get("description", [""])[0] is None
    return EventType.CREATED if created else EventType.CHANGED


def matches(subscription: Subscription, change: IncidentChange) -> bool:
    """By the values before or after the change: who follows open incidents hears that one was closed."""
    incident = change.incident
    status = change.changes.get("status", [incident.status])
    source = change.changes.get("source", [incident.source])
    wanted = ((subscription.events, [type_of(change)]), (subscription.statuses, status), (subscription.sources, source))
    return all(not chosen or not set(chosen).isdisjoint(values) for chosen, values in wanted)
