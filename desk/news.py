"""
What was recorded lately, for windows to compare with what they showed when they were opened.

A window keeps the ids that it knows and not the largest of them: transactions end out of order, so that a smaller id
may appear behind a larger one.
"""

from typing import Any, NamedTuple

from django.contrib.admin import AdminSite
from django.core.cache import cache
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, JsonResponse

from desk.change_list import number_in
from identity.models import User
from incidents.history import name_authors
from incidents.models import Incident, IncidentChange

SHARED_SECONDS = 5
NEWEST = 50  # of incidents, and of entries of the history


class News(NamedTuple):
    readers: set[int]  # users who may view incidents: the permissions of each would cost more than all the rest
    incidents: list[int]  # the latest first
    entries: list[tuple[int, int, str, str]]  # its id and its incident's, the author, when


def newest_incidents() -> list[int]:
    return list(Incident.objects.order_by("-pk").values_list("pk", flat=True)[:NEWEST])


def newest_entries() -> list[int]:
    return list(IncidentChange.objects.order_by("-pk").values_list("pk", flat=True)[:NEWEST])


def known(request: HttpRequest, site: AdminSite) -> dict[str, Any]:
    """Returns what a page knows that is about to read what it shows; nothing for who may not view incidents."""
    if not site.get_model_admin(Incident).has_view_or_change_permission(request):
        return {}
    incidents = newest_incidents()
    return {"incidents": incidents, "floor": incidents[-1] if len(incidents) == NEWEST else 0}


def respond(request: HttpRequest) -> JsonResponse:
    """
    Sends the newest incidents, and the newest entries of the history of those in `incident`: `2985` or `2985,2986`.

    A log-in that has ended is refused at once, a permission that was withdrawn after SHARED_SECONDS.
    """
    news: Any = cache.get_or_set("news", _read, SHARED_SECONDS)
    if request.user.pk not in news.readers:
        raise PermissionDenied
    shown = {number_in(number) for number in request.GET.get("incident", "").split(",")}
    entries = [(pk, author, at) for pk, incident, author, at in news.entries if incident in shown]
    return JsonResponse({"incidents": news.incidents, "entries": entries})


def _read() -> News:
    entries = list(IncidentChange.objects.order_by("-pk").defer("changes")[:NEWEST])
    name_authors(entries, takers=False)  # whose names are in `changes`, which may be long
    readers = {
        pk
        for permission in ("incidents.view_incident", "incidents.change_incident")
        for pk in User.objects.with_perm(permission).values_list("pk", flat=True)
    }
    return News(
        readers,
        newest_incidents(),
        [(entry.pk, entry.incident_id, entry.author, entry.at.isoformat()) for entry in entries],
    )
