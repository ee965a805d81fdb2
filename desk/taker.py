"""Who has an incident: it is taken over, or handed over, by one press; told, and undone by one press."""

from django.contrib import messages
from django.contrib.admin import ModelAdmin
from django.core.exceptions import BadRequest, PermissionDenied
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.translation import gettext as _

from desk.incident_page import of_incident
from desk.people import people
from desk.set_status import Move, describe_kept, describe_taken, next_page, tell
from incidents.actors import Named
from incidents.history import last_status_changes
from incidents.models import UNRESOLVED, Channel, Incident, Status
from incidents.services import change_incident


@of_incident
def taker_view(model_admin: ModelAdmin, request: HttpRequest, incident: Incident) -> HttpResponse:
    """
    Gives the incident, in progress, to `taker` of a button or else to `person` of the menu.

    Nothing changes unless `shown` and `shown_taker` are still its status and who has it.
    """
    if not model_admin.has_change_permission(request):
        raise PermissionDenied
    shown, shown_taker = request.POST.get("shown"), request.POST.get("shown_taker")
    if shown not in UNRESOLVED or shown_taker is None:
        raise BadRequest("shown must be a status that is not resolved, shown_taker a name")
    page = next_page(request)
    wanted = request.POST.get("taker") or request.POST.get("person", "")
    taker = None if "\0" in wanted else people().filter(username=wanted).first()
    if taker is None:
        messages.warning(request, _("This person cannot have incidents: nothing was changed."))
        return HttpResponseRedirect(page)
    username = taker.get_username()
    with transaction.atomic():
        row = Incident.objects.select_for_update().filter(pk=incident.pk).first()
        if row is None:  # archived meanwhile
            raise Http404
        is_as_shown = (row.status, row.taken_by) == (shown, shown_taker)
        if is_as_shown:
            values = {"status": Status.IN_PROGRESS, "taken_by": username}
            change_incident(row, values=values, actor=Named(request.user.get_username()), channel=Channel.ADMIN)
        last = last_status_changes([row.pk])
    if not is_as_shown:
        messages.warning(request, describe_kept(row))
    elif shown_taker == username:
        messages.warning(request, _("Nothing was changed."))
    else:
        undo = Move(row.pk, Status.IN_PROGRESS, shown, last[row.pk], shown_taker)
        tell(request, describe_taken(row.pk, username), [undo], page)
    return HttpResponseRedirect(page)
