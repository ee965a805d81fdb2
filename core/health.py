"""Liveness and readiness checks for load balancers, without a token and for any Host header."""

from collections.abc import Callable
from contextlib import suppress
from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.http import require_safe

from core.api.exceptions import ServiceUnavailable
from core.db.migrations import is_migration_missing
from core.db.postgresql import DOWN
from core.db.time_limit import deadline
from core.db.vendor import database
from core.jobs import late

# Together with the cancelling of a statement less than the three seconds in which load balancers expect an answer
READY_SECONDS = 1.3

type Detail = Callable[[], dict[str, Any] | None]
details: dict[str, Detail] = {}


def register(name: str, detail: Detail) -> None:
    """Called by AppConfig.ready(). What `detail` returns, unless None, is shown by ready/ and never makes it 503."""
    details[name] = detail


class HealthMiddleware:
    """Responds to health checks before any other middleware looks at the Host header, the session or the scheme."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        match request.path_info.rstrip("/"):
            case "/api/health/live":
                return live(request)
            case "/api/health" | "/api/health/ready":
                return ready(request)
        return self.get_response(request)


@require_safe
def live(request: HttpRequest) -> HttpResponse:
    return JsonResponse({"status": "ok"})


@require_safe
def ready(request: HttpRequest) -> HttpResponse:
    """
    Responds with 200 if every check is "ok", otherwise with 503.

    Late jobs and details are shown, but do not make it 503: taking this web server out of service would not help.
    """
    checks = {"database": "unavailable", "migrations": "unknown"}
    body: dict[str, Any] = {"status": "unavailable", "checks": checks, "late_jobs": [], "details": {}}
    with suppress(*DOWN), deadline(READY_SECONDS):
        state = _database()
        if state == "ok":
            checks["migrations"] = _migrations()
        if checks["migrations"] == "ok":
            shown = {name: detail() for name, detail in details.items()}
            body |= {"late_jobs": late(), "details": {name: what for name, what in shown.items() if what is not None}}
        checks["database"] = state
    good = set(checks.values()) == {"ok"}
    if good:
        body["status"] = "ok"
    response = JsonResponse(body, status=200 if good else 503)
    if not good:
        response["Retry-After"] = str(ServiceUnavailable.wait)
    return response


def _database() -> str:
    return "read_only" if database.is_read_only() else "ok"


def _migrations() -> str:
    return "missing" if is_migration_missing() else "ok"
