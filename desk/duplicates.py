"""Presses that link an incident to its main one, and that give duplicates the status of theirs."""

from django.contrib import messages
from django.contrib.admin import ModelAdmin
from django.core.exceptions import BadRequest, PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.translation import gettext as _

from desk.change_list import number_in
from desk.incident_page import of_incident
from desk.set_status import Move, describe_kept, move, moves_of_duplicates, next_page
from incidents.models import UNRESOLVED, Incident, Status


@of_incident
def duplicate_view(model_admin: ModelAdmin, request: HttpRequest, incident: Incident) -> HttpResponse:
    """Closes the incident as a duplicate of the one whose number was typed or pressed."""
    if not model_admin.has_change_permission(request):
        raise PermissionDenied
    shown = request.POST.get("shown")
    if shown not in Status.values:
        raise BadRequest("shown must be a status")
    number = number_in(request.POST.get("main") or request.POST.get("number", ""))
    main = Incident.objects.filter(pk=number).first() if number else None
    if main is None:
        messages.error(request, _("There is no incident with this number."))
    elif incident.status == Status.CLOSED == shown:
        messages.error(request, _("%s is closed already: reopen it to make it a duplicate.") % incident)
    elif main.status == Status.CLOSED and main != incident and not main.duplicate_of_id:
        text = _("%s is closed: if the problem is back, reopen that one first. Nothing was changed.")
        messages.error(request, text % main)
    else:
        move(request, [Move(incident.pk, shown, Status.CLOSED, duplicate_of=main.pk)], next_page(request))
    return HttpResponseRedirect(next_page(request))


@of_incident
def follow_view(model_admin: ModelAdmin, request: HttpRequest, incident: Incident) -> HttpResponse:
    """Gives the incident's duplicates its status, where that is resolved or closed."""
    if not model_admin.has_change_permission(request):
        raise PermissionDenied
    status = request.POST.get("status")
    if status not in Status.values or status in UNRESOLVED:
        raise BadRequest("status must be resolved or closed")
    if incident.status != status:
        messages.warning(request, describe_kept(incident))
    elif moves := moves_of_duplicates([incident.pk], Status(status)):
        move(request, moves, next_page(request))
    else:
        messages.warning(request, _("Nothing was changed."))
    return HttpResponseRedirect(next_page(request))
