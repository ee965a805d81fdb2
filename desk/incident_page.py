"""The pages of an incident: a new one; its form, time line and comments; its history."""

from collections.abc import Callable
from copy import copy
from functools import wraps
from typing import Any
from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.contrib.admin import ModelAdmin
from django.contrib.admin.helpers import AdminForm
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.text import capfirst
from django.utils.translation import gettext_lazy as _

from core.api.exceptions import PreconditionFailed, ServiceUnavailable
from core.api.preconditions import Preconditions
from desk import buttons, drafts, news, people, registry
from desk.files import Upload, rows_of
from desk.incident_forms import AddForm, ChangeForm, CommentForm, IncidentForm, ReasonForm, display, too_many_files
from desk.related import related_to
from desk.same_number import same_number
from incidents.actors import Named
from incidents.exceptions import IdempotencyKeyInUse, IdempotencyKeyReused, TooManyFilesError
from incidents.history import name_authors, names_of_takers
from incidents.idempotency import StoredResponse, create_or_replay
from incidents.models import UNRESOLVED, Channel, Incident, Source, Status
from incidents.services import MAX_ATTEMPTS, WRITABLE, add_comment, change_incident, create_incident

ENTRIES_SHOWN = 100
ENTRIES_A_PAGE = 100  # of the whole history

type IncidentView = Callable[[ModelAdmin, HttpRequest, Incident], HttpResponse]


def of_incident(view: IncidentView) -> Callable[[ModelAdmin, HttpRequest, int | str], HttpResponse]:
    """Gives the view the incident of a number; an unknown number leads to the board, which says so."""

    @wraps(view)
    def inner(model_admin: ModelAdmin, request: HttpRequest, pk: int | str) -> HttpResponse:
        if not model_admin.has_view_or_change_permission(request):
            raise PermissionDenied
        incident = model_admin.get_object(request, str(pk))
        if incident is None:
            messages.warning(request, _("There is no incident with this number."))
            return HttpResponseRedirect(reverse("admin:index"))
        return view(model_admin, request, incident)

    return inner


def add_view(model_admin: ModelAdmin, request: HttpRequest) -> HttpResponse:
    if not model_admin.has_add_permission(request):
        raise PermissionDenied
    unsaved = False
    if request.method == "POST":
        form = AddForm(request.POST)
        if "_look" in request.POST:
            form, unsaved = AddForm(initial=request.POST.dict()), True
        elif form.is_valid():
            try:
                page = _record(model_admin, request, form)
            except (IdempotencyKeyReused, IdempotencyKeyInUse) as exc:
                form, unsaved = AddForm(initial=explain(request, exc)), True
            else:
                return HttpResponseRedirect(page)
    else:
        draft = drafts.take(request)
        initial = {"source": Source.OPERATOR} | request.GET.dict()
        form = AddForm(draft, initial=initial, is_draft=draft is not None)
    same = same_number(model_admin, request, form["description"].value() or "")
    return _render(model_admin, request, form, title=_("New incident"), add=True, unsaved=unsaved, same=same)


@of_incident
def change_view(model_admin: ModelAdmin, request: HttpRequest, incident: Incident) -> HttpResponse:
    if request.method != "POST":
        draft = drafts.take(request)
        form = ChangeForm(draft, instance=copy(incident), is_draft=draft is not None)
        return _render_incident(model_admin, request, incident, form)
    if not model_admin.has_change_permission(request, incident):
        raise PermissionDenied
    for _attempt in range(MAX_ATTEMPTS):
        form = ChangeForm(request.POST, instance=copy(incident))  # which an invalid form alters
        if not form.is_valid():
            return _render_incident(model_admin, request, incident, form)
        try:
            _save(request, incident, form)
        except PreconditionFailed:  # changed between the form's comparison and the write: compare anew
            incident.refresh_from_db()
        else:
            return HttpResponseRedirect(request.get_full_path())
    raise ServiceUnavailable


@of_incident
def comment_view(model_admin: ModelAdmin, request: HttpRequest, incident: Incident) -> HttpResponse:
    if not model_admin.has_change_permission(request):
        raise PermissionDenied
    if draft := drafts.take(request):
        messages.warning(request, drafts.NOT_SAVED)
        messages.warning(request, _("Files are not kept: if you chose some, choose them again."))
        form = CommentForm(initial=draft.dict())
        return _render_incident(model_admin, request, incident, comment_form=form)
    if request.method == "POST":
        already = incident.attachments.count() if request.FILES else 0
        form = CommentForm(request.POST, request.FILES, already=already)
        if form.is_valid():
            try:
                recorded = _comment_once(request, incident, form)
            except (IdempotencyKeyReused, IdempotencyKeyInUse) as exc:
                form = CommentForm(initial=explain(request, exc))
                return _render_incident(model_admin, request, incident, comment_form=form)
            except TooManyFilesError:
                form.add_error("file", too_many_files())
            else:
                if not recorded:
                    form.add_error("file", _("The files could not be stored: nothing was recorded. Try again later."))
        if not form.is_valid():
            return _render_incident(model_admin, request, incident, comment_form=form)
    # Also where the address of a refused comment is opened anew
    url = reverse("admin:incidents_incident_change", args=[incident.pk], query=request.GET)
    return HttpResponseRedirect(url)


@of_incident
def history_view(model_admin: ModelAdmin, request: HttpRequest, incident: Incident) -> HttpResponse:
    """Shows the incident's own history: changes of every channel, not only those of the admin."""
    paginator = Paginator(incident.changes.order_by("-id"), ENTRIES_A_PAGE)
    page = paginator.get_page(request.GET.get("p"))
    page.object_list = list(page.object_list)
    name_authors(page.object_list)
    context = {
        **model_admin.admin_site.each_context(request),
        "title": _("Change history: %s") % incident,
        "module_name": capfirst(model_admin.opts.verbose_name_plural),
        "object": incident,
        "opts": model_admin.opts,
        "action_list": page,
        "page_range": paginator.get_elided_page_range(page.number),
    }
    return TemplateResponse(request, "admin/incidents/incident/object_history.html", context)


def _render_incident(
    model_admin: ModelAdmin,
    request: HttpRequest,
    incident: Incident,
    form: ChangeForm | None = None,
    comment_form: CommentForm | None = None,
) -> HttpResponse:
    form = form or ChangeForm(instance=incident)
    form.is_valid()  # a draft has not been compared yet, and the authors of conflicts are named here
    known = news.known(request, model_admin.admin_site)
    may_hand_over = incident.status in UNRESOLVED and model_admin.has_change_permission(request)
    entries = list(incident.changes.order_by("-id")[: ENTRIES_SHOWN + 1])
    name_authors([*entries, *(conflict.entry for conflict in form.conflicts.values() if conflict.entry)])
    return _render(
        model_admin,
        request,
        form,
        title=str(incident),
        original=incident,
        comment_form=comment_form or CommentForm(),
        taken_by=names_of_takers([incident]).get(incident.pk),
        rows=rows_of(entries[:ENTRIES_SHOWN]),
        more_entries=len(entries) > ENTRIES_SHOWN,
        news=known and {**known, "entries": [entry.pk for entry in entries]},
        origins=[origin for origins_of in registry.origins for origin in origins_of(request, incident)],
        buttons=buttons.on_page(incident.status),
        reason_form=ReasonForm() if incident.status != Status.CLOSED else None,
        related=related_to(incident),
        people=people.choices() if may_hand_over else None,
        max_bytes=settings.ATTACHMENT_MAX_BYTES,
    )


def _render(model_admin: ModelAdmin, request: HttpRequest, form: IncidentForm, **context: Any) -> HttpResponse:
    context = {
        **model_admin.admin_site.each_context(request),
        "opts": model_admin.opts,
        "preserved_filters": model_admin.get_preserved_filters(request),
        "has_change_permission": model_admin.has_change_permission(request),
        "adminform": AdminForm(form, [(None, {"fields": list(WRITABLE)})], {}),
        "errors": form.errors,
        **context,
    }
    return TemplateResponse(request, "admin/incidents/incident/change_form.html", context)


def _save(request: HttpRequest, incident: Incident, form: ChangeForm) -> None:
    """Raises PreconditionFailed where the incident is no longer as it was read."""
    change_incident(
        incident,
        values=form.cleaned_data,
        actor=_actor(request),
        channel=Channel.ADMIN,
        preconditions=Preconditions(if_match=incident.etag),
    )
    messages.success(request, _("Saved.") if form.cleaned_data else _("Nothing was changed."))
    if others := [name for name in form.changed_by_others if name not in form.cleaned_data]:
        now = "; ".join(f"{form.fields[name].label}: {display(name, getattr(incident, name))}" for name in others)
        messages.warning(request, _("Others changed this in the meantime, and it stays. %s.") % now)


def _record(model_admin: ModelAdmin, request: HttpRequest, form: AddForm) -> str:
    """
    Records the incident, or instead of it a comment on another; returns the page to show.

    Raises what `create_or_replay` raises.
    """
    if "instead" in request.POST:
        return _comment_instead(model_admin, request, form)
    pk = _create_once(request, form)
    messages.success(request, _("Incident %s is recorded.") % Incident(pk=pk))
    return _page_after_adding(model_admin, request, pk)


def _comment_instead(model_admin: ModelAdmin, request: HttpRequest, form: AddForm) -> str:
    if not model_admin.has_change_permission(request):
        raise PermissionDenied
    incident = model_admin.get_object(request, request.POST["instead"])
    if incident is None:
        raise Http404
    text, urgent = form.cleaned_data["description"], form.cleaned_data["urgent"]

    def create() -> Incident:
        with transaction.atomic():
            add_comment(incident_id=incident.pk, text=text, actor=_actor(request), channel=Channel.ADMIN)
            if urgent:
                change_incident(incident, values={"urgent": True}, actor=_actor(request), channel=Channel.ADMIN)
        return incident

    sent = {"incident": incident.pk, "comment": text} | ({"urgent": True} if urgent else {})
    once(request, form.cleaned_data["once"], sent, create)
    messages.success(request, _("What you typed is a comment on %s now.") % incident)
    if incident.status not in UNRESOLVED:
        messages.warning(request, _("%s is no longer open: reopen it if the trouble goes on.") % incident)
    return reverse("admin:incidents_incident_change", args=[incident.pk])


def _create_once(request: HttpRequest, form: AddForm) -> int:
    """Returns the incident's id. Raises what `create_or_replay` raises."""
    values: dict[str, Any] = {name: form.cleaned_data[name] for name in WRITABLE}
    if form.cleaned_data["urgent"]:
        values["urgent"] = True

    def create() -> Incident:
        return create_incident(**values, actor=_actor(request), channel=Channel.ADMIN)

    return once(request, form.cleaned_data["once"], {"add": values}, create)


def _comment_once(request: HttpRequest, incident: Incident, form: CommentForm) -> bool:
    """Returns False if the storage did not take the files. Raises what `create_or_replay` raises."""
    text, upload = form.cleaned_data["text"], Upload(form.cleaned_data["file"])
    sent: dict[str, Any] = {"incident": incident.pk, "comment": text}
    if upload.files:
        sent["files"] = upload.digests()
        if not upload.save():
            return False

    def create() -> Incident:
        with transaction.atomic():
            if text:
                add_comment(incident_id=incident.pk, text=text, actor=_actor(request), channel=Channel.ADMIN)
            upload.name(incident, _actor(request))
        return incident

    try:
        once(request, form.cleaned_data["once"], sent, create)
    except (IdempotencyKeyReused, IdempotencyKeyInUse, TooManyFilesError):
        upload.discard()
        raise
    if not upload.is_named:  # recorded before
        upload.discard()
    return True


def once(request: HttpRequest, key: UUID | None, sent: Any, create: Callable[[], Incident]) -> int:
    """Returns the id of the incident that `create` returns, or returned before. Raises as `create_or_replay`."""
    if key is None:
        return create().pk

    def respond() -> StoredResponse:
        incident = create()
        return StoredResponse(incident.pk, incident.created_at, b"")

    user_id: Any = request.user.pk
    return create_or_replay(user_id=user_id, key=str(key), request=sent, create=respond).incident_id


def explain(request: HttpRequest, exc: IdempotencyKeyReused | IdempotencyKeyInUse) -> dict[str, str]:
    """Says why nothing was recorded; returns what was typed, for the form to be shown anew."""
    typed: dict[str, str] = request.POST.dict()
    if isinstance(exc, IdempotencyKeyReused):
        del typed["once"]
        text = _("This form was sent before, with another text, and that was recorded. Send again to record both.")
    else:
        text = _("This form is still being recorded. Send it again in a few seconds: it is recorded once.")
    messages.warning(request, text)
    return typed


def _page_after_adding(model_admin: ModelAdmin, request: HttpRequest, pk: int) -> str:
    if "_addanother" in request.POST:
        return request.path
    if not model_admin.has_view_or_change_permission(request):
        return reverse("admin:index")
    return reverse("admin:incidents_incident_change", args=[pk])


def _actor(request: HttpRequest) -> Named:
    return Named(request.user.get_username())
