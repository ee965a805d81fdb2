from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST


class RetryAdmin(admin.ModelAdmin):
    """Rows that are never added or deleted by hand; a button at each that has failed sends again."""

    show_facets = admin.ShowFacets.NEVER  # they would count the whole table

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def may_retry(self, request: HttpRequest) -> bool:
        return request.user.has_perm(f"{self.opts.app_label}.change_{self.opts.model_name}")

    def needs_retry(self, obj: Any) -> bool:
        raise NotImplementedError

    def retry(self, obj: Any) -> None:
        raise NotImplementedError

    def get_list_display(self, request: HttpRequest) -> list[Any]:
        return [name for name in self.list_display if name != "retry_button" or self.may_retry(request)]

    @admin.display(description=_("retry"))
    def retry_button(self, obj: Any) -> SafeString | str:
        if not self.needs_retry(obj):
            return ""
        # Of the page's own form, which has the CSRF token and no text field, in which Enter would press the button
        button = '<button class="button" formaction="{}" formmethod="post">{}</button>'
        return format_html(button, reverse(f"admin:{self._retry_name()}", args=[obj.pk]), _("Retry"))

    def get_urls(self) -> list[URLPattern]:
        view = require_POST(self.admin_site.admin_view(self.retry_view))
        return [path("<int:pk>/retry/", view, name=self._retry_name()), *super().get_urls()]

    def retry_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        obj = self.get_object(request, str(pk))
        if obj is None:
            raise Http404
        if not self.may_retry(request):
            raise PermissionDenied
        self.retry(obj)
        self.log_change(request, obj, "Retry.")
        self.message_user(request, _("It is sent again within a second or two."), messages.SUCCESS)
        return HttpResponseRedirect(reverse(f"admin:{self.opts.app_label}_{self.opts.model_name}_changelist"))

    def _retry_name(self) -> str:
        return f"{self.opts.app_label}_{self.opts.model_name}_retry"
