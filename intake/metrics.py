from collections.abc import Iterable

from django.db.models import Count, F
from django.db.models.functions import Now
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric

from intake.models import Delivery


def deliveries() -> Iterable[Metric]:
    """By the indexes delivery_channel_state and delivery_pending."""
    kept = GaugeMetricFamily("deliveries", "Deliveries that are kept.", labels=["channel", "state"])
    for channel, state, count in (
        Delivery.objects.order_by("channel", "state").values_list("channel", "state").annotate(Count("pk"))
    ):
        kept.add_metric([channel, state], count)
    waiting = Delivery.objects.filter(state=Delivery.State.PENDING).annotate(ago=Now() - F("received_at"))
    oldest = waiting.order_by("pk").values_list("ago", flat=True).first()
    seconds = oldest.total_seconds() if oldest else 0.0
    return kept, GaugeMetricFamily(
        "delivery_oldest_pending_seconds", "How long the oldest unprocessed delivery has waited.", seconds
    )
