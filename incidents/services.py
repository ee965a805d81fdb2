"""The only two writers of incidents: whoever changes one, its history and the moment of the change follow."""

from collections.abc import Mapping
from datetime import timedelta

from django.db import transaction
from django.utils import timezone

from core.exceptions import PreconditionFailed
from core.preconditions import Preconditions
from incidents.models import Incident, IncidentChange, Status

WRITABLE = ("description", "status", "source")


def create_incident(*, description: str, source: str, status: str = Status.OPEN, actor: str, channel: str) -> Incident:
    """The new incident, committed together with the first entry of its history."""
    with transaction.atomic():
        now = timezone.now()
        incident = Incident.objects.create(
            description=description, status=status, source=source, created_at=now, updated_at=now
        )
        changes = {field: [None, getattr(incident, field)] for field in WRITABLE}
        IncidentChange.objects.create(incident=incident, at=now, actor=actor, channel=channel, changes=changes)
    return incident


def change_incident(
    incident_id: int,
    *,
    values: Mapping[str, str],
    actor: str,
    channel: str,
    preconditions: Preconditions | None = None,
) -> Incident:
    """
    The incident with `values` in its writable fields; nothing is written where nothing differs.

    Raises Incident.DoesNotExist and, judged under the row's lock, PreconditionFailed.
    """
    with transaction.atomic():
        incident = Incident.objects.select_for_update().get(pk=incident_id)
        if preconditions and preconditions.fail(incident.etag):
            raise PreconditionFailed
        changes = {field: [old, value] for field, value in values.items() if value != (old := getattr(incident, field))}
        if changes:
            for field, (_, value) in changes.items():
                setattr(incident, field, value)
            # Later than the last change even where the clock stood still or went back: the ETag is made of it.
            incident.updated_at = max(timezone.now(), incident.updated_at + timedelta(microseconds=1))
            incident.save(update_fields=[*changes, "updated_at"])
            IncidentChange.objects.create(
                incident=incident, at=incident.updated_at, actor=actor, channel=channel, changes=changes
            )
    return incident
