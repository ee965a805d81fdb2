from typing import Any

from django import forms
from django.contrib import admin
from django.core.paginator import Paginator
from django.db import models
from django.db.models import Field, QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.text import Truncator
from django.utils.translation import gettext_lazy as _

from incidents.actors import Named
from incidents.admin.change_list import BoundedChangeList, BoundedPaginator
from incidents.admin.set_status import set_status
from incidents.listing.search import mentions
from incidents.models import Channel, Incident, IncidentChange, Status
from incidents.services import WRITABLE, change_incident, create_incident
from incidents.text import is_blank, normalize_line_breaks


class DescriptionField(forms.CharField):
    """A description, by the rules of the API's own field."""

    def to_python(self, value: str | None) -> str:
        text = normalize_line_breaks(super().to_python(value) or "")
        return "" if is_blank(text) else text


@admin.register(Incident)
class IncidentAdmin(admin.ModelAdmin):
    list_display = ("id", "short_description", "status", "source", "created_at", "updated_at")
    list_display_links = ("id", "short_description")
    list_editable = ("status",)
    list_filter = ("status", "source", "created_at")
    list_per_page = 50
    search_fields = ("description",)
    search_help_text = _("Part of the description")
    ordering = ("-created_at", "-id")
    paginator = BoundedPaginator
    show_full_result_count = False
    fields = (*WRITABLE, "created_at", "updated_at")
    readonly_fields = ("created_at", "updated_at")
    formfield_overrides = {models.TextField: {"form_class": DescriptionField}}
    actions = ("open", "take", "resolve", "close")

    @admin.display(description=_("description"), ordering=None)
    def short_description(self, incident: Incident) -> str:
        return Truncator(incident.description).chars(80)

    def has_delete_permission(self, request: HttpRequest, obj: Incident | None = None) -> bool:
        return False  # a record is never lost

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Incident], search_term: str
    ) -> tuple[QuerySet[Incident], bool]:
        return queryset.filter(mentions(search_term)) if search_term else queryset, False

    def formfield_for_dbfield(self, db_field: Field, request: HttpRequest, **kwargs: Any) -> Any:
        field = super().formfield_for_dbfield(db_field, request, **kwargs)
        if db_field.name in WRITABLE and field:
            # The form sends what the operator was shown, so that a concurrent change is not taken for an edit.
            field.show_hidden_initial = True
        return field

    def save_model(self, request: HttpRequest, obj: Incident, form: Any, change: bool) -> None:
        values = {name: form.cleaned_data[name] for name in form.cleaned_data.keys() & set(WRITABLE)}
        actor = Named(request.user.get_username())
        if change:
            edited = {name: value for name, value in values.items() if name in form.changed_data}
            saved = change_incident(Incident.objects.get(pk=obj.pk), values=edited, actor=actor, channel=Channel.ADMIN)
        else:
            saved = create_incident(**values, actor=actor, channel=Channel.ADMIN)
        obj.__dict__.update(saved.__dict__)

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[BoundedChangeList]:
        return BoundedChangeList

    @admin.action(description=_("Status: open"), permissions=["change"])
    def open(self, request: HttpRequest, queryset: QuerySet[Incident]) -> HttpResponse | None:
        return set_status(self, request, queryset, action="open", status=Status.OPEN)

    @admin.action(description=_("Status: in progress"), permissions=["change"])
    def take(self, request: HttpRequest, queryset: QuerySet[Incident]) -> HttpResponse | None:
        return set_status(self, request, queryset, action="take", status=Status.IN_PROGRESS)

    @admin.action(description=_("Status: resolved"), permissions=["change"])
    def resolve(self, request: HttpRequest, queryset: QuerySet[Incident]) -> HttpResponse | None:
        return set_status(self, request, queryset, action="resolve", status=Status.RESOLVED)

    @admin.action(description=_("Status: closed"), permissions=["change"])
    def close(self, request: HttpRequest, queryset: QuerySet[Incident]) -> HttpResponse | None:
        return set_status(self, request, queryset, action="close", status=Status.CLOSED)

    def history_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """The incident's own history: changes of every channel, not only those of the admin."""
        incident = self.get_object(request, object_id)
        paginator = Paginator(incident.changes.order_by("-id") if incident else IncidentChange.objects.none(), 100)
        page = paginator.get_page(request.GET.get("p"))
        context = {"action_list": page, "page_range": paginator.get_elided_page_range(page.number)}
        return super().history_view(request, object_id, {**(extra_context or {}), **context})
