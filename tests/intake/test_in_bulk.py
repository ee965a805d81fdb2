"""What a batch of parts becomes is what its parts become one after the other."""

import json
from collections import defaultdict
from datetime import UTC, datetime, timedelta

import pytest
from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from incidents import services
from incidents.actors import Named
from incidents.models import Incident, IncidentChange
from intake import episodes, inbox
from intake.models import Delivery, Episode
from tests.helpers.intake import alert, make_caller, resolved

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]

NOW = datetime(2024, 1, 15, 10, 30, tzinfo=UTC)
# A fingerprint, whether it ends, a minute of its start or end, where the sender names one, and whether it is urgent
PART = st.tuples(st.sampled_from("ABCD"), st.booleans(), st.integers(0, 9) | st.none(), st.booleans())
BROKEN = st.sampled_from(
    ["bad", {"status": "resolved"}, {"annotations": {"summary": "Печь"}}, {"fingerprint": "!fails"}]
)
CALL = st.lists(PART | BROKEN, min_size=1, max_size=12)
# Between two calls a person may set the status of all incidents.
STORY = st.lists(st.tuples(CALL, st.sampled_from([None, None, "closed", "in_progress"])), min_size=1, max_size=3)


def written(part):
    if not isinstance(part, tuple):
        return part
    fingerprint, ends, minute, urgent = part
    if ends:
        return resolved(fingerprint, **({} if minute is None else {"ends": f"10:{minute:02}:00"}))
    starts = {"startsAt": ""} if minute is None else {"starts": f"10:{minute:02}:00"}
    return alert(fingerprint, **starts, labels={"severity": "critical" if urgent else "warning"})


def tell(story, reopen_within_minutes, replays):
    """Everything that the story leaves in the database, without the ids."""
    sender = make_caller(
        "alertmanager", reopen_within_minutes=reopen_within_minutes, urgent="labels.severity=critical"
    ).sender
    for number, (call, status) in enumerate(story):
        body = json.dumps({"alerts": [written(part) for part in call]}).encode()
        delivery = inbox.receive(channel="alertmanager", body=body, sender=sender)
        Delivery.objects.filter(pk=delivery.pk).update(received_at=NOW + timedelta(minutes=number))
        process_all()
        for incident in Incident.objects.order_by("pk") if status else ():
            services.change_incident(incident, values={"status": status}, actor=Named("petrova"), channel="admin")
    if replays:
        inbox.replay(list(Delivery.objects.values_list("pk", flat=True)))
        process_all()
    return snapshot()


def process_all():
    while inbox.process_pending():
        pass


def snapshot():
    deliveries = {pk: number for number, pk in enumerate(Delivery.objects.order_by("pk").values_list("pk", flat=True))}
    history = defaultdict(list)
    for entry in IncidentChange.objects.order_by("pk"):
        history[entry.incident_id].append((entry.at, entry.actor, entry.channel, entry.changes))
    incidents, numbers = [], {}
    for pk, *values in Incident.objects.order_by("pk").values_list(
        "pk", "description", "status", "source", "urgent", "created_at", "updated_at"
    ):
        numbers[pk] = len(numbers)
        incidents.append((*values, history[pk]))
    made = [
        (
            each.fingerprint.replace(f"{each.opened_by_id}", "?"),
            numbers.get(each.incident_id),
            (deliveries.get(each.opened_by_id), each.part, each.started_at, each.urgent),
            (deliveries.get(each.closed_by_id), each.ended_at, each.closed_at),
        )
        for each in Episode.objects.order_by("pk")
    ]
    notes = list(Delivery.objects.order_by("pk").values_list("faults", "warnings", "notes"))
    return incidents, made, notes


@pytest.fixture
def stopped_clock(monkeypatch):
    monkeypatch.setattr(services.timezone, "now", lambda: NOW)
    new_incident = episodes.new_incident

    def make_or_fail(**values):
        if "!fails" in values["description"]:
            raise ValueError("in vain")
        return new_incident(**values)

    monkeypatch.setattr(episodes, "new_incident", make_or_fail)


@pytest.mark.slow
@given(STORY, st.sampled_from([0, 2, 60]), st.booleans())
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_as_one_after_the_other(stopped_clock, monkeypatch, story, reopen_within_minutes, replays):
    outcomes = []
    for parts in (500, 1):
        monkeypatch.setattr(episodes, "PARTS", parts)
        with transaction.atomic():
            outcomes.append(tell(story, reopen_within_minutes, replays))
            transaction.set_rollback(True)
    assert outcomes[0] == outcomes[1]
