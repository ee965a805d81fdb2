"""The only two writers of incidents: whoever changes one, its history and the moment of the change follow."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import orjson
from django.db import connection, transaction
from django.utils import timezone
from psycopg.types.json import Jsonb

from core.api.exceptions import PreconditionFailed, ServiceUnavailable
from core.api.preconditions import Preconditions
from core.db.postgresql import fetch
from identity.tokens import Bearer
from incidents.models import Incident, IncidentChange, Status

WRITABLE = ("description", "status", "source")
ATTEMPTS = 20


def create_incident(
    *, description: str, source: str, status: str = Status.OPEN, actor: str | Bearer, channel: str
) -> Incident:
    """
    The new incident, committed together with the first entry of its history.

    Raises InvalidToken for an actor who is a bearer and cannot be confirmed.
    """
    now = timezone.now()
    incident = Incident(description=description, status=status, source=source, created_at=now, updated_at=now)
    changes = {field: [None, getattr(incident, field)] for field in WRITABLE}
    _insert(incident, actor, at=now, channel=channel, changes=changes)
    return incident


def change_incident(
    incident: Incident,
    *,
    values: Mapping[str, str],
    actor: str,
    channel: str,
    preconditions: Preconditions | None = None,
) -> Incident:
    """
    The incident, as it was read, with `values` in its writable fields; nothing is written where nothing differs.

    Raises PreconditionFailed, or ServiceUnavailable where other writers were faster ATTEMPTS times in a row.
    """
    # Optimistic locking: UPDATE … WHERE updated_at is unchanged (compare-and-swap), else re-read and retry.
    for _ in range(ATTEMPTS):
        if preconditions and preconditions.failed(incident.etag):
            raise PreconditionFailed
        changes = {field: [old, value] for field, value in values.items() if value != (old := getattr(incident, field))}
        # Later than the last change even where the clock stood still or went back: the ETag is made of it.
        at = max(timezone.now(), incident.updated_at + timedelta(microseconds=1))
        if not changes or _update(incident, at=at, actor=actor, channel=channel, changes=changes):
            return incident
        incident.refresh_from_db()
    raise ServiceUnavailable


# On PostgreSQL one statement writes the incident and its history, and is a transaction by itself.

CHANGE = """
change AS (
  INSERT INTO incidents_incidentchange (incident_id, at, actor, channel, changes)
  SELECT id, %(at)s, username, %(channel)s, %(changes)s FROM incident, actor
)
SELECT username, id FROM actor, incident
"""
ACTOR = "SELECT %(actor)s::varchar AS username"
INSERT = f"""
WITH actor AS ({{actor}}), incident AS (
  INSERT INTO incidents_incident (description, status, source, created_at, updated_at)
  SELECT %(description)s, %(status)s, %(source)s, %(at)s, %(at)s FROM actor RETURNING id
), {CHANGE}
"""  # noqa: S608
INSERT_BY_NAME, INSERT_BY_BEARER = INSERT.format(actor=ACTOR), INSERT.format(actor=Bearer.CONFIRMED)
UPDATE = f"""
WITH actor AS ({ACTOR}), incident AS (
  UPDATE incidents_incident SET {{columns}}, updated_at = %(at)s
  WHERE id = %(id)s AND updated_at = %(unchanged_since)s RETURNING id
), {CHANGE}
"""  # noqa: S608


def _insert(incident: Incident, actor: str | Bearer, **change: Any) -> None:
    if connection.vendor == "postgresql":
        values = {field: getattr(incident, field) for field in WRITABLE}
        values |= change | {"changes": Jsonb(change["changes"], orjson.dumps)}
        if isinstance(actor, str):
            ((_, incident.pk),) = fetch(INSERT_BY_NAME, values | {"actor": actor})
        else:
            _, incident.pk = actor.confirmed(fetch(INSERT_BY_BEARER, values | actor.claims))
        incident._state.adding = False
    else:
        with transaction.atomic():
            actor = actor if isinstance(actor, str) else actor.confirm()
            incident.save()
            IncidentChange.objects.create(incident=incident, actor=actor, **change)


def _update(incident: Incident, **change: Any) -> bool:
    """Whether the incident was still as it was read, and now is as `change` says."""
    unchanged_since, incident.updated_at = incident.updated_at, change["at"]
    values = {field: value for field, (_, value) in change["changes"].items()}
    for field, value in values.items():
        setattr(incident, field, value)
    if connection.vendor == "postgresql":
        change["changes"] = Jsonb(change["changes"], orjson.dumps)
        sql = UPDATE.format(columns=", ".join(f"{field} = %({field})s" for field in values))
        return bool(fetch(sql, {**values, **change, "id": incident.pk, "unchanged_since": unchanged_since}))
    # The transaction holds SQLite's write lock from its beginning. Timestamps are compared here: SQLite compares their
    # texts, which differ where another program wrote the same time in another format.
    with transaction.atomic():
        row = Incident.objects.filter(pk=incident.pk)
        if row.values_list("updated_at", flat=True).get() != unchanged_since:
            return False
        row.update(**values, updated_at=change["at"])
        IncidentChange.objects.create(incident=incident, **change)
        return True
