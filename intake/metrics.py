from collections.abc import Iterable
from itertools import product

from django.db.models import Count, F
from django.db.models.functions import Now
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric

from incidents.models import Channel
from intake.models import Delivery

CHANNELS = (Channel.ALERTMANAGER.value, Channel.TELEGRAM.value, Channel.WEBHOOK.value)


def deliveries() -> Iterable[Metric]:
    """Counts by the indexes delivery_channel_state, delivery_warned and delivery_pending."""
    kept = GaugeMetricFamily("deliveries", "Deliveries that are kept.", labels=["channel", "state"])
    rows = Delivery.objects.order_by().values_list("channel", "state").annotate(Count("pk"))
    counts = {(channel, state): count for channel, state, count in rows}
    # Zeros too: what appears with its first fault has not increased, as Prometheus sees it.
    for labels in product(CHANNELS, Delivery.State.values):
        kept.add_metric(labels, counts.get(labels, 0))
    waiting = Delivery.objects.filter(state=Delivery.State.PENDING).annotate(ago=Now() - F("received_at"))
    oldest = waiting.order_by("pk").values_list("ago", flat=True).first()
    warned = GaugeMetricFamily(
        "deliveries_with_warnings", "Deliveries that are kept and had warnings.", labels=["channel"]
    )
    for channel in CHANNELS:
        warned.add_metric([channel], Delivery.objects.filter(channel=channel, warnings__gt=0).count())
    seconds = oldest.total_seconds() if oldest else 0.0
    return (
        kept,
        warned,
        GaugeMetricFamily(
            "delivery_oldest_pending_seconds", "How long the oldest unprocessed delivery has waited.", seconds
        ),
    )
