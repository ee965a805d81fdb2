"""The only writers of incidents: each writes the history of its changes in the same transaction."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import chain
from operator import attrgetter
from typing import Any

import orjson
from django.db import transaction
from django.http import Http404
from django.utils import timezone
from django.utils.translation import gettext as _

from core.api.exceptions import PreconditionFailed, ServiceUnavailable
from core.api.preconditions import Preconditions
from core.log.context import current_request_id
from incidents.actors import Actor, Named
from incidents.exceptions import NotADuplicate
from incidents.models import UNRESOLVED, Attachment, Incident, IncidentChange, Status
from incidents.store import store
from incidents.text import normalize_line_breaks

WRITABLE = ("description", "status", "source")  # in the API's representation of an incident
CHANGEABLE = (*WRITABLE, "urgent")
MAX_ATTEMPTS = 20
FEW = 3  # rows that are written in a statement each: COPY takes several
INCIDENT_COLUMNS = ("id", "description", "status", "source", "urgent", "created_at", "updated_at")
values_of = attrgetter(*INCIDENT_COLUMNS)


def create_incident(
    *,
    description: str,
    source: str,
    status: str = Status.OPEN,
    urgent: bool = False,
    created_at: datetime | None = None,
    actor: Actor,
    channel: str,
) -> Incident:
    """
    Records an incident, committed together with the first entry of its history.

    `created_at` is for reports that are older than their record, such as imports; one in the future, by the sender's
    clock, becomes now. `updated_at` is always now: clients ask for what was recorded since. Raises what `actor.accept`
    raises.
    """
    incident = new_incident(description=description, source=source, status=status, urgent=urgent, created_at=created_at)
    store.insert_incident(incident, _first_entry(incident, "", channel), actor)
    return incident


def new_incident(
    *,
    description: str,
    source: str,
    status: str = Status.OPEN,
    urgent: bool = False,
    created_at: datetime | None = None,
) -> Incident:
    """Returns an incident as `create_incident` records it, for `import_incidents`."""
    now = timezone.now()
    return Incident(
        description=normalize_line_breaks(description),
        status=status,
        source=source,
        urgent=urgent,
        created_at=min(created_at or now, now),
        updated_at=now,
    )


def _first_entry(incident: Incident, actor: str, channel: str) -> IncidentChange:
    changes = _first_values(incident)
    return IncidentChange(incident=incident, at=incident.created_at, actor=actor, channel=channel, changes=changes)


def _first_values(incident: Incident) -> dict[str, list[Any]]:
    changes = {field: [None, getattr(incident, field)] for field in WRITABLE}
    return changes | {"urgent": [None, True]} if incident.urgent else changes


def change_incident(
    incident: Incident,
    *,
    values: Mapping[str, str | bool],
    actor: Actor,
    channel: str,
    preconditions: Preconditions | None = None,
    taken_by: str | None = None,
    duplicate_of: int | None = None,
) -> Incident:
    """
    Changes fields of the incident as it was read, and returns it; writes nothing if nothing differs.

    `values` may have `taken_by` beside the fields of CHANGEABLE, to hand the incident over. As a parameter, `taken_by`
    marks an undo: the username of the person who has taken the incident after it, or "".
    `duplicate_of` is the main incident that a change to resolved or closed links it to; a change of a duplicate to
    another status takes the link away.
    Raises PreconditionFailed, Http404 where it was archived meanwhile, NotADuplicate, or ServiceUnavailable where
    other writers were faster MAX_ATTEMPTS times in a row.
    """
    username = actor.check()
    values = {
        field: normalize_line_breaks(value) if isinstance(value, str) else value for field, value in values.items()
    }
    # Optimistic locking: UPDATE … WHERE updated_at is unchanged (compare-and-swap), else re-read and retry.
    for _attempt in range(MAX_ATTEMPTS):
        if preconditions and preconditions.failed(incident.etag):
            raise PreconditionFailed
        changes = {field: [old, value] for field, value in values.items() if value != (old := getattr(incident, field))}
        if not changes:
            return incident
        is_reopened = incident.status not in UNRESOLVED and values.get("status") in UNRESOLVED
        if duplicate_of or is_reopened:
            changes |= _link_changes(incident.duplicate_of_id, duplicate_of)
        entry = IncidentChange(incident=incident, actor=username, channel=channel, changes=changes, taken_by=taken_by)
        if _write_linked(entry) if "duplicate_of" in changes else _write(entry):
            return incident
        try:
            incident.refresh_from_db()
        except Incident.DoesNotExist:
            raise Http404 from None
    raise ServiceUnavailable


def _link_changes(former: int | None, main: int | None) -> dict[str, list[str | None]]:
    return {} if former == main else {"duplicate_of": [None if pk is None else str(pk) for pk in (former, main)]}


def _write(entry: IncidentChange) -> bool:
    """Writes the entry's changes and the entry, unless the incident is no longer as it was read; returns whether so."""
    incident, now = entry.incident, timezone.now()
    # Later than the last change even where the clock stood still or went back: the ETag is made of it.
    updated_at = max(now, incident.updated_at + timedelta(microseconds=1))
    entry.at = max(now, incident.created_at)
    if not store.update_incident(incident, entry, updated_at):
        return False
    for column, value in entry.values().items():
        setattr(incident, column, value)
    incident.updated_at = updated_at
    # A trigger may have changed it: it is read again where it is needed.
    vars(incident).pop("taken_by", None)
    return True


@transaction.atomic
def _write_linked(entry: IncidentChange) -> bool:
    """Does what `_write` does, and writes into the history of the main incident that it has a duplicate, or had."""
    incident, number = entry.incident, str(entry.incident_id)
    former, main = entry.changes["duplicate_of"]
    found = lock_incidents([incident.pk, *(int(pk) for pk in (former, main) if pk)])
    if main:
        _check_main(incident, found.get(int(main)))
    if not _write(entry):
        return False
    for pk, change in ((former, [number, None]), (main, [None, number])):
        if pk:
            _write(
                IncidentChange(
                    incident=found[int(pk)],
                    actor=entry.actor,
                    channel=entry.channel,
                    changes={"duplicate": change},
                )
            )
    return True


def _check_main(incident: Incident, main: Incident | None) -> None:
    """Raises NotADuplicate unless `main` can be the main incident. Both are locked."""
    if main is None:
        raise NotADuplicate(_("There is no incident with this number."))
    if main.pk == incident.pk:
        raise NotADuplicate(_("An incident is no duplicate of itself."))
    if main.duplicate_of_id:
        text = _("%(main)s is itself a duplicate: enter №%(number)d, the main one.")
        raise NotADuplicate(text % {"main": main, "number": main.duplicate_of_id})
    if duplicate := Incident.objects.filter(duplicate_of=incident.pk).order_by("pk").first():
        text = _("%(incident)s has duplicates of its own, such as %(duplicate)s: make it the main one.")
        raise NotADuplicate(text % {"incident": incident, "duplicate": duplicate})


def lock_incidents(ids: Iterable[int]) -> dict[int, Incident]:
    """Returns the incidents by their ids; they stay as they are until the transaction ends."""
    # In the order of the ids: two transactions that lock the same in one call each do not wait for each other.
    incidents = Incident.objects.filter(pk__in=set(ids)).order_by("pk")
    return {incident.pk: incident for incident in incidents.select_for_update(no_key=True)}


def with_mains(ids: Iterable[int]) -> set[int]:
    """Adds the main incidents of duplicates: a change of a duplicate's status may write to them as well."""
    ids = set(ids)
    mains = Incident.objects.filter(pk__in=ids, duplicate_of__isnull=False).values_list("duplicate_of", flat=True)
    return ids.union(main for main in mains if main)


def add_comment(
    *, incident_id: int, text: str, replaces: str | None = None, actor: Actor, channel: str
) -> IncidentChange:
    """
    Writes a comment as an entry of the incident's history. Raises what `actor.accept` raises.

    `replaces` is the comment as it was, where its author edited it.
    """
    changes = {"comment": [replaces, normalize_line_breaks(text)]}
    entry = IncidentChange(incident_id=incident_id, at=timezone.now(), channel=channel, changes=changes)
    store.insert_entry(entry, actor)
    return entry


def add_comments(incident_ids: Iterable[int], text: str, *, actor: Actor, channel: str) -> None:
    """Writes the same comment on several incidents, in one statement."""
    username, now = actor.check(), timezone.now()
    changes = {"comment": [None, normalize_line_breaks(text)]}
    IncidentChange.objects.bulk_create(
        IncidentChange(incident_id=pk, at=now, actor=username, channel=channel, changes=changes) for pk in incident_ids
    )


def lock_statuses(ids: Iterable[int]) -> dict[int, str]:
    """Returns the statuses of incidents, which stay until the transaction ends."""
    return store.lock_statuses(list(with_mains(ids)))


def change_statuses(ids: Iterable[int], status: str, *, actor: Actor, channel: str) -> None:
    """Changes the status of incidents in bulk, like `change_incident`, but leaves alone those that are closed."""
    ids, username = list(ids), actor.check()
    if status in UNRESOLVED:
        # Few: the statement for the others knows no links.
        for incident in Incident.objects.filter(pk__in=ids, duplicate_of__isnull=False).exclude(status=Status.CLOSED):
            change_incident(incident, values={"status": status}, actor=Named(username), channel=channel)
    store.change_many(ids, "status", status, at=timezone.now(), actor=username, channel=channel)


def mark_urgent(ids: Iterable[int], *, actor: Actor, channel: str) -> None:
    """Marks incidents as urgent in bulk, as `change_statuses` does."""
    store.change_many(list(ids), "urgent", True, at=timezone.now(), actor=actor.check(), channel=channel)


@dataclass(frozen=True, slots=True)
class Comment:
    """A comment on an incident, by an actor that needs no check."""

    incident: Incident
    text: str
    at: datetime
    actor: str


@dataclass(frozen=True, slots=True)
class AttachedFile:
    """An attachment that came with a report or a comment: its incident may be new, its entry is written with it."""

    attachment: Attachment
    at: datetime
    actor: str

    @property
    def incident(self) -> Incident:
        return self.attachment.incident


def import_incidents(
    incidents: Sequence[tuple[Incident, str]], comments: Sequence[Comment | AttachedFile], *, channel: str
) -> None:
    """
    Records in bulk what was reported elsewhere before: new incidents, each with its author's name, comments and files.

    The incidents get their ids; a comment or a file may be of one of them.
    """
    if len(incidents) <= FEW and not comments:
        for incident, actor in incidents:
            store.insert_incident(incident, _first_entry(incident, actor, channel), Named(actor))
        return
    with transaction.atomic():
        for (incident, _), pk in zip(incidents, store.reserve_ids(Incident, len(incidents)), strict=True):
            incident.pk = pk
        store.insert_rows(
            Incident,
            INCIDENT_COLUMNS,
            map(values_of, (each for each, _ in incidents)),
        )
        created = ((each, each.created_at, actor, _first_values(each)) for each, actor in incidents)
        said = ((each.incident, each.at, each.actor, _said(each)) for each in comments)
        request_id = current_request_id()
        pks = store.reserve_entry_ids(len(incidents) + len(comments))
        store.insert_rows(
            IncidentChange,
            ("id", "incident_id", "at", "actor", "channel", "changes", "request_id"),
            (
                (pk, incident.pk, at, actor, channel, orjson.dumps(changes).decode(), request_id)
                for pk, (incident, at, actor, changes) in zip(pks, chain(created, said), strict=True)
            ),
        )
        attachments = []
        for pk, each in zip(pks[len(incidents) :], comments, strict=True):
            if isinstance(each, AttachedFile):
                each.attachment.change_id, each.attachment.created_at = pk, each.at
                attachments.append(each.attachment)
        Attachment.objects.bulk_create(attachments)


def _said(entry: Comment | AttachedFile) -> dict[str, list[str | None]]:
    if isinstance(entry, AttachedFile):
        return {"attachment": [None, entry.attachment.name]}
    return {"comment": [None, entry.text]}
