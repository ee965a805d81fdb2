"""The only two writers of incidents: whoever changes one, the history and the moment of the change follow."""

from datetime import timedelta
from typing import Any

from django.db import transaction
from django.utils import timezone

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


def change_incident(incident_id: int, *, values: dict[str, Any], actor: str, channel: str) -> Incident:
    """
    The incident with `values` of its writable fields; nothing is written where nothing differs.

    Raises Incident.DoesNotExist.
    """
    with transaction.atomic():
        incident = Incident.objects.select_for_update().get(pk=incident_id)
        changes = {
            field: [getattr(incident, field), value]
            for field, value in values.items()
            if value != getattr(incident, field)
        }
        if changes:
            for field, (_, value) in changes.items():
                setattr(incident, field, value)
            # Strictly later than the last change, whatever the clock does: the ETag is made of it.
            incident.updated_at = max(timezone.now(), incident.updated_at + timedelta(microseconds=1))
            incident.save(update_fields=[*changes, "updated_at"])
            IncidentChange.objects.create(
                incident=incident, at=incident.updated_at, actor=actor, channel=channel, changes=changes
            )
    return incident
