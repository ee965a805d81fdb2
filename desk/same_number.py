"""The unresolved incidents that name a number of a new report, so that it can become a comment on one of them."""

from django.contrib.admin import ModelAdmin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from incidents.models import UNRESOLVED, Incident
from incidents.numbers import name_one_of, numbers_in

MAX_SHOWN = 5


def same_number(model_admin: ModelAdmin, request: HttpRequest, text: str) -> list[Incident]:
    """Returns the newest, with the beginning of their description as `excerpt`; none to who may not view them."""
    numbers = numbers_in(text)
    if not numbers or not model_admin.has_view_or_change_permission(request):
        return []
    found = Incident.objects.filter(name_one_of(numbers), status__in=UNRESOLVED).newest_first()
    return list(found.with_excerpts()[:MAX_SHOWN])


def same_number_view(model_admin: ModelAdmin, request: HttpRequest) -> HttpResponse:
    """Shows them for the form of a new incident: `text` is what was typed, or its numbers alone."""
    if not model_admin.has_view_or_change_permission(request):
        raise PermissionDenied
    context = {
        "same": same_number(model_admin, request, request.GET.get("text", "")),
        "has_change_permission": model_admin.has_change_permission(request),
    }
    return render(request, "admin/incidents/incident/same_number.html", context)
