"""
GET /api/metrics in Prometheus' text format: HTTP requests of all processes, everything else from the database.

django-prometheus was compared: its names of metrics and labels are fixed, it wraps the database's cursors, and for
several processes it needs the multiprocess mode of prometheus_client just as this module does. docker/gunicorn.conf.py
and docker/serve set PROMETHEUS_MULTIPROC_DIR; replicas that share SOCKETS have one directory each in it, since their
processes may have the same ids.
"""

import os
from collections.abc import Callable, Iterable
from functools import cache
from ipaddress import ip_address
from pathlib import Path
from time import perf_counter

from django.conf import settings
from django.db.models import F
from django.db.models.functions import Now
from django.http import HttpRequest, HttpResponse
from prometheus_client import CONTENT_TYPE_PLAIN_0_0_4, CollectorRegistry, Counter, Histogram, disable_created_metrics
from prometheus_client import generate_latest as text_of
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector
from rest_framework.permissions import IsAdminUser
from rest_framework.request import Request
from rest_framework.views import APIView

from core.client_address import client_address
from core.jobs import registered
from core.models import Heartbeat

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")

disable_created_metrics()  # type: ignore[no-untyped-call]
own_registry = CollectorRegistry()
requests_total = Counter(
    "http_requests_total", "Requests, by URL name.", ("route", "method", "status"), registry=own_registry
)
request_duration = Histogram(
    "http_request_duration_seconds", "Time to the response.", ("route", "method"), registry=own_registry
)


class MetricsMiddleware:
    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        started = perf_counter()
        response = self.get_response(request)
        # No label contains input of a client: each new value would create a time series.
        route = request.resolver_match.view_name if request.resolver_match else "unresolved"
        method = request.method if request.method in METHODS else "other"
        count, observe = _series(route, method, response.status_code)
        count()
        observe(perf_counter() - started)
        return response


@cache
def _series(route: str, method: str, status: int) -> tuple[Callable[[], None], Callable[[float], None]]:
    """Returns what counts a request and what observes its duration: to look them up by labels costs as much again."""
    return requests_total.labels(route, method, status).inc, request_duration.labels(route, method).observe


class FromFiles(Collector):
    """Sums up what all processes of all replicas have counted."""

    def collect(self) -> Iterable[Metric]:
        root = os.environ.get("SOCKETS") or os.environ["PROMETHEUS_MULTIPROC_DIR"]
        return MultiProcessCollector.merge(map(str, Path(root).rglob("*.db")))  # type: ignore[no-untyped-call]


class FromDatabase(Collector):
    """Collects the metrics of all apps from the database at each scrape."""

    sources: list[Callable[[], Iterable[Metric]]] = []

    def collect(self) -> Iterable[Metric]:
        for source in self.sources:
            yield from source()


def register(source: Callable[[], Iterable[Metric]]) -> None:
    """Called by AppConfig.ready(). A source must not scan a table: it reads stored counts."""
    FromDatabase.sources.append(source)


def jobs() -> Iterable[Metric]:
    """Of the registered jobs: one that was turned off keeps its heartbeat."""
    # Not `job`: Prometheus has a label of that name.
    ran = GaugeMetricFamily("job_last_run_seconds", "Seconds since the last successful step.", labels=["name"])
    failures = GaugeMetricFamily("job_failures", "Consecutive failures of the job.", labels=["name"])
    heartbeats = Heartbeat.objects.filter(job__in=registered).annotate(ago=Now() - F("ran_at"))
    for heartbeat in heartbeats.order_by("job"):
        failures.add_metric([heartbeat.job], heartbeat.failures)
        if heartbeat.ago is not None:
            ran.add_metric([heartbeat.job], heartbeat.ago.total_seconds())
    return ran, failures


class MayReadMetrics(IsAdminUser):
    def has_permission(self, request: Request, view: APIView) -> bool:
        address = client_address(request)
        allowed = address and any(ip_address(address) in network for network in settings.METRICS_NETWORKS)
        return bool(allowed) or super().has_permission(request, view)


class MetricsView(APIView):
    """Allowed for tokens of staff users and for clients in METRICS_NETWORKS."""

    permission_classes = [MayReadMetrics]

    def get(self, request: Request) -> HttpResponse:
        requests, database = own_registry, CollectorRegistry()
        if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
            requests = CollectorRegistry()
            requests.register(FromFiles())
        database.register(FromDatabase())
        return HttpResponse(text_of(requests) + text_of(database), content_type=CONTENT_TYPE_PLAIN_0_0_4)
