"""Time zones: the one in which the admin shows times to a user, and the field of a form for one."""

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


def zone_named(name: str, otherwise: str) -> ZoneInfo:
    """Returns the zone of the name, or the other one: an upgrade of the system may have removed it."""
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        return ZoneInfo(otherwise)


def zone_of(user: Any) -> ZoneInfo:
    """Returns the zone that the user has chosen, else TIME_ZONE_DISPLAY."""
    return zone_named(getattr(user, "time_zone", "") or settings.TIME_ZONE_DISPLAY, settings.TIME_ZONE_DISPLAY)


class TimeZoneInput(forms.TextInput):
    """Suggests the zones whose names contain what was typed."""

    template_name = "identity/time_zone.html"

    def get_context(self, name: str, value: Any, attrs: dict[str, Any] | None) -> dict[str, Any]:
        attrs = {**(attrs or {}), "list": "time-zones", "placeholder": settings.TIME_ZONE_DISPLAY}
        return {**super().get_context(name, value, attrs), "zones": sorted(available_timezones())}
