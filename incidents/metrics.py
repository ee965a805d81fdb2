from collections.abc import Iterable
from itertools import product

from django.db import connection
from django.db.models import Count
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric

from core.db.postgresql import fetch
from incidents.models import Incident, Source, Status

# The tables of migration 0004_counts
COUNTS = """
SELECT status, source, sum(n)::bigint FROM (
  SELECT status, source, n FROM incidents_count WHERE day IS NULL
  UNION ALL SELECT status, source, n FROM incidents_countdelta
) AS counts GROUP BY status, source
"""


def incidents() -> Iterable[Metric]:
    gauge = GaugeMetricFamily("incidents", "Incidents recorded.", labels=["status", "source"])
    if connection.vendor == "postgresql":
        rows = fetch(COUNTS, ())
    else:
        rows = list(Incident.objects.order_by().values_list("status", "source").annotate(Count("pk")))
    counts = {(status, source): count for status, source, count in rows}
    for labels in product(Status.values, Source.values):
        gauge.add_metric(labels, counts.get(labels, 0))
    return [gauge]
