"""The only writers of incidents: each writes the history of its changes in the same transaction."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import orjson
from django.db import connection, transaction
from django.utils import timezone
from psycopg.types.json import Jsonb

from core.api.exceptions import PreconditionFailed, ServiceUnavailable
from core.api.preconditions import Preconditions
from core.db.postgresql import fetch
from core.log.context import current_request_id
from incidents.actors import Actor, Named
from incidents.models import Incident, IncidentChange, Status
from incidents.text import normalize_line_breaks

WRITABLE = ("description", "status", "source")
ATTEMPTS = 20


def create_incident(
    *,
    description: str,
    source: str,
    status: str = Status.OPEN,
    created_at: datetime | None = None,
    actor: Actor,
    channel: str,
) -> Incident:
    """
    The new incident, committed together with the first entry of its history.

    `created_at` is for reports that are older than their record, such as imports; one in the future, by the sender's
    clock, becomes now. `updated_at` is always now: clients ask for what was recorded since. Raises what `actor.accept`
    raises.
    """
    now = timezone.now()
    at = min(created_at or now, now)
    description = normalize_line_breaks(description)
    incident = Incident(description=description, status=status, source=source, created_at=at, updated_at=now)
    changes = {field: [None, getattr(incident, field)] for field in WRITABLE}
    if connection.vendor == "postgresql":
        values = {field: getattr(incident, field) for field in WRITABLE}
        incident.pk = _write(INSERT, actor, at=at, updated_at=now, channel=channel, changes=changes, **values)
        incident._state.adding = False
    else:
        with transaction.atomic():
            username = actor.check()
            incident.save()
            IncidentChange.objects.create(incident=incident, at=at, actor=username, channel=channel, changes=changes)
    return incident


def change_incident(
    incident: Incident,
    *,
    values: Mapping[str, str],
    actor: Actor,
    channel: str,
    preconditions: Preconditions | None = None,
    taken_by: str | None = None,
) -> Incident:
    """
    The incident, as it was read, with `values` in its writable fields; nothing is written where nothing differs.

    `taken_by` marks an undo: who has taken the incident after it, by username, or "".
    Raises PreconditionFailed, or ServiceUnavailable where other writers were faster ATTEMPTS times in a row.
    """
    actor = Named(actor.check())
    values = {field: normalize_line_breaks(value) for field, value in values.items()}
    # Optimistic locking: UPDATE … WHERE updated_at is unchanged (compare-and-swap), else re-read and retry.
    for _ in range(ATTEMPTS):
        if preconditions and preconditions.failed(incident.etag):
            raise PreconditionFailed
        changes = {field: [old, value] for field, value in values.items() if value != (old := getattr(incident, field))}
        now = timezone.now()
        # Later than the last change even where the clock stood still or went back: the ETag is made of it.
        updated_at = max(now, incident.updated_at + timedelta(microseconds=1))
        at = max(now, incident.created_at)
        if not changes or _update(
            incident, actor, updated_at, at=at, channel=channel, changes=changes, taken_by=taken_by
        ):
            return incident
        incident.refresh_from_db()
    raise ServiceUnavailable


def add_comment(
    *, incident_id: int, text: str, replaces: str | None = None, actor: Actor, channel: str
) -> IncidentChange:
    """
    The entry of the incident's history that holds the comment. Raises what `actor.accept` raises.

    `replaces` is the comment as it was, where its author edited it.
    """
    changes: dict[str, Any] = {"comment": [replaces, normalize_line_breaks(text)]}
    entry = IncidentChange(incident_id=incident_id, at=timezone.now(), channel=channel, changes=changes)
    if connection.vendor == "postgresql":
        _write(COMMENT, actor, id=incident_id, at=entry.at, channel=channel, changes=changes)
        entry.actor = actor.check()
    else:
        with transaction.atomic():
            entry.actor = actor.check()
            entry.save()
    return entry


@dataclass(frozen=True, slots=True)
class Comment:
    """On an incident, by an actor that needs no check."""

    incident: Incident
    text: str
    at: datetime
    actor: str


def import_incidents(incidents: Sequence[tuple[Incident, str]], comments: Sequence[Comment], *, channel: str) -> None:
    """
    Records in bulk what was reported elsewhere before: new incidents, each with its author's name, and comments.

    The incidents get their ids; a comment may be on one of them.
    """
    with transaction.atomic():
        Incident.objects.bulk_create(incident for incident, _ in incidents)
        IncidentChange.objects.bulk_create(
            IncidentChange(
                incident=incident,
                at=incident.created_at,
                actor=actor,
                channel=channel,
                changes={field: [None, getattr(incident, field)] for field in WRITABLE},
            )
            for incident, actor in incidents
        )
        IncidentChange.objects.bulk_create(
            IncidentChange(
                incident_id=comment.incident.pk,
                at=comment.at,
                actor=comment.actor,
                channel=channel,
                changes={"comment": [None, comment.text]},
            )
            for comment in comments
        )


# On PostgreSQL one statement checks the actor and writes the incident and its history; it is a transaction by itself.

CHANGE = """
change AS (
  INSERT INTO incidents_incidentchange (incident_id, at, actor, channel, changes, request_id, taken_by)
  SELECT id, %(at)s, username, %(channel)s, %(changes)s, %(request_id)s, %(taken_by)s FROM incident, actor
)
SELECT username, id FROM actor, incident
"""
INSERT = f"""
incident AS (
  INSERT INTO incidents_incident (description, status, source, created_at, updated_at)
  SELECT %(description)s, %(status)s, %(source)s, %(at)s, %(updated_at)s FROM actor RETURNING id
), {CHANGE}
"""  # noqa: S608
UPDATE = f"""
incident AS (
  UPDATE incidents_incident SET {{columns}}, updated_at = %(updated_at)s
  WHERE id = %(id)s AND updated_at = %(unchanged_since)s RETURNING id
), {CHANGE}
"""  # noqa: S608
COMMENT = f"incident AS (SELECT %(id)s::bigint AS id), {CHANGE}"


def _write(sql: str, actor: Actor, *, changes: dict[str, Any], **params: Any) -> int:
    """The incident's id. Raises what `actor.accept` raises."""
    params |= {
        "changes": Jsonb(changes, orjson.dumps),
        "request_id": current_request_id(),
        "taken_by": None,
        **actor.params,
    }
    rows = fetch(f"WITH actor AS ({actor.sql}), {sql}", params)
    actor.accept(rows[0][0] if rows else None)
    return rows[0][1]


def _update(incident: Incident, actor: Actor, updated_at: datetime, **change: Any) -> bool:
    """Whether the incident was still as it was read, and now is as `change` says."""
    unchanged_since, incident.updated_at = incident.updated_at, updated_at
    values = {field: value for field, (_, value) in change["changes"].items()}
    for field, value in values.items():
        setattr(incident, field, value)
    if connection.vendor == "postgresql":
        sql = UPDATE.format(columns=", ".join(f"{field} = %({field})s" for field in values))
        params = change | {"changes": Jsonb(change["changes"], orjson.dumps), **actor.params, **values}
        params |= {"id": incident.pk, "unchanged_since": unchanged_since, "updated_at": updated_at}
        params |= {"request_id": current_request_id()}
        return bool(fetch(f"WITH actor AS ({actor.sql}), {sql}", params))
    # The transaction holds SQLite's write lock from its beginning. Timestamps are compared here: SQLite compares their
    # texts, which differ where another program wrote the same time in another format.
    with transaction.atomic():
        row = Incident.objects.filter(pk=incident.pk)
        if row.values_list("updated_at", flat=True).get() != unchanged_since:
            return False
        row.update(**values, updated_at=updated_at)
        IncidentChange.objects.create(incident=incident, actor=actor.check(), **change)
        return True
