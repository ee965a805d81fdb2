from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.models import CHANGE, LogEntry
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST

from core.admin import ListAdmin

MAX_RETRIED = 10_000  # rows


class RetryAdmin(ListAdmin):
    """Rows that are never added or deleted by hand; a button at each that has failed sends again, an action many."""

    actions: tuple[str, ...] = ("retry_chosen",)

    show_facets = admin.ShowFacets.NEVER  # they would count the whole table

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_retry_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm(f"{self.opts.app_label}.change_{self.opts.model_name}")

    def needs_retry(self, obj: Any) -> bool:
        raise NotImplementedError

    def retry(self, queryset: QuerySet) -> None:
        raise NotImplementedError

    @admin.action(description=_("Send again"), permissions=["retry"])
    def retry_chosen(self, request: HttpRequest, queryset: QuerySet) -> None:
        chosen = queryset.order_by("pk")[:MAX_RETRIED]
        rows = self.model._default_manager.filter(pk__in=[obj.pk for obj in chosen if self.needs_retry(obj)])
        LogEntry.objects.log_actions(str(request.user.pk), rows, CHANGE, "Retry.")
        count = rows.count()
        self.retry(rows)
        self.message_user(request, _("Sent again: %d.") % count)

    def get_list_display(self, request: HttpRequest) -> list[Any]:
        return [name for name in self.list_display if name != "retry_button" or self.has_retry_permission(request)]

    @admin.display(description=_("retry"))
    def retry_button(self, obj: Any) -> SafeString | str:
        if not self.needs_retry(obj):
            return ""
        # Of the page's own form, which has the CSRF token and no text field, in which Enter would press the button
        button = (
            '<button class="button" formaction="{}" formmethod="post">'
            '{}<span class="visually-hidden"> {}</span></button>'
        )
        return format_html(button, reverse(f"admin:{self._retry_name()}", args=[obj.pk]), _("Retry"), obj)

    def get_urls(self) -> list[URLPattern]:
        view = require_POST(self.admin_site.admin_view(self.retry_view))
        return [path("<int:pk>/retry/", view, name=self._retry_name()), *super().get_urls()]

    def retry_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        obj = self.get_object(request, str(pk))
        if obj is None:
            raise Http404
        if not self.has_retry_permission(request):
            raise PermissionDenied
        self.retry(self.model._default_manager.filter(pk=pk))
        self.log_change(request, obj, "Retry.")
        self.message_user(request, _("It is sent again within a second or two."), messages.SUCCESS)
        changelist = reverse(f"admin:{self.opts.app_label}_{self.opts.model_name}_changelist")
        path, _question_mark, filters = (
            request.headers.get("Referer", "").removeprefix(f"{request.scheme}://{request.get_host()}").partition("?")
        )
        return HttpResponseRedirect(f"{changelist}?{filters}" if filters and path == changelist else changelist)

    def _retry_name(self) -> str:
        return f"{self.opts.app_label}_{self.opts.model_name}_retry"
