import re
from functools import partial, wraps
from typing import Any
from urllib.parse import unquote_to_bytes

from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.views.main import ERROR_FLAG
from django.contrib.auth.views import PasswordChangeView
from django.core.exceptions import ValidationError
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.template.response import TemplateResponse
from django.urls import path, resolve, reverse
from django.utils.translation import gettext_lazy as _
from django.views.decorators.common import no_append_slash

from config import board
from core.api.views import append_slash
from identity.forms import LoginForm, PasswordChangeForm, with_retry_after


class AdminSite(admin.AdminSite):
    site_header = site_title = _("Incident service")
    site_url = "/api/v1/schema/swagger-ui/"
    login_form = LoginForm
    index_template = "admin/board.html"
    enable_nav_sidebar = False  # base_site.html has its own navigation
    APPS = ("incidents", "telegram", "intake", "webhooks", "identity", "auth")  # by how often operators use them

    def get_urls(self) -> list[Any]:
        return [path("board/", self.admin_view(self.board_view), name="board"), *super().get_urls()]

    def index(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> TemplateResponse:
        context = {"title": _("Open now"), **board.context(request, self), **(extra_context or {})}
        return super().index(request, context)

    def board_view(self, request: HttpRequest) -> TemplateResponse:
        """The content of the index alone, with which its script replaces an older one."""
        return TemplateResponse(request, "admin/board_content.html", board.context(request, self))

    def get_app_list(self, request: HttpRequest, app_label: str | None = None) -> list[Any]:
        apps = {app["app_label"]: app for app in super().get_app_list(request, app_label)}
        if "identity" in apps and "auth" in apps:
            apps["identity"]["models"] += apps.pop("auth")["models"]
        return [apps[label] for label in self.APPS if label in apps]

    def login(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        return with_retry_after(super().login(request, extra_context))

    def password_change(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        """Django's view, with a form that gets the request: wrong passwords are counted by address."""
        view = PasswordChangeView.as_view(
            form_class=partial(PasswordChangeForm, request),
            success_url=reverse("admin:password_change_done"),
            extra_context={**self.each_context(request), **(extra_context or {})},
        )
        return with_retry_after(view(request))

    def admin_view(self, view: Any, cacheable: bool = False) -> Any:
        return super().admin_view(_refuse_nul(_handle_invalid_selection(view)), cacheable)

    @no_append_slash
    def catch_all_view(self, request: HttpRequest, url: str) -> Any:
        page = resolve(f"{request.path_info}/").func
        if url.endswith("/") or not getattr(page, "should_append_slash", True):
            raise Http404
        return append_slash(request)


def _refuse_nul(view: Any) -> Any:
    """PostgreSQL cannot be asked for a NUL: in a parameter it is refused like any other invalid filter."""

    @wraps(view)
    def inner(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if b"\0" not in unquote_to_bytes(request.META.get("QUERY_STRING", "")):
            return view(request, *args, **kwargs)
        if request.method != "GET" or ERROR_FLAG in request.GET:
            raise Http404
        return HttpResponseRedirect(f"{request.path}?{ERROR_FLAG}=1")

    return inner


def _handle_invalid_selection(view: Any) -> Any:
    """Refuses malformed ids in a selection or an edited list, which Django would pass to the database."""
    model_admin = getattr(view, "__self__", None)
    if not isinstance(model_admin, admin.ModelAdmin):
        return view
    pk = model_admin.opts.pk
    names = re.compile(rf"{ACTION_CHECKBOX_NAME}|form-\d+-{pk.name}")

    @wraps(view)
    def inner(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        try:
            for name in filter(names.fullmatch, request.POST):
                for value in request.POST.getlist(name):
                    pk.clean(value, None)
        except ValidationError:
            model_admin.message_user(request, _("The selection is not valid: nothing was changed."), messages.ERROR)
            return HttpResponseRedirect(request.get_full_path())
        return view(request, *args, **kwargs)

    return inner
