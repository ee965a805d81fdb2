"""Makes events of the changes of incidents."""

from django.db.models import CharField, OuterRef, QuerySet, Subquery
from django.db.models.fields.json import KT
from django.db.models.functions import Coalesce
from django.utils import timezone

from incidents.models import Incident, IncidentChange
from incidents.store import store
from webhooks.models import Event, EventType, Subscription

MAX_PAGE = 500  # changes
FILTERED = ("status", "source")


class Collector:
    """
    Follows the history by its ids.

    They are not in the order of the commits: a cursor at the last one seen would pass those that are committed later.
    Timestamps do not help: a report may be older than its record. Here the open transactions that write history are
    known, with an id below all of theirs: when one ends, reading goes on from there.
    """

    def __init__(self) -> None:
        self._newest = 0  # the largest id at the last look
        self._writers: dict[str, int] = {}  # open transactions that write history; all of their ids are larger
        self._positions: dict[int, int] = {}  # of each subscription: what was committed up to there has been read

    def collect(self) -> bool:
        """Reads a page for each subscription; returns whether more is left."""
        reread_from, settled = self._look()
        subscriptions = list(Subscription.objects.filter(is_active=True, paused_since=None))
        self._positions = {
            subscription.pk: max(subscription.cursor, min(self._positions.get(subscription.pk, 0), reread_from))
            for subscription in subscriptions
        }
        left = [self._collect(subscription, settled) for subscription in subscriptions]
        return any(left)

    def _look(self) -> tuple[int, int]:
        """Returns the id above which changes were committed since the last look, and that below which none can be."""
        newest, writers = store.newest_change_and_writers()
        ended = [position for writer, position in self._writers.items() if writer not in writers]
        reread_from = min([self._newest, *ended])
        self._writers = {writer: self._writers.get(writer, self._newest) for writer in writers}
        self._newest = newest
        return reread_from, min([newest, *self._writers.values()])

    def _collect(self, subscription: Subscription, settled: int) -> bool:
        position, more = self._positions[subscription.pk], False
        if position < self._newest:
            changes = IncidentChange.objects.filter(pk__gt=position, pk__lte=self._newest)
            page = list(changes.order_by("pk")[:MAX_PAGE])
            more = len(page) == MAX_PAGE
            position = page[-1].pk if more else self._newest
            Event.objects.bulk_create(_events(subscription, page), ignore_conflicts=True)
        self._positions[subscription.pk] = position
        if (cursor := min(position, settled)) > subscription.cursor:
            Subscription.objects.filter(pk=subscription.pk, cursor__lt=cursor).update(cursor=cursor)
        return more


def not_collected() -> QuerySet[IncidentChange]:
    """Changes that a subscription is still to read, also one that is paused or not active."""
    return IncidentChange.objects.filter(pk__gt=Subquery(Subscription.objects.order_by("cursor").values("cursor")[:1]))


def _events(subscription: Subscription, page: list[IncidentChange]) -> list[Event]:
    now = timezone.now()
    filtered = bool(subscription.statuses or subscription.sources)
    values = values_then(page) if page and filtered else [{} for _ in page]
    return [
        Event(
            subscription=subscription,
            change=change,
            incident_id=change.incident_id,
            type=type_of(change),
            created_at=now,
            due_at=now,
        )
        for change, then in zip(page, values, strict=True)
        if _matches(subscription, type_of(change), then)
    ]


def type_of(change: IncidentChange) -> EventType:
    if "comment" in change.changes:
        return EventType.COMMENTED
    created = change.changes.get("description", [""])[0] is None
    return EventType.CREATED if created else EventType.CHANGED


def values_then(page: list[IncidentChange]) -> list[dict[str, list[str | None]]]:
    """
    Returns the status and source of the incident at the time of each change: old and new where the change is of them.

    `page` is in order and without gaps. What a field was before it is the old value of the field's next change, and the
    present value where none follows.
    """
    following = IncidentChange.objects.filter(incident=OuterRef("pk"), pk__gte=page[0].pk).order_by("pk")
    old = [following.filter(changes__has_key=field).values(old=KT(f"changes__{field}__0"))[:1] for field in FILTERED]
    before = [
        Coalesce(Subquery(first), field, output_field=CharField()) for field, first in zip(FILTERED, old, strict=True)
    ]
    incidents = Incident.objects.filter(pk__in={change.incident_id for change in page})
    current = {pk: dict(zip(FILTERED, values, strict=True)) for pk, *values in incidents.values_list("pk", *before)}
    result = []
    for change in page:
        values = current[change.incident_id]
        result.append({field: change.changes.get(field, [values[field]]) for field in FILTERED})
        values.update({field: change.changes[field][1] for field in FILTERED if field in change.changes})
    return result


def _matches(subscription: Subscription, event_type: EventType, values: dict[str, list[str | None]]) -> bool:
    """Compares the values before or after the change: a subscription to open incidents gets that one was closed."""
    wanted = (
        (subscription.events, [event_type]),
        (subscription.statuses, values.get("status", [])),
        (subscription.sources, values.get("source", [])),
    )
    return all(not chosen or not set(chosen).isdisjoint(found) for chosen, found in wanted)
