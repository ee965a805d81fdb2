"""Is the process alive, is the service ready. Asked by balancers: no token, any Host header."""

from collections.abc import Callable

from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, HttpResponse, JsonResponse

from core.db.postgresql import DOWN


class HealthMiddleware:
    """Answers before anything looks at the Host header, a session or a redirect."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        match request.path_info.rstrip("/"):
            case "/api/health/live":
                return JsonResponse({"status": "ok"})
            case "/api/health" | "/api/health/ready":
                return ready()
        return self.get_response(request)


def ready() -> HttpResponse:
    """200 with every check "ok", or 503."""
    checks = {"database": _database(), "migrations": "unknown"}
    if checks["database"] == "ok":
        checks["migrations"] = _migrations()
    good = set(checks.values()) == {"ok"}
    return JsonResponse({"status": "ok" if good else "unavailable", "checks": checks}, status=200 if good else 503)


def _database() -> str:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except DOWN:
        return "unavailable"
    return "ok"


def _migrations() -> str:
    executor = MigrationExecutor(connection)
    return "missing" if executor.migration_plan(executor.loader.graph.leaf_nodes()) else "ok"
