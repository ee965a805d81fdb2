"""What the desk reads of the incidents' history."""

from collections.abc import Iterable

from django.db.models import Case, OuterRef, Subquery, When

from incidents.models import UNRESOLVED, Incident, IncidentChange, Status


def taken_by(incident_ids: Iterable[int]) -> dict[int, str]:
    """
    Who took each incident: the actor of its last change to `in_progress`, in one query.

    Resolved and closed incidents keep it, open ones have none: a reopened incident waits to be taken anew.
    """
    # Reads the index of the history backwards, no further than the last such change.
    taken_or_opened = IncidentChange.objects.filter(
        incident=OuterRef("pk"), changes__status__1__in=UNRESOLVED
    ).order_by("-id")
    actor = Case(When(changes__status__1=Status.IN_PROGRESS, then="actor"))
    incidents = Incident.objects.filter(pk__in=list(incident_ids))
    rows = incidents.values_list("pk", Subquery(taken_or_opened.values(taker=actor)[:1]))
    return {pk: taker for pk, taker in rows if taker is not None}
