"""What the page of an incident shows of others: its main incident, its duplicates, reports with the same number."""

from dataclasses import dataclass, field
from typing import Any

from django.contrib.admin.views.main import SEARCH_VAR
from django.db.models import Case, QuerySet, When
from django.urls import reverse

from incidents.models import UNRESOLVED, Incident, Status
from incidents.numbers import name_one_of, numbers_in

REPORTS_SHOWN = 5
DUPLICATES_SHOWN = 10


@dataclass
class Related:
    main: Incident | None
    duplicates: list[Incident]
    more_duplicates: bool
    can_follow: bool  # its duplicates may get its status
    can_be_duplicate: bool
    numbers: list[tuple[str, str]] = field(default_factory=list)  # and the address of the list of all that name it
    reports: list[Incident] = field(default_factory=list)
    more_reports: bool = False


def related_to(incident: Incident) -> Related:
    duplicates = list(incident.duplicates.order_by("-pk").with_excerpts()[: DUPLICATES_SHOWN + 1])
    main = None
    if incident.duplicate_of_id:
        main = Incident.objects.with_excerpts().filter(pk=incident.duplicate_of_id).first()
    is_done = bool(duplicates) and incident.status not in UNRESOLVED
    related = Related(
        main=main,
        duplicates=duplicates[:DUPLICATES_SHOWN],
        more_duplicates=len(duplicates) > DUPLICATES_SHOWN,
        can_follow=is_done and incident.duplicates.exclude(status=incident.status).exists(),
        can_be_duplicate=not (main or duplicates or incident.status == Status.CLOSED),
    )
    if numbers := numbers_in(incident.description):
        url = reverse("admin:incidents_incident_changelist")
        known = [incident.pk, *([main.pk] if main else []), *(each.pk for each in duplicates)]
        reports = list(reports_naming(numbers).exclude(pk__in=known)[: REPORTS_SHOWN + 1])
        related.numbers = [(number, f"{url}?{SEARCH_VAR}=%22{number}%22") for number in numbers]
        related.reports, related.more_reports = reports[:REPORTS_SHOWN], len(reports) > REPORTS_SHOWN
    return related


def reports_naming(numbers: list[str]) -> QuerySet[Incident, Any]:
    """Finds incidents whose description has one of the numbers: unresolved ones first, then the newest."""
    found = Incident.objects.filter(name_one_of(numbers))
    rank = Case(When(status__in=UNRESOLVED, then=0), default=1)
    return found.order_by(rank, "-created_at", "-pk").with_excerpts()
