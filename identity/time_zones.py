"""The time zone in which the admin shows times to a user."""

from typing import Any
from zoneinfo import ZoneInfo, available_timezones

from django import forms
from django.conf import settings
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _


def validate_time_zone(name: str) -> None:
    """Raises ValidationError."""
    if name not in available_timezones():
        raise ValidationError(_("There is no such time zone: write one such as Europe/Moscow or UTC."))


def zone_of(user: Any) -> ZoneInfo:
    """The zone that the user has chosen, else TIME_ZONE_DISPLAY."""
    try:
        return ZoneInfo(getattr(user, "time_zone", "") or settings.TIME_ZONE_DISPLAY)
    except (KeyError, ValueError, OSError):  # an upgrade of the system may remove a zone
        return ZoneInfo(settings.TIME_ZONE_DISPLAY)


class TimeZoneInput(forms.TextInput):
    """Suggests the zones whose names contain what was typed."""

    template_name = "identity/time_zone.html"

    def get_context(self, name: str, value: Any, attrs: dict[str, Any] | None) -> dict[str, Any]:
        attrs = {**(attrs or {}), "list": "time-zones", "placeholder": settings.TIME_ZONE_DISPLAY}
        return {**super().get_context(name, value, attrs), "zones": sorted(available_timezones())}
