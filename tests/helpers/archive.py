"""Archiving, by its commands."""

from pathlib import Path
from typing import Any

from django.core.management import call_command
from django.utils import timezone

from incidents import archive
from incidents.actors import Named
from incidents.models import Incident
from incidents.services import change_incident


def close(*incidents: Incident) -> None:
    for incident in incidents:
        change_incident(incident, values={"status": "closed"}, actor=Named("b"), channel="admin")


def write(path: Path, **options: Any) -> None:
    """Archives all that was closed and is left alone."""
    call_command("archive", str(path), **{"before": timezone.now().isoformat()} | options)


def restore(path: Path) -> None:
    call_command("restore_archive", str(path))


def content() -> dict[str, list[Any]]:
    """All rows of the tables that go along."""
    return {
        table.model._meta.label: [
            {name: bytes(value) if isinstance(value, memoryview) else value for name, value in row.items()}
            for row in table.model._default_manager.order_by("pk").values()
        ]
        for table in archive.tables
    }
