from collections.abc import Iterable

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric

from incidents.reports import counts_by_status_and_source


def incidents() -> Iterable[Metric]:
    gauge = GaugeMetricFamily("incidents", "Incidents recorded.", labels=["status", "source"])
    for labels, count in counts_by_status_and_source().items():
        gauge.add_metric(labels, count)
    return [gauge]
