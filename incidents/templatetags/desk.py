"""Template filters that the pages of the operators' desk share."""

from datetime import datetime, timedelta

from django import template
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.timesince import timesince
from django.utils.translation import gettext as _

from incidents.models import Status

register = template.Library()


@register.filter
def status_pill(status: str) -> SafeString:
    return format_html('<span class="pill pill-{}">{}</span>', status, Status(status).label)


@register.filter
def age(at: datetime) -> SafeString:
    """How long ago, in words; on hover the time itself in the current time zone, with the zone's name."""
    local = timezone.localtime(at)
    words = _("just now") if timezone.now() - at < timedelta(minutes=1) else timesince(at, depth=1)
    title = f"{date_format(local, 'DATETIME_FORMAT')} {local.tzname()}"
    return format_html('<time class="age" datetime="{}" title="{}">{}</time>', local.isoformat(), title, words)
