from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.text import Truncator
from django.utils.translation import gettext_lazy as _

from incidents.admin.change_list import BoundedChangeList, BoundedPaginator
from incidents.admin.incident_page import IncidentPage
from incidents.admin.set_status import set_status
from incidents.listing.search import mentions
from incidents.models import Incident, Status


@admin.register(Incident)
class IncidentAdmin(IncidentPage):
    list_display = ("id", "short_description", "status", "source", "created_at", "updated_at")
    list_display_links = ("id", "short_description")
    list_filter = ("status", "source", "created_at")
    list_per_page = 50
    search_fields = ("description",)
    search_help_text = _("Part of the description")
    ordering = ("-created_at", "-id")
    paginator = BoundedPaginator
    show_full_result_count = False
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
