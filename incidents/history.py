"""What the desk reads of the incidents' history."""

from collections.abc import Collection, Iterable
from typing import Any

from django.db.models import Case, OuterRef, Q, QuerySet, Subquery, When

from identity.models import User
from incidents.models import UNRESOLVED, Channel, Incident, IncidentChange, Status

BY_USERS = (Channel.API, Channel.ADMIN, Channel.TELEGRAM)


def with_takers(incidents: QuerySet[Incident]) -> QuerySet[Any, Any]:
    """
    Adds who took each incident as `taken_by`: the actor of its last change to `in_progress`; None if no one has.

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
    return incidents.annotate(taken_by=Subquery(decisive.values(taker=taker)[:1]))


def taken_by(incident_ids: Iterable[int]) -> dict[int, str]:
    """Finds who took each incident, as `with_takers` does, in one query."""
    incidents = with_takers(Incident.objects.filter(pk__in=list(incident_ids)))
    return {pk: taker for pk, taker in incidents.values_list("pk", "taken_by") if taker}


def last_status_changes(incident_ids: Iterable[int]) -> dict[int, int]:
    """Finds the id of the entry by which each incident got its present status, in one query."""
    status_changes = IncidentChange.objects.filter(incident=OuterRef("pk"), changes__has_key="status").order_by("-id")
    incidents = Incident.objects.filter(pk__in=list(incident_ids))
    return dict(incidents.values_list("pk", Subquery(status_changes.values("id")[:1])))


def full_names(usernames: Iterable[str] | None = None) -> dict[str, str]:
    """Finds the full names of those users who have one, in one query; None: of all users."""
    users = User.objects.only("username", "last_name", "first_name", "patronymic")
    if usernames is not None:
        users = users.filter(username__in=set(usernames))
    return {user.username: name for user in users if (name := user.get_full_name().strip())}


def names_of_takers(incident_ids: Iterable[int]) -> dict[int, str]:
    """Names who took each incident, as `taken_by` finds: people by full names where there are some."""
    takers = taken_by(incident_ids)
    names = full_names(takers.values())
    return {pk: names.get(taker, taker) for pk, taker in takers.items()}


def name_authors(entries: Collection[IncidentChange]) -> None:
    """Sets `author` of each entry, in one query: for people, the full name of a user who has one, else the actor."""
    # A system or an author elsewhere may have the name of a user.
    names = full_names(entry.actor for entry in entries if entry.channel in BY_USERS)
    for entry in entries:
        entry.author = names.get(entry.actor, entry.actor) if entry.channel in BY_USERS else entry.actor
