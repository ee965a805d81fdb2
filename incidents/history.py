"""What the desk reads of the incidents' history."""

from collections.abc import Iterable

from django.db.models import Case, OuterRef, Q, Subquery, When

from incidents.models import UNRESOLVED, Incident, IncidentChange, Status


def taken_by(incident_ids: Iterable[int]) -> dict[int, str]:
    """
    Who took each incident: the actor of its last change to `in_progress`, in one query.

    Resolved and closed incidents keep it, open ones have none: a reopened incident waits to be taken anew. An undo
    restores it.
    """
    # Reads the index of the history backwards, no further than the last such change.
    decisive = IncidentChange.objects.filter(
        Q(changes__status__1__in=UNRESOLVED) | Q(taken_by__isnull=False), incident=OuterRef("pk")
    ).order_by("-id")
    taker = Case(
        When(taken_by__isnull=False, then="taken_by"), When(changes__status__1=Status.IN_PROGRESS, then="actor")
    )
    incidents = Incident.objects.filter(pk__in=list(incident_ids))
    rows = incidents.values_list("pk", Subquery(decisive.values(taker=taker)[:1]))
    return {pk: taker for pk, taker in rows if taker}


def last_status_changes(incident_ids: Iterable[int]) -> dict[int, int]:
    """The id of the entry by which each incident got its present status, in one query."""
    status_changes = IncidentChange.objects.filter(incident=OuterRef("pk"), changes__has_key="status").order_by("-id")
    incidents = Incident.objects.filter(pk__in=list(incident_ids))
    return dict(incidents.values_list("pk", Subquery(status_changes.values("id")[:1])))
