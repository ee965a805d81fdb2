from functools import partial
from typing import Any

from django.contrib import admin
from django.contrib.auth.views import PasswordChangeView
from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from identity.forms import LoginForm, PasswordChangeForm


class AdminSite(admin.AdminSite):
    site_header = site_title = _("Incident service")
    site_url = "/api/v1/schema/swagger-ui/"
    login_form = LoginForm

    def password_change(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        """Django's own, with a form that knows the request: guesses are counted by address."""
        view = PasswordChangeView.as_view(
            form_class=partial(PasswordChangeForm, request),
            success_url=reverse("admin:password_change_done"),
            extra_context={**self.each_context(request), **(extra_context or {})},
        )
        return view(request)
