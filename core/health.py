"""Is the process alive, is the service ready. Asked by balancers: no token, any Host header."""

from collections.abc import Callable
from time import monotonic

from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, HttpResponse, JsonResponse

from core.errors import is_database_down


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
    started = monotonic()
    for _ in range(2):
        try:
            with connection.cursor() as cursor:
                cursor.execute("SELECT 1")
        except DatabaseError as exc:
            if not is_database_down(exc):
                raise
            # A kept connection that died with a restarted server says so at once: a new one tells
            # more. One that ran into its time-out has used up the 3 seconds an answer may take.
            connection.close()
            if monotonic() - started > 0.5:
                break
        else:
            return "ok"
    return "unavailable"


def _migrations() -> str:
    executor = MigrationExecutor(connection)
    return "missing" if executor.migration_plan(executor.loader.graph.leaf_nodes()) else "ok"
