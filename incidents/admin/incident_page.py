"""The page of an incident: its form, its time line and comments, and what happens where two people edit at once."""

from collections.abc import Callable, Iterable
from copy import copy
from functools import wraps
from typing import Any, NamedTuple
from uuid import UUID, uuid4

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.db import models
from django.db.models import Field
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect, QueryDict
from django.urls import URLPattern, path, reverse
from django.utils.translation import gettext_lazy as _

from core import drafts
from core.admin import ListAdmin
from core.api.exceptions import PreconditionFailed, ServiceUnavailable
from core.api.preconditions import Preconditions
from incidents import buttons
from incidents.actors import Named
from incidents.exceptions import IdempotencyKeyInUse, IdempotencyKeyReused
from incidents.history import name_authors, names_of_takers
from incidents.idempotency import StoredResponse, create_or_replay
from incidents.models import Channel, Incident, IncidentChange, Source, Status
from incidents.services import ATTEMPTS, WRITABLE, add_comment, change_incident, create_incident
from incidents.text import DESCRIPTION_MAX_LENGTH, is_blank, normalize_line_breaks

CONFLICT = _("Nothing has been saved yet: others changed this incident after you opened it. Compare, then choose.")
ENTRIES_SHOWN = 100
LABELS = {"status": dict(Status.choices), "source": dict(Source.choices)}
ORIGINS_SHOWN = 10


class TextField(forms.CharField):
    """Text by the rules of the API's own field."""

    def to_python(self, value: str | None) -> str:
        text = normalize_line_breaks(super().to_python(value) or "")
        return "" if is_blank(text) else text


class OnceField(forms.UUIDField):
    """
    Names one rendering of a form: however often it is sent, it records once.

    Optional, so that scripts can post without it.
    """

    widget = forms.HiddenInput(attrs={"autocomplete": "off"})

    def __init__(self) -> None:
        super().__init__(required=False, initial=uuid4)


class DraftForm(forms.ModelForm):
    """Shown with what was typed before a log-in, it saves nothing."""

    is_draft = False

    def clean(self) -> dict[str, Any]:
        values: dict[str, Any] = super().clean() or {}
        if self.is_draft:
            self.add_error(None, drafts.NOT_SAVED)
        return values


class AddForm(DraftForm):
    once = OnceField()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["description"].widget.attrs["autofocus"] = True


class Conflict(NamedTuple):
    """A field that was changed after the operator saw it."""

    seen: str
    theirs: str
    entry: IncidentChange | None  # which changed it last


class ChangeForm(DraftForm):
    """
    Refuses to overwrite what has changed since the operator saw it, and then shows both.

    The form sends with each value the one that the operator saw. Changes of fields that the operator did not edit are
    kept. On the page of a conflict "seen" is what is stored by now, so that the operator's value can be saved over it.
    """

    class Meta:
        widgets = {"status": forms.HiddenInput}  # it has buttons of its own

    data: QueryDict

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.stored = {name: getattr(self.instance, name) for name in WRITABLE}
        self.conflicts: dict[str, Conflict] = {}

    @property
    def edited(self) -> list[str]:
        kept = self.data.get("keep", "").split()
        return [name for name in self.changed_data if name not in kept]

    @property
    def changed_by_others(self) -> dict[str, str]:
        """What the operator saw of the fields that have another value by now."""
        seen = {name: self.data.get(self.add_initial_prefix(name)) for name in self.fields}
        return {
            name: str(field.to_python(seen[name]))
            for name, field in self.fields.items()
            if seen[name] is not None and field.to_python(seen[name]) != field.to_python(self.stored[name])
        }

    def clean(self) -> dict[str, Any]:
        values = super().clean()
        for name, seen in self.changed_by_others.items():
            if name in self.edited and values.get(name) != self.stored[name]:
                entry = self.instance.changes.filter(changes__has_key=name).order_by("-id").first()
                self.conflicts[name] = Conflict(display(name, seen), display(name, self.stored[name]), entry)
        if self.conflicts:
            self.add_error(None, CONFLICT)
            self._show_stored()
        return values

    def _show_stored(self) -> None:
        data, edited = self.data.copy(), self.edited
        for name, value in self.stored.items():
            data[self.add_initial_prefix(name)] = value
            if name not in edited:
                data[self.add_prefix(name)] = value
        self.data = data

    def rows(self) -> list[tuple[forms.BoundField, Conflict | None]]:
        return [(field, self.conflicts.get(field.name)) for field in self.visible_fields()]


class CommentForm(forms.Form):
    text = TextField(
        label=_("Comment"),
        max_length=DESCRIPTION_MAX_LENGTH,
        widget=forms.Textarea(attrs={"rows": 3, "placeholder": _("Write a comment")}),
    )
    once = OnceField()


class Origin(NamedTuple):
    """Where an incident came from, or where it is shown."""

    place: str
    what: str
    url: str | None = None


# What the apps above know of an incident: each at most ORIGINS_SHOWN of either. Registered by their admin modules.
origins: list[Callable[[HttpRequest, Incident], Iterable[Origin]]] = []


class UnknownIncident(Http404):
    pass


class AlreadyRecorded(Exception):  # noqa: N818
    def __init__(self, incident: Incident) -> None:
        super().__init__(incident)
        self.incident = incident


def leads_back_if_unknown(view: Any) -> Any:
    """Django's own redirect asks whether the incident was deleted, which none ever is."""

    @wraps(view)
    def inner(self: admin.ModelAdmin, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        try:
            return view(self, request, *args, **kwargs)
        except UnknownIncident:
            self.message_user(request, _("There is no incident with this number."), messages.WARNING)
            return HttpResponseRedirect(reverse("admin:index"))

    return inner


class IncidentPage(ListAdmin):
    fields = WRITABLE
    formfield_overrides = {models.TextField: {"form_class": TextField}}

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.comment_view)
        return [path("<int:pk>/comment/", view, name="incidents_incident_comment"), *super().get_urls()]

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Incident | None:
        """None where the user may not know of incidents. Raises UnknownIncident."""
        incident: Incident | None = super().get_object(request, object_id, from_field)
        if incident is None and self.has_view_or_change_permission(request):
            raise UnknownIncident
        return incident

    def get_form(self, request: HttpRequest, obj: Incident | None = None, change: bool = False, **kwargs: Any) -> Any:
        form: Any = super().get_form(request, obj, change, form=ChangeForm if change else AddForm, **kwargs)
        form.is_draft = hasattr(request, "draft")
        return form

    def formfield_for_dbfield(self, db_field: Field, request: HttpRequest, **kwargs: Any) -> Any:
        field = super().formfield_for_dbfield(db_field, request, **kwargs)
        if db_field.name in WRITABLE and field:
            # The form sends what the operator saw, so that a concurrent change is not taken for an edit.
            field.show_hidden_initial = True
        return field

    @leads_back_if_unknown
    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> Any:
        if draft := drafts.take(request):
            request = _as(request, "POST", POST=draft, draft=True)
        for _attempt in range(ATTEMPTS):
            try:
                return super().changeform_view(request, object_id, form_url, extra_context)
            except PreconditionFailed:  # changed between the form's comparison and the write: compare anew
                continue
            except AlreadyRecorded as exc:
                return self.response_add(request, exc.incident)
            except (IdempotencyKeyReused, IdempotencyKeyInUse) as exc:
                typed = self._explain(request, exc)
                return super().changeform_view(_as(request, "GET", GET=typed), object_id, form_url, {"unsaved": True})
        raise ServiceUnavailable

    def save_model(self, request: HttpRequest, obj: Incident, form: Any, change: bool) -> None:
        actor = Named(request.user.get_username())
        if not change:
            values = {name: form.cleaned_data[name] for name in WRITABLE}

            def create() -> Incident:
                return create_incident(**values, actor=actor, channel=Channel.ADMIN)

            saved = _once(request, form.cleaned_data["once"], {"add": values}, create)
            obj.__dict__.update(saved.__dict__)
            return
        edited = {name: form.cleaned_data[name] for name in form.edited}
        saved = change_incident(
            Incident.objects.get(pk=obj.pk),
            values=edited,
            actor=actor,
            channel=Channel.ADMIN,
            preconditions=Preconditions(if_match=obj.etag),
        )
        obj.__dict__.update(saved.__dict__)
        self.message_user(request, _("Saved.") if edited else _("Nothing was changed."), messages.SUCCESS)
        if others := [name for name in form.changed_by_others if name not in edited]:
            now = "; ".join(f"{form.fields[name].label}: {display(name, form.stored[name])}" for name in others)
            text = _("Others changed this in the meantime, and it stays. %s.")
            self.message_user(request, text % now, messages.WARNING)

    def response_add(self, request: HttpRequest, obj: Incident, post_url_continue: str | None = None) -> HttpResponse:
        self.message_user(request, _("Incident %s is recorded.") % obj, messages.SUCCESS)
        if "_addanother" in request.POST:
            return HttpResponseRedirect(request.path)
        if not self.has_view_or_change_permission(request):
            return HttpResponseRedirect(reverse("admin:index"))
        return HttpResponseRedirect(reverse("admin:incidents_incident_change", args=[obj.pk]))

    def response_change(self, request: HttpRequest, obj: Incident) -> HttpResponse:
        return HttpResponseRedirect(request.get_full_path())

    def render_change_form(
        self,
        request: HttpRequest,
        context: dict[str, Any],
        add: bool = False,
        change: bool = False,
        form_url: str = "",
        obj: Incident | None = None,
    ) -> Any:
        if obj:
            # A form that was refused has put its values into the instance.
            for name, value in context["adminform"].form.stored.items():
                setattr(obj, name, value)
            entries = list(obj.changes.order_by("-id")[: ENTRIES_SHOWN + 1])
            conflicts = getattr(context["adminform"].form, "conflicts", {}).values()
            name_authors([*entries, *(conflict.entry for conflict in conflicts if conflict.entry)])
            context = {
                "comment_form": CommentForm(),
                **context,
                "title": str(obj),
                "subtitle": None,
                "taken_by": names_of_takers([obj.pk]).get(obj.pk),
                "entries": entries[:ENTRIES_SHOWN],
                "more_entries": len(entries) > ENTRIES_SHOWN,
                "origins": [origin for origins_of in origins for origin in origins_of(request, obj)],
                "buttons": buttons.on_page(obj.status),
            }
        else:
            context["title"] = _("New incident")
        return super().render_change_form(request, context, add, change, form_url, obj)

    @leads_back_if_unknown
    def comment_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        incident = self.get_object(request, str(pk))
        if incident is None or not self.has_change_permission(request, incident):
            raise PermissionDenied
        page = HttpResponseRedirect(reverse("admin:incidents_incident_change", args=[pk], query=request.GET))
        if draft := drafts.take(request):
            self.message_user(request, drafts.NOT_SAVED, messages.WARNING)
            return self._show_comment(request, pk, CommentForm(initial=draft.dict()))
        if request.method != "POST":  # the address of a refused comment, opened anew
            return page
        form = CommentForm(request.POST)
        if form.is_valid():
            try:
                self._add_comment(request, incident, **form.cleaned_data)
            except AlreadyRecorded:
                return page
            except (IdempotencyKeyReused, IdempotencyKeyInUse) as exc:
                form = CommentForm(initial=self._explain(request, exc).dict())
            else:
                return page
        return self._show_comment(request, pk, form)

    def _show_comment(self, request: HttpRequest, pk: int, form: CommentForm) -> HttpResponse:
        return self.changeform_view(_as(request, "GET"), str(pk), extra_context={"comment_form": form})

    def _add_comment(self, request: HttpRequest, incident: Incident, *, text: str, once: UUID | None) -> None:
        def create() -> Incident:
            actor = Named(request.user.get_username())
            add_comment(incident_id=incident.pk, text=text, actor=actor, channel=Channel.ADMIN)
            return incident

        _once(request, once, {"incident": incident.pk, "comment": text}, create)

    def _explain(self, request: HttpRequest, exc: IdempotencyKeyReused | IdempotencyKeyInUse) -> QueryDict:
        """What was typed, for the form to be shown anew."""
        typed = request.POST.copy()
        if isinstance(exc, IdempotencyKeyReused):
            del typed["once"]
            text = _("This form was sent before, with another text, and that was recorded. Send again to record both.")
        else:
            text = _("This form is still being recorded. Send it again in a few seconds: it is recorded once.")
        self.message_user(request, text, messages.WARNING)
        return typed

    @leads_back_if_unknown
    def history_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """The incident's own history: changes of every channel, not only those of the admin."""
        incident = self.get_object(request, object_id)
        if incident is None:
            raise PermissionDenied
        paginator = Paginator(incident.changes.order_by("-id"), 100)
        page = paginator.get_page(request.GET.get("p"))
        page.object_list = list(page.object_list)
        name_authors(page.object_list)
        context = {"action_list": page, "page_range": paginator.get_elided_page_range(page.number)}
        return super().history_view(request, object_id, {**(extra_context or {}), **context})


def display(field: str, value: str) -> str:
    """A value as people read it."""
    return str(LABELS[field].get(value, value)) if field in LABELS else value


def _once(request: HttpRequest, key: UUID | None, sent: Any, create: Callable[[], Incident]) -> Incident:
    """Raises AlreadyRecorded, IdempotencyKeyReused, IdempotencyKeyInUse."""

    def respond() -> StoredResponse:
        incident = create()
        return StoredResponse(incident.pk, incident.created_at, b"")

    if key is None:
        return create()
    response = create_or_replay(
        user_id=request.user.pk,  # type: ignore[arg-type]  # the admin lets in who has logged in
        key=str(key),
        request=sent,
        create=respond,
    )
    incident = Incident.objects.get(pk=response.incident_id)
    if response.replayed:
        raise AlreadyRecorded(incident)
    return incident


def _as(request: HttpRequest, method: str, **attributes: Any) -> HttpRequest:
    """For a page that is shown with other values than the request has, or in response to another form."""
    other = copy(request)
    # copy() leaves out the match.
    for name, value in {"method": method, "resolver_match": request.resolver_match, **attributes}.items():
        setattr(other, name, value)
    return other
