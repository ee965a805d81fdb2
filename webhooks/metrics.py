from collections.abc import Iterable

from django.db.models import Case, CharField, Count, Value, When
from django.utils import timezone
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric

from webhooks.jobs import SENDING
from webhooks.models import Event, Subscription

STATES = ("sending", "failing", "resting", "inactive")


def webhooks() -> Iterable[Metric]:
    """Counts events by webhook_event_pending and webhook_event_failed, and subscriptions, which are few."""
    events = GaugeMetricFamily("webhook_events", "Events that are not delivered, by state.", labels=["state"])
    for kept in (Event.State.PENDING, Event.State.FAILED):
        events.add_metric([kept.value], Event.objects.filter(state=kept).count())
    state = Case(
        When(is_active=False, then=Value("inactive")),
        When(paused_since__isnull=False, then=Value("resting")),
        When(failing_since__isnull=False, then=Value("failing")),
        default=Value("sending"),
        output_field=CharField(),
    )
    counts = dict(Subscription.objects.annotate(state=state).order_by().values_list("state").annotate(Count("pk")))
    subscriptions = GaugeMetricFamily("webhook_subscriptions", "Subscriptions, by state.", labels=["state"])
    for name in STATES:
        subscriptions.add_metric([name], counts.get(name, 0))
    waiting = Event.objects.filter(state=Event.State.PENDING, subscription__in=Subscription.objects.filter(**SENDING))
    oldest = waiting.order_by("created_at").values_list("created_at", flat=True).first()
    seconds = max(0.0, (timezone.now() - oldest).total_seconds()) if oldest else 0.0
    unsent = GaugeMetricFamily(
        "webhook_oldest_unsent_seconds", "How long the oldest event of the subscriptions that send has waited.", seconds
    )
    return events, subscriptions, unsent
