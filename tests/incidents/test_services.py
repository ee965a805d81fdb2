"""What the services take beyond what the API sends."""

from datetime import UTC, datetime, timedelta

import pytest
from django.utils import timezone

from incidents.actors import Named
from incidents.models import Incident
from incidents.services import create_incident

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]

REPORT = {"description": "x", "source": "operator", "actor": Named("a"), "channel": "telegram"}


def test_an_imported_report_keeps_its_date():
    date = datetime(2020, 2, 29, 12, tzinfo=UTC)
    create_incident(**REPORT, created_at=date)
    incident = Incident.objects.get()
    assert (incident.created_at, incident.updated_at, incident.changes.get().at) == (date, date, date)


def test_a_date_in_the_future_is_now():
    create_incident(**REPORT, created_at=timezone.now() + timedelta(days=1))
    assert Incident.objects.get().created_at <= timezone.now()
