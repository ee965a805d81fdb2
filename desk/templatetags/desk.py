"""Template filters that the pages of the operators' desk share."""

import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from django import template
from django.contrib.admin.views.main import ChangeList
from django.template.defaultfilters import stringfilter
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.timesince import timesince
from django.utils.translation import gettext as _

from desk.filters import OpenForFilter
from identity.models import User
from incidents.models import UNRESOLVED, Incident, Status

register = template.Library()

# To the next white space, bracket, quotation mark or mark of direction
URL = re.compile(r"\bhttps?://[^\s<>\"“”„«»\u200b-\u200f\u202a-\u202e\u2060-\u2069]+", re.IGNORECASE)
MAX_MINE = 99


@register.filter
def status_pill(status: str) -> SafeString:
    return format_html('<span class="pill pill-{}">{}</span>', status, Status(status).label)


@register.filter
def urgent_mark(urgent: bool) -> SafeString:
    """Marks what is urgent, by a sign and a word as well as by a color; returns nothing for what is not."""
    if not urgent:
        return SafeString("")
    return format_html('<strong class="urgent"><span aria-hidden="true">!</span> {}</strong>', _("Urgent"))


@register.filter
def age(at: datetime, classes: str = "age") -> SafeString:
    """Says how long ago, in words; on hover the time itself in the current time zone, with the zone's name."""
    local = timezone.localtime(at)
    words = _("just now") if timezone.now() - at < timedelta(minutes=1) else timesince(at, depth=1)
    title = f"{date_format(local, 'DATETIME_FORMAT')} {local.tzname()}"
    return format_html('<time class="{}" datetime="{}" title="{}">{}</time>', classes, local.isoformat(), title, words)


@register.filter
def open_age(incident: Incident) -> SafeString:
    """Says the age of an incident; of an unresolved one with the step of the list's filter that it has passed."""
    passed = timezone.now() - incident.created_at
    steps = [value for value, (step, _label) in OpenForFilter.AGES.items() if passed > step]
    if not steps or incident.status not in UNRESOLVED:
        return age(incident.created_at)
    return age(incident.created_at, f"age open-for-{steps[-1]}")


@register.filter
def person(username: str, name: str) -> SafeString:
    """Shows the name, and on hover the username, if that is another."""
    return format_html('<span title="{}">{}</span>', username, name) if username != name else format_html("{}", name)


@register.simple_tag
def mine(user: User) -> dict[str, Any]:
    """Returns the address of the list of the incidents that the user has now, and their number, up to MAX_MINE."""
    filters = {"taken_by": user.get_username(), "status__exact": Status.IN_PROGRESS}
    url = reverse("admin:incidents_incident_changelist", query=filters)
    n = Incident.objects.filter(taken_by=user.get_username(), status=Status.IN_PROGRESS)[: MAX_MINE + 1].count()
    return {"url": url, "n": min(n, MAX_MINE), "more": n > MAX_MINE}


@register.filter
def phone_classes(changelist: ChangeList) -> str:
    """Returns the classes of the page that hide columns of a list on a phone, by their places."""
    hidden = getattr(changelist.model_admin, "phone_hidden", ())  # of a ListAdmin: other apps have ModelAdmins
    columns = enumerate(changelist.list_display, start=1)
    return " ".join(f"phone-hides-{place}" for place, name in columns if name in hidden)


@register.filter
@stringfilter
def linked(text: str) -> SafeString:
    """Makes a link of each http and https address in a text. Django's urlize makes links of names, too."""
    parts: list[Any] = []
    end = 0
    for start, url in _urls(text):
        link = format_html('<a href="{}" target="_blank" rel="noopener">{}</a>', url, url)
        parts += [text[end:start], link]
        end = start + len(url)
    return format_html_join("", "{}", ((part,) for part in [*parts, text[end:]]))


def _urls(text: str) -> Iterator[tuple[int, str]]:
    """Finds where each address begins, and the address without the punctuation of the sentence around it."""
    for match in URL.finditer(text):
        url, before = match[0], ""
        while url != before:
            before = url
            url = url.rstrip(".,:;!?…'’*_`|")
            for opening, closing in ("()", "[]", "{}"):
                if url.endswith(closing) and url.count(closing) > url.count(opening):
                    url = url[:-1]
        if not url.endswith("/") or url.count("/") > 2:
            yield match.start(), url
