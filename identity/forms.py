from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain
from typing import Any

from django import forms
from django.contrib.admin.forms import AdminAuthenticationForm, AdminPasswordChangeForm
from django.contrib.auth import forms as auth
from django.core.exceptions import ValidationError
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from rest_framework.exceptions import Throttled

from core.forms import GuardedForm
from identity.models import User
from identity.superusers import LAST_SUPERUSER, lock_active_superusers
from identity.throttling import throttle
from identity.time_zones import TimeZoneInput


@contextmanager
def throttled_as_form_error() -> Iterator[None]:
    try:
        yield
    except Throttled as exc:
        wait: int = exc.wait  # type: ignore[attr-defined]
        text = _("Too many wrong passwords: try again in %d min.") % -(-wait // 60)
        raise ValidationError(text, code="throttled", params={"wait": wait}) from None


def with_retry_after[R: HttpResponseBase](response: R) -> R:
    """Returns the page of a form, with the status 429 if the form was refused for too many wrong passwords."""
    form = (getattr(response, "context_data", None) or {}).get("form")
    for error in chain.from_iterable(form.errors.as_data().values() if form else []):
        if error.code == "throttled":
            response.status_code = 429
            response["Retry-After"] = str(error.params["wait"])
    return response


class LoginForm(AdminAuthenticationForm):
    @throttled_as_form_error()
    def clean(self) -> dict[str, Any]:
        return super().clean()


class PasswordOnly(auth.SetPasswordMixin):
    """Hashing takes long: what was changed of the user meanwhile stays."""

    def set_password_and_save(
        self,
        user: Any,
        password_field_name: str = "password1",  # noqa: S107  # of a field
        commit: bool = True,
    ) -> Any:
        user = super().set_password_and_save(user, password_field_name=password_field_name, commit=False)
        if commit:
            user.save(update_fields=["password"])
        return user


class PasswordChangeForm(PasswordOnly, AdminPasswordChangeForm):
    def __init__(self, request: HttpRequest, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.request = request

    @throttled_as_form_error()
    def clean_old_password(self) -> str:
        old_password: str = self.cleaned_data["old_password"]
        if not throttle(self.request, self.user.get_username(), lambda: self.user.check_password(old_password)):
            raise ValidationError(self.error_messages["password_incorrect"], code="password_incorrect")
        return old_password


class SettingsForm(forms.ModelForm):
    class Meta:
        model = User
        fields = ("language", "time_zone")
        widgets = {"time_zone": TimeZoneInput}


class PasswordLink(auth.ReadOnlyPasswordHashWidget):
    """A link to the page that sets the password, without the hash."""

    template_name = "identity/password.html"


class UserForm(GuardedForm, auth.UserChangeForm):
    password = auth.ReadOnlyPasswordHashField(label=gettext_lazy("Password"), widget=PasswordLink)

    def full_clean(self) -> None:
        """Unchanged values are not validated again: earlier releases, and their time zones, had other rules."""
        super().full_clean()
        for name in [name for name in self.errors if name in self.fields and name not in self.changed_data]:
            del self.errors[name]

    def clean(self) -> dict[str, Any]:
        changed = super().clean()
        lost = [name for name in ("is_active", "is_superuser") if changed.get(name) is False]
        if lost and lock_active_superusers() == [self.instance]:
            for name in lost:
                self.add_error(name, LAST_SUPERUSER)
        return changed


class UserPasswordForm(PasswordOnly, auth.AdminPasswordChangeForm):
    # Django's own text is put together when it is imported, so that it stays in English.
    usable_password_help_text = gettext_lazy(  # type: ignore[assignment]
        "If disabled, the current password for this user will be lost."
    )
