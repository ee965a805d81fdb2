from django.contrib import messages
from django.contrib.admin import ModelAdmin
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest
from django.template.response import TemplateResponse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from incidents.actors import Named
from incidents.admin.change_list import MOST_AT_ONCE
from incidents.models import Channel, Incident, Status
from incidents.services import change_incident


def set_status(
    model_admin: ModelAdmin, request: HttpRequest, chosen: QuerySet[Incident], *, action: str, status: Status
) -> TemplateResponse | None:
    """An admin action that asks first, then changes all the chosen incidents, or none where anything fails."""
    confirmed = "confirmed" in request.POST
    with transaction.atomic():
        incidents = list(chosen.order_by("pk").select_for_update()[: MOST_AT_ONCE + 1])
        if len(incidents) > MOST_AT_ONCE:
            message = _("At most %d incidents can be changed at once: choose fewer. Nothing was changed.")
            model_admin.message_user(request, message % MOST_AT_ONCE, messages.ERROR)
            return None
        changing = [incident for incident in incidents if incident.status != status]
        unchanged = len(incidents) - len(changing)
        if changing and not confirmed:
            context = {
                **model_admin.admin_site.each_context(request),
                "title": _("Are you sure?"),
                "opts": model_admin.opts,
                "action": action,
                "incidents": incidents,
                "changing": len(changing),
                "unchanged": unchanged,
                "status": status.label,
            }
            return TemplateResponse(request, "admin/incidents/incident/set_status.html", context)
        for incident in changing:
            actor = Named(request.user.get_username())
            change_incident(incident, values={"status": status}, actor=actor, channel=Channel.ADMIN)
    report = [ngettext("%d incident was changed.", "%d incidents were changed.", len(changing)) % len(changing)]
    if unchanged:
        report.append(ngettext("%d had that status already.", "%d had that status already.", unchanged) % unchanged)
    # A concurrent change may have moved an incident out of the filtered list.
    gone = len(set(request.POST.getlist(ACTION_CHECKBOX_NAME))) - len(incidents) if confirmed else 0
    if gone:
        report.append(ngettext("%d is no longer in this list.", "%d are no longer in this list.", gone) % gone)
    model_admin.message_user(request, " ".join(report), messages.SUCCESS if changing else messages.WARNING)
    return None
