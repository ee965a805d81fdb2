from typing import Any

from django.contrib.admin.forms import AdminAuthenticationForm
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _
from rest_framework.exceptions import Throttled


class LoginForm(AdminAuthenticationForm):
    def clean(self) -> dict[str, Any]:
        try:
            return super().clean()
        except Throttled as exc:
            minutes = -(-exc.wait // 60)  # type: ignore[attr-defined]
            raise ValidationError(_("Too many wrong passwords: try again in %d minutes.") % minutes) from None
