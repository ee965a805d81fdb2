from collections.abc import Iterable
from math import nan

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric

from telegram.receiving.fetching import pending
from telegram.status import last_poll_age, oldest_unfetched_age, oldest_unsent_age


def waits() -> Iterable[Metric]:
    polled = last_poll_age()
    return (
        GaugeMetricFamily(
            "telegram_last_poll_seconds",
            "Seconds since Telegram was last asked for updates; NaN if it never was, or posts them to a webhook.",
            nan if polled is None else polled,
        ),
        GaugeMetricFamily(
            "telegram_oldest_unsent_seconds", "How long the oldest unsent card has waited.", oldest_unsent_age()
        ),
        GaugeMetricFamily("telegram_unfetched_files", "Files of messages that wait to be fetched.", pending().count()),
        GaugeMetricFamily(
            "telegram_oldest_unfetched_seconds",
            "How long the file that waits longest to be fetched has waited.",
            oldest_unfetched_age(),
        ),
    )
