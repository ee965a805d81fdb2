"""One comment on each of many incidents that were chosen in the list."""

from datetime import timedelta
from typing import Any

from django.contrib import messages
from django.contrib.admin import ModelAdmin
from django.core import signing
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.utils.translation import gettext as _

from desk import drafts
from desk.incident_forms import SharedCommentForm
from desk.incident_page import explain, once
from desk.set_status import name, next_page, read_chosen
from incidents.actors import Named
from incidents.exceptions import IdempotencyKeyInUse, IdempotencyKeyReused
from incidents.models import Channel, Incident
from incidents.services import add_comments

SALT = "desk.shared_comment"
MAX_AGE = timedelta(days=1)


def ask(model_admin: ModelAdmin, request: HttpRequest, chosen: QuerySet[Incident]) -> TemplateResponse | None:
    """Asks for the words, as an action of the list: its page has the incidents, signed."""
    if (read := read_chosen(request, chosen)) is None:
        return None
    incidents, notes = read
    if not incidents:
        messages.warning(request, " ".join([_("Nothing was changed."), *notes]))
        return None
    return _page(model_admin, request, SharedCommentForm(), incidents, request.get_full_path(), notes)


def comments_view(model_admin: ModelAdmin, request: HttpRequest) -> HttpResponse:
    """Writes the comment on all of the signed incidents, or on none where anything fails."""
    if not model_admin.has_change_permission(request):
        raise PermissionDenied
    draft = drafts.take(request)
    page = next_page(request, draft)
    try:
        pks: list[int] = signing.loads((draft or request.POST).get("chosen", ""), salt=SALT, max_age=MAX_AGE)
    except signing.BadSignature:
        messages.error(request, _("This page is too old: nothing was changed."))
        return HttpResponseRedirect(page)
    if draft:
        messages.warning(request, drafts.NOT_SAVED)
        form = SharedCommentForm(initial=draft.dict())
    else:
        form = SharedCommentForm(request.POST)
        if form.is_valid():
            try:
                _record_once(request, pks, form.cleaned_data)
            except (IdempotencyKeyReused, IdempotencyKeyInUse) as exc:
                form = SharedCommentForm(initial=explain(request, exc))
            else:
                messages.success(request, _("The comment was added to %s.") % name(pks))
                return HttpResponseRedirect(page)
    incidents = list(Incident.objects.filter(pk__in=pks).order_by("pk"))
    return _page(model_admin, request, form, incidents, page)


def _record_once(request: HttpRequest, pks: list[int], values: dict[str, Any]) -> None:
    """Raises what `create_or_replay` raises, or Http404 where all were archived meanwhile."""
    actor = Named(request.user.get_username())

    def create() -> Incident:
        with transaction.atomic():
            incidents = list(Incident.objects.filter(pk__in=pks).order_by("pk").select_for_update(no_key=True))
            if not incidents:
                raise Http404
            written = (incident.pk for incident in incidents)
            add_comments(written, values["text"], actor=actor, channel=Channel.ADMIN)
        return incidents[0]

    once(request, values["once"], {"incidents": pks, "comment": values["text"]}, create)


def _page(
    model_admin: ModelAdmin,
    request: HttpRequest,
    form: SharedCommentForm,
    incidents: list[Incident],
    page: str,
    notes: list[str] | None = None,
) -> TemplateResponse:
    context = {
        **model_admin.admin_site.each_context(request),
        "title": _("One comment for all"),
        "opts": model_admin.opts,
        "form": form,
        "incidents": incidents,
        "notes": notes,
        "chosen": signing.dumps([incident.pk for incident in incidents], salt=SALT, compress=True),
        "next": page,
    }
    return TemplateResponse(request, "admin/incidents/incident/shared_comment.html", context)
