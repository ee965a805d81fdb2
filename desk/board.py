"""The admin's first page: what is open now, the numbers of the last weeks, and what has failed."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from functools import partial
from itertools import count
from secrets import token_hex
from typing import Any

from django.contrib.admin import AdminSite, ModelAdmin
from django.core.cache import cache
from django.db.models import Max, Model
from django.http import HttpRequest
from django.middleware.csrf import get_token
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import timezone
from django.utils.http import urlencode
from django.utils.timesince import timesince
from django.utils.translation import get_language

from core.db import replica
from desk import buttons, registry
from incidents import reports
from incidents.history import names_of_takers
from incidents.models import UNRESOLVED, Incident, IncidentChange, Source, Status

MAX_ROWS = 15  # of a status
DAYS = 30
MAX_COUNTED = 1_000  # failures of a kind
# Less than the period of board.js, so that no window goes back to what is older than the page that it opened with
SHARED_SECONDS = 20
TOKEN = token_hex(16)  # in place of the CSRF token of each user
# In the chart's own units
BAR_STEP, CHART_HEIGHT = 12, 96
CHART_BOX = f"-34 -8 {DAYS * BAR_STEP + 46} {CHART_HEIGHT + 28}"  # with room for the numbers and the dates
MAX_TICKS = 3


@dataclass(frozen=True)
class Number:
    """A number of rows, and the address of the list of them."""

    n: int
    url: str
    label: str = ""
    more: bool = False  # than n


@dataclass(frozen=True)
class Bar:
    """What was created and resolved on a day in UTC, and where the chart shows it."""

    day: date
    created: Number
    resolved: Number
    x: int
    created_height: int
    resolved_height: int


@dataclass(frozen=True)
class Chart:
    bars: list[Bar]
    ticks: list[tuple[int, int]]  # a round number, and how far from the top its line is
    box: str = CHART_BOX
    width: int = DAYS * BAR_STEP
    height: int = CHART_HEIGHT
    step: int = BAR_STEP


def content(request: HttpRequest, site: AdminSite) -> str:
    """
    Returns admin/board_content.html as of the last SHARED_SECONDS: windows that show the same share it.

    The page that a person opens is not shared, so that it shows what the person has just done.
    """
    models: list[type[Model]] = [Incident, *(failures.model for failures in registry.failures)]
    permissions = [
        *(site.get_model_admin(model).has_view_permission(request) for model in models),
        site.get_model_admin(Incident).has_change_permission(request),
    ]
    seen = "".join("01"[allowed] for allowed in permissions)
    key = f"board:{get_language()}:{timezone.get_current_timezone_name()}:{seen}"
    html = cache.get(key)
    if html is None:
        shared = {**context(request, site), "csrf_token": TOKEN}
        html = render_to_string("admin/board_content.html", shared, request)
        cache.set(key, html, SHARED_SECONDS)
    return html.replace(TOKEN, get_token(request))


def context(request: HttpRequest, site: AdminSite) -> dict[str, Any]:
    """Returns what admin/board_content.html shows, without incidents to a user who may not view them."""
    return replica.read(partial(_context, request, site))


def _context(request: HttpRequest, site: AdminSite) -> dict[str, Any]:
    faults = [number for number in _failures(request, site) if number.n]
    board: dict[str, Any] = {"now": timezone.now(), "faults": faults}
    incidents = site.get_model_admin(Incident)
    if not incidents.has_view_permission(request):
        return board
    oldest = {status: reports.oldest(status, MAX_ROWS) for status in UNRESOLVED}
    rows = {status: _urgent_first(status, found) for status, found in oldest.items()}
    takers = names_of_takers(rows[Status.IN_PROGRESS])
    counts = reports.counts_by_status_and_source()
    created, resolved, weeks = _last_days(counts)
    return board | {
        "incidents": {
            status: [(incident, takers.get(incident.pk, ""), buttons.in_row(status)) for incident in found]
            for status, found in rows.items()
        },
        "oldest_taken": oldest[Status.IN_PROGRESS][:1],
        "may_change": incidents.has_change_permission(request),
        "counts": [(status, _numbers(counts, status)) for status in Status] if any(counts.values()) else [],
        "all_url": _oldest_first(request, incidents, UNRESOLVED),
        "unresolved": [
            replace(_numbers(counts, status)[0], url=_oldest_first(request, incidents, [status]))
            for status in UNRESOLVED
        ],
        "sources": Source.labels,
        "chart": _chart(created, resolved) if any([*created.values(), *resolved.values()]) else None,
        "medians": [week.median and timesince(week.until - week.median, week.until) for week in weeks],
        "created": [Number(week.created, _created(week.since, week.until)) for week in weeks],
        "resolved": [Number(week.resolved, _resolved(week.since, week.until)) for week in weeks],
    }


def _last_days(
    counts: dict[tuple[str, str], int],
) -> tuple[dict[date, int], dict[date, int], tuple[reports.Period, ...]]:
    """
    Returns what was created and resolved on each of the last days, and the last weeks.

    Where there are many incidents this takes most of a page's time: pages share it for SHARED_SECONDS, until the
    history has a new entry. One with a smaller id, which was committed later, changes the counts by status.
    """
    newest = IncidentChange.objects.aggregate(newest=Max("pk"))["newest"]
    known, found = cache.get("board:last_days", (None, None))
    if known != (newest, counts):
        found = reports.created_per_day(DAYS), reports.resolved_per_day(DAYS), reports.last_weeks()
        cache.set("board:last_days", ((newest, counts), found), SHARED_SECONDS)
    return found


def _urgent_first(status: Status, oldest: list[Incident]) -> list[Incident]:
    urgent = reports.oldest(status, MAX_ROWS, urgent_only=True)
    return [*urgent, *(incident for incident in oldest if not incident.urgent)][:MAX_ROWS]


def _oldest_first(request: HttpRequest, incidents: ModelAdmin, statuses: Iterable[Status]) -> str:
    """Returns the address of the list of all incidents of the statuses, in the board's order."""
    column = list(incidents.get_list_display(request)).index("created") + 1
    return _url(Incident, status__in=",".join(statuses), o=column)


def _numbers(counts: dict[tuple[str, str], int], status: Status) -> list[Number]:
    """Returns the numbers of the status: of all, then by source."""
    by_source = [
        Number(counts[status, source], _url(Incident, status__exact=status, source__exact=source), str(source.label))
        for source in Source
    ]
    return [
        Number(sum(each.n for each in by_source), _url(Incident, status__exact=status), str(status.label)),
        *by_source,
    ]


def _chart(created: dict[date, int], resolved: dict[date, int]) -> Chart:
    most = max(1, *created.values(), *resolved.values())
    step = next(
        step for power in count() for step in (10**power, 2 * 10**power, 5 * 10**power) if step * MAX_TICKS >= most
    )
    top = -(-most // step) * step

    def height(n: int) -> int:
        return round(CHART_HEIGHT * n / top)

    bars = []
    for number, day in enumerate(created):
        midnight = datetime.combine(day, time.min, UTC)
        period = midnight, midnight + timedelta(days=1)
        new, done = Number(created[day], _created(*period)), Number(resolved[day], _resolved(*period))
        bars.append(Bar(day, new, done, number * BAR_STEP, height(new.n), height(done.n)))
    return Chart(bars, [(n, CHART_HEIGHT - height(n)) for n in range(0, top + 1, step)])


def _failures(request: HttpRequest, site: AdminSite) -> Iterator[Number]:
    """Counts what waits for a person, of the models that the user may view."""
    for label, model, condition, filters in registry.failures:
        if site.get_model_admin(model).has_view_permission(request):
            counted = model._default_manager.filter(condition)[: MAX_COUNTED + 1].count()
            yield Number(min(counted, MAX_COUNTED), _url(model, **filters), str(label), counted > MAX_COUNTED)


def _created(since: datetime, until: datetime) -> str:
    return _url(Incident, created_at__gte=since.isoformat(), created_at__lt=until.isoformat())


def _resolved(since: datetime, until: datetime) -> str:
    return _url(Incident, resolved_from=since.isoformat(), resolved_to=until.isoformat())


def _url(model: type[Model], **filters: Any) -> str:
    url = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")
    return f"{url}?{urlencode(filters)}"
