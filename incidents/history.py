"""What the desk reads of the incidents' history."""

from collections.abc import Collection, Iterable
from itertools import chain

from django.db.models import OuterRef, Q, Subquery

from identity.models import User
from incidents.models import Channel, Incident, IncidentChange

BY_USERS = (Channel.API, Channel.ADMIN, Channel.TELEGRAM)
STATUS_OR_TAKER = Q(changes__has_any_keys=["status", "taken_by"])


def last_status_changes(incident_ids: Iterable[int]) -> dict[int, int]:
    """Finds the id of the entry by which each incident got its present status, or taker, in one query."""
    status_changes = IncidentChange.objects.filter(STATUS_OR_TAKER, incident=OuterRef("pk")).order_by("-id")
    incidents = Incident.objects.filter(pk__in=list(incident_ids))
    return dict(incidents.values_list("pk", Subquery(status_changes.values("id")[:1])))


def full_names(usernames: Iterable[str] | None = None) -> dict[str, str]:
    """Finds the full names of those users who have one, in one query; None: of all users."""
    users = User.objects.only("username", "last_name", "first_name", "patronymic")
    if usernames is not None:
        users = users.filter(username__in=set(usernames))
    return {user.username: name for user in users if (name := user.get_full_name().strip())}


def names_of_takers(incidents: Collection[Incident]) -> dict[int, str]:
    """Names who took each incident that is taken, in one query: people by full names where there are some."""
    names = full_names(filter(None, (incident.taken_by for incident in incidents)))
    return {incident.pk: names.get(incident.taken_by, incident.taken_by) for incident in incidents if incident.taken_by}


def name_authors(entries: Collection[IncidentChange], *, takers: bool = True) -> None:
    """Sets `author` and, from `changes`, `taker_names` of each entry, in one query: full names where there are some."""
    # A system or an author elsewhere may have the name of a user.
    actors = [entry.actor for entry in entries if entry.channel in BY_USERS]
    taken = [entry.changes.get("taken_by", ()) if takers else () for entry in entries]
    names = full_names([*actors, *chain.from_iterable(taken)])
    for entry, usernames in zip(entries, taken, strict=True):
        entry.author = names.get(entry.actor, entry.actor) if entry.channel in BY_USERS else entry.actor
        entry.taker_names = [names.get(taker, taker) or "—" for taker in usernames]
