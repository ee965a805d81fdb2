"""What the services take beyond what the API sends."""

from datetime import UTC, datetime, timedelta

import pytest
from django.db import transaction
from django.utils import timezone

from incidents.actors import Named
from incidents.models import Incident, IncidentChange
from incidents.services import add_comment, change_incident, change_statuses, create_incident, lock_statuses

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]

REPORT = {"description": "x", "source": "operator", "actor": Named("a"), "channel": "telegram"}


def test_an_imported_report_keeps_its_date_and_is_updated_when_it_is_recorded(api):
    date, before = datetime(2020, 2, 29, 12, tzinfo=UTC), timezone.now()
    returned = create_incident(**REPORT, created_at=date)
    incident = Incident.objects.get()
    assert (incident.created_at, incident.changes.get().at) == (date, date)
    assert before <= incident.updated_at <= timezone.now()
    assert (returned.updated_at, returned.etag) == (incident.updated_at, incident.etag)
    (listed,) = api.get("/api/v1/incidents/", {"updated_after": before.isoformat()}).json()["results"]
    assert listed["created_at"] == "2020-02-29T12:00:00Z"


def test_line_breaks_are_normalized():
    incident = create_incident(**REPORT | {"description": "раз\r\nдва"})
    change_incident(incident, values={"description": "три\rчетыре"}, actor=Named("a"), channel="telegram")
    add_comment(incident_id=incident.pk, text="пять\r\n", actor=Named("a"), channel="telegram")
    changes = incident.changes.order_by("id").values_list("changes", flat=True)
    assert [change.get("description") for change in changes[:2]] == [[None, "раз\nдва"], ["раз\nдва", "три\nчетыре"]]
    assert changes[2] == {"comment": [None, "пять\n"]}


def test_a_date_in_the_future_is_now():
    create_incident(**REPORT, created_at=timezone.now() + timedelta(days=1))
    assert Incident.objects.get().created_at <= timezone.now()


@pytest.mark.parametrize("count", [1, 3])
def test_statuses_in_bulk_are_changed_as_one(count):
    for _ in range(count):
        create_incident(**REPORT)
    # As if it was changed by a clock that is an hour ahead.
    ahead = timezone.now() + timedelta(hours=1)
    Incident.objects.update(updated_at=ahead)
    closed = create_incident(**REPORT, status="closed").pk
    with transaction.atomic():
        statuses = lock_statuses(Incident.objects.values_list("pk", flat=True))
        for _ in range(2):
            change_statuses(statuses, "resolved", actor=Named("b"), channel="webhook")
    assert list(statuses.values()) == ["open"] * count + ["closed"]
    for incident in Incident.objects.exclude(pk=closed):
        assert (incident.status, incident.updated_at) == ("resolved", ahead + timedelta(microseconds=1))
        entry = incident.changes.latest("id")
        assert (entry.actor, entry.channel, entry.changes) == ("b", "webhook", {"status": ["open", "resolved"]})
    assert IncidentChange.objects.count() == 2 * count + 1
