from functools import partial, wraps
from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.views.main import ERROR_FLAG, SEARCH_VAR
from django.core.exceptions import PermissionDenied
from django.core.files.uploadhandler import TemporaryFileUploadHandler
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.text import Truncator, capfirst
from django.utils.translation import gettext_lazy as _
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_GET, require_POST, require_safe

from core.admin import ListAdmin
from core.db import replica
from desk import buttons, export, files, news, one_at_a_time, shared_comment
from desk.change_list import BoundedChangeList, BoundedPaginator, is_too_short, number_in, words_in
from desk.duplicates import duplicate_view, follow_view
from desk.filters import (
    ChannelFilter,
    ChoicesFilter,
    CreatedFilter,
    OpenForFilter,
    ResolvedFilter,
    StatusFilter,
    TakerFilter,
    UrgentFilter,
)
from desk.incident_page import add_view, change_view, comment_view, history_view
from desk.same_number import same_number_view
from desk.set_status import moves_view, set_status, status_view
from desk.taker import taker_view
from desk.templatetags import desk
from desk.urgent import urgent_view
from incidents.models import Incident, Status
from incidents.store import store


@admin.register(Incident)
class IncidentAdmin(ListAdmin):
    """The list of incidents, and the addresses of their pages, which are views of their own."""

    list_display = ("number", "status_pill", "short_description", "source", "created", "taker", "status_buttons")
    list_display_links = ("number", "short_description")
    list_filter = (
        ("status", StatusFilter),
        ("source", ChoicesFilter),
        UrgentFilter,
        TakerFilter,
        CreatedFilter,
        ResolvedFilter,
        OpenForFilter,
        ChannelFilter,
    )
    list_per_page = 50
    search_fields = ("description",)
    ordering = ("-created_at", "-id")
    show_facets = admin.ShowFacets.NEVER
    sortable_by = ("created",)
    paginator = BoundedPaginator
    show_full_result_count = False
    actions = ("take", "resolve", "close", "reopen", "comment")

    def get_list_display(self, request: HttpRequest) -> list[Any]:
        return [name for name in self.list_display if name != "status_buttons" or self.has_change_permission(request)]

    @admin.display(description="№")
    def number(self, incident: Incident) -> str:
        return str(incident)

    @admin.display(description=_("status"))
    def status_pill(self, incident: Incident) -> SafeString:
        return desk.status_pill(incident.status)

    @admin.display(description=_("description"))
    def short_description(self, incident: Incident) -> str:
        text = Truncator(incident.description).chars(240)
        return format_html("{} {}", desk.urgent_mark(incident.urgent), text) if incident.urgent else text

    @admin.display(description=_("created"), ordering="created_at")
    def created(self, incident: Incident) -> SafeString:
        return desk.open_age(incident)

    @admin.display(description=_("taken by"), empty_value="")
    def taker(self, incident: Incident) -> str:
        return desk.person(incident.taken_by, incident.taker)  # type: ignore[attr-defined]  # set by find_takers

    @admin.display(description="")
    def status_buttons(self, incident: Incident) -> SafeString:
        query = {"shown": incident.status, "row": ""}
        url = reverse("admin:incidents_incident_status", args=[incident.pk], query=query)
        # Of the page's own form, which has the CSRF token
        button = (
            '<button class="desk-button" formaction="{}" formmethod="post" name="status" value="{}">'
            '{}<span class="visually-hidden"> {}</span></button>'
        )
        found = format_html_join(" ", button, ((url, *each, incident) for each in buttons.in_row(incident.status)))
        # Gets the focus when a press leads back to its row.
        group = '<div class="row-buttons" id="incident-{}" tabindex="-1" role="group" aria-label="{}: {}">{}</div>'
        return format_html(group, incident.pk, incident, incident.get_status_display(), found)

    def has_delete_permission(self, request: HttpRequest, obj: Incident | None = None) -> bool:
        return False  # a record is never lost

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Incident], search_term: str
    ) -> tuple[QuerySet[Incident], bool]:
        words = words_in(search_term)
        if is_too_short(words):
            return queryset.none(), False
        return queryset.filter(store.mentions(*words)) if words else queryset, False

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[BoundedChangeList]:
        return BoundedChangeList

    def get_changelist_instance(self, request: HttpRequest) -> BoundedChangeList:
        read = partial(self._read_changelist, request)
        return replica.read(read) if request.method == "GET" else read()

    def _read_changelist(self, request: HttpRequest) -> BoundedChangeList:
        changelist: BoundedChangeList = super().get_changelist_instance(request)
        changelist.find_takers()
        return changelist

    @admin.action(description=buttons.LABELS[Status.IN_PROGRESS], permissions=["change"])
    def take(self, request: HttpRequest, queryset: QuerySet[Incident]) -> HttpResponse | None:
        return set_status(self, request, queryset, Status.IN_PROGRESS)

    @admin.action(description=buttons.LABELS[Status.RESOLVED], permissions=["change"])
    def resolve(self, request: HttpRequest, queryset: QuerySet[Incident]) -> HttpResponse | None:
        return set_status(self, request, queryset, Status.RESOLVED)

    @admin.action(description=buttons.LABELS[Status.CLOSED], permissions=["change"])
    def close(self, request: HttpRequest, queryset: QuerySet[Incident]) -> HttpResponse | None:
        return set_status(self, request, queryset, Status.CLOSED)

    @admin.action(description=buttons.LABELS[Status.OPEN], permissions=["change"])
    def reopen(self, request: HttpRequest, queryset: QuerySet[Incident]) -> HttpResponse | None:
        return set_status(self, request, queryset, Status.OPEN)

    @admin.action(description=_("Add comment"), permissions=["change"])
    def comment(self, request: HttpRequest, queryset: QuerySet[Incident]) -> HttpResponse | None:
        return shared_comment.ask(self, request, queryset)

    def get_urls(self) -> list[URLPattern]:
        def page(view: Any) -> Any:
            return self.admin_site.admin_view(partial(view, self))

        def post(view: Any) -> Any:
            return require_POST(page(view))

        def get(view: Any) -> Any:
            return require_safe(page(view))

        export_view = require_GET(self.admin_site.admin_view(self.export_view))
        return [
            path("<int:pk>/comment/", self._takes_files(page(comment_view)), name="incidents_incident_comment"),
            path("<int:pk>/files/<int:number>/", get(files.show_view), name="incidents_incident_file"),
            path(
                "<int:pk>/files/<int:number>/thumbnail/", get(files.thumbnail_view), name="incidents_incident_thumbnail"
            ),
            path("<int:pk>/files/<int:number>/fetch/", post(files.fetch_view), name="incidents_incident_fetch_file"),
            path("<int:pk>/files/<int:number>/delete/", post(files.delete_view), name="incidents_incident_delete_file"),
            path("<int:pk>/status/", post(status_view), name="incidents_incident_status"),
            path("same-number/", get(same_number_view), name="incidents_incident_same_number"),
            path("<int:pk>/urgent/", post(urgent_view), name="incidents_incident_urgent"),
            path("<int:pk>/duplicate/", post(duplicate_view), name="incidents_incident_duplicate"),
            path("<int:pk>/duplicates/", post(follow_view), name="incidents_incident_follow"),
            path("<int:pk>/taker/", post(taker_view), name="incidents_incident_taker"),
            path("moves/", post(moves_view), name="incidents_incident_moves"),
            path("comments/", page(shared_comment.comments_view), name="incidents_incident_comments"),
            path("export/<str:form>/", export_view, name="incidents_incident_export"),
            *super().get_urls(),
        ]

    def _takes_files(self, page: Any) -> Any:
        """Lets those who are logged in send files; others' are discarded, and so are those that come to other pages."""

        @csrf_exempt  # `page` checks the token itself, once the handlers are set: the check reads the body
        @wraps(page)
        def inner(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            if self.admin_site.has_permission(request):
                request.upload_handlers = [TemporaryFileUploadHandler(request)]
            return page(request, *args, **kwargs)

        return inner

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        return add_view(self, request)

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        return change_view(self, request, object_id)

    def history_view(self, request: HttpRequest, object_id: str, extra_context: Any = None) -> HttpResponse:
        return history_view(self, request, object_id)

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        query = request.GET.get(SEARCH_VAR, "")
        number = number_in(query) if self.has_view_or_change_permission(request) else None
        if number and request.method == "GET" and self.get_queryset(request).filter(pk=number).exists():
            if query.strip().isdecimal() and not is_too_short([query]):
                url = reverse("admin:incidents_incident_changelist", query={SEARCH_VAR: f'"{number}"'})
                link = format_html('<a href="{}">{}</a>', url, _("Search the descriptions for %d") % number)
                messages.info(request, format_html("{} {}", _("This is incident №%d.") % number, link))
            return HttpResponseRedirect(reverse("admin:incidents_incident_change", args=[number]))
        known = news.known(request, self.admin_site)
        known = known and {**known, "entries": news.newest_entries()}
        context = {"title": capfirst(self.opts.verbose_name_plural), "news": known, **(extra_context or {})}
        return super().changelist_view(request, context)

    def export_view(self, request: HttpRequest, form: str) -> HttpResponseBase:
        """Sends the filtered list as a file; `form` is csv or xlsx."""
        if form not in export.CONTENT_TYPES:
            raise Http404
        if not self.has_view_permission(request):
            raise PermissionDenied
        try:
            # The flag stands in place of a filter that the database refused: not all incidents were asked for.
            if ERROR_FLAG in request.GET:
                raise IncorrectLookupParameters
            incidents = self.get_changelist_instance(request).queryset
        except IncorrectLookupParameters:
            return HttpResponseRedirect(reverse("admin:incidents_incident_changelist", query={ERROR_FLAG: 1}))
        if response := one_at_a_time.send(partial(export.response, form, incidents)):
            return response
        messages.warning(request, _("Another export is being sent. Try again when it has ended."))
        return HttpResponseRedirect(reverse("admin:incidents_incident_changelist", query=request.GET))
