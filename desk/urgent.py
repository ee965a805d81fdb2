"""The urgent mark of an incident, set and taken away by one press."""

from django.contrib import messages
from django.contrib.admin import ModelAdmin
from django.core.exceptions import BadRequest, PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.translation import gettext as _

from desk.incident_page import of_incident
from desk.set_status import next_page
from incidents.actors import Named
from incidents.models import Channel, Incident
from incidents.services import change_incident


@of_incident
def urgent_view(model_admin: ModelAdmin, request: HttpRequest, incident: Incident) -> HttpResponse:
    """Takes one press: the button that takes the place of the pressed one undoes it."""
    wanted = request.POST.get("urgent")
    if wanted not in ("true", "false"):
        raise BadRequest("urgent must be true or false")
    if not model_admin.has_change_permission(request):
        raise PermissionDenied
    actor = Named(request.user.get_username())
    change_incident(incident, values={"urgent": wanted == "true"}, actor=actor, channel=Channel.ADMIN)
    text = _("%s is urgent now.") if incident.urgent else _("%s is no longer urgent.")
    messages.success(request, text % incident)
    return HttpResponseRedirect(next_page(request))
