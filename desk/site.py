import re
from functools import partial, wraps
from typing import Any
from urllib.parse import unquote_to_bytes

from django.conf import settings
from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.views.main import ERROR_FLAG
from django.contrib.auth.views import PasswordChangeView, redirect_to_login
from django.core.exceptions import ValidationError
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.template.response import TemplateResponse
from django.urls import path, resolve, reverse
from django.utils.decorators import method_decorator
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext_lazy as _
from django.views import csrf
from django.views.decorators.common import no_append_slash
from django.views.decorators.http import conditional_page

from core.api.views import append_slash
from desk import board, drafts, news
from identity.forms import LoginForm, PasswordChangeForm, with_retry_after


class AdminSite(admin.AdminSite):
    site_header = site_title = _("Incident service")
    login_form = LoginForm
    index_template = "admin/board.html"
    enable_nav_sidebar = False  # base_site.html has its own navigation

    def get_urls(self) -> list[Any]:
        return [
            path("board/", self.admin_view(self.board_view), name="board"),
            path("news/", self.admin_view(self.news_view), name="news"),
            *super().get_urls(),
        ]

    def index(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> TemplateResponse:
        known = news.known(request, self)
        context = {"title": _("Open now"), "news": known, **board.context(request, self), **(extra_context or {})}
        return super().index(request, context)

    def board_view(self, request: HttpRequest) -> HttpResponse:
        """Shows the content of the index alone, with which its script replaces an older one."""
        return HttpResponse(board.content(request, self))

    @method_decorator(conditional_page)
    def news_view(self, request: HttpRequest) -> HttpResponse:
        """Tells windows what was recorded lately."""
        return news.respond(request)

    def get_app_list(self, request: HttpRequest, app_label: str | None = None) -> list[Any]:
        apps = {app["app_label"]: app for app in super().get_app_list(request, app_label)}
        if "identity" in apps and "auth" in apps:
            apps["identity"]["models"] += apps.pop("auth")["models"]
        first = [apps.pop(label) for label in settings.DESK_NAVIGATION if label in apps]
        return [*first, *apps.values()]

    def login(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        draft = request.POST.get("draft", "")
        response = with_retry_after(super().login(request, {"draft": draft, **(extra_context or {})}))
        if draft and self.has_permission(request) and (url := drafts.keep(request, draft)):
            return HttpResponseRedirect(url)
        return response

    def ask_to_log_in(self, request: HttpRequest, draft: str) -> HttpResponse:
        """Shows the log-in in response to a form: a redirect would lose what was typed."""
        context = {
            **self.each_context(request),
            "title": _("Log in"),
            "app_path": reverse("admin:login"),
            "username": request.user.get_username(),
            "form": self.login_form(request),
            "draft": draft,
        }
        return TemplateResponse(request, "admin/login.html", context)

    def password_change(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        """Calls Django's view, with a form that gets the request: wrong passwords are counted by address."""
        view = PasswordChangeView.as_view(
            form_class=partial(PasswordChangeForm, request),
            success_url=reverse("admin:password_change_done"),
            extra_context={**self.each_context(request), **(extra_context or {})},
        )
        return with_retry_after(view(request))

    def admin_view(self, view: Any, cacheable: bool = False) -> Any:
        inner = super().admin_view(_refuse_nul(_handle_invalid_selection(view)), cacheable)

        @wraps(inner)
        def outer(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            if not self.has_permission(request):
                return self._log_in_first(request) or inner(request, *args, **kwargs)
            # Who works is not logged out; what scripts ask is no work, and an abandoned window asks for ever.
            if view not in (self.board_view, self.news_view, self.i18n_javascript):
                request.session.modified = True
            return inner(request, *args, **kwargs)

        return outer

    def _log_in_first(self, request: HttpRequest) -> HttpResponse | None:
        """Responds to a form that was sent without a session; None where Django's redirect does."""
        if draft := _draft(request):
            return self.ask_to_log_in(request, draft)
        if request.method != "POST" or drafts.TOKEN not in request.POST:
            return None
        messages.warning(request, _("Nothing was changed: you have been logged out."))
        # A button's own address is not one to open.
        for url in (request.POST.get("next", ""), request.headers.get("Referer", "")):
            if url_has_allowed_host_and_scheme(url, request.get_host()):
                return redirect_to_login(url, reverse("admin:login"))
        return None

    @no_append_slash
    def catch_all_view(self, request: HttpRequest, url: str) -> Any:
        page = resolve(f"{request.path_info}/").func
        if url.endswith("/") or not getattr(page, "should_append_slash", True):
            raise Http404
        return append_slash(request)


# The forms into which a report is typed
DRAFTS = {f"admin:incidents_incident_{name}" for name in ("add", "change", "comment", "comments")}


def _draft(request: HttpRequest) -> str:
    """Signs what was typed; "" if this is no form that is shown again."""
    match = request.resolver_match
    if request.method != "POST" or not match:
        return ""
    if match.view_name == "admin:login":
        return request.POST.get("draft", "")
    return drafts.sign(request) if match.view_name in DRAFTS else ""


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """
    Shows the form of a page of ours again that is out of date, since a log-in changes the token.

    That of another site is refused: browsers name the site in the header Origin or Referer.
    """
    site: Any = admin.site
    origin = request.headers.get("Origin") or "/".join(request.headers.get("Referer", "").split("/")[:3])
    if origin == f"{request.scheme}://{request.get_host()}" and (draft := _draft(request)):
        if not site.has_permission(request):
            return site.ask_to_log_in(request, draft)
        if url := drafts.keep(request, draft):
            return HttpResponseRedirect(url)
    return csrf.csrf_failure(request, reason)


def _refuse_nul(view: Any) -> Any:
    """Refuses a NUL in a parameter like any other invalid filter: PostgreSQL cannot be asked for it."""

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
