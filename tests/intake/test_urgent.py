"""What a sender reports as urgent, by its own settings alone."""

import pytest
from django.core.exceptions import ValidationError
from django.core.management import call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext

from incidents.actors import Named
from incidents.models import Incident, IncidentChange
from incidents.services import change_incident
from intake import inbox
from intake.models import Episode, Sender
from intake.parsers import parse
from intake.parsers.paths import Paths
from intake.parsers.preview import preview
from intake.parsers.types import Report
from tests.helpers.intake import alert, make_caller, resolved

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]

CRITICAL, WARNING = {"severity": "critical"}, {"severity": "warning"}


@pytest.fixture
def alertmanager(db):
    return make_caller("alertmanager", urgent="labels.severity=critical,page")


def marks():
    return list(Incident.objects.order_by("pk").values_list("urgent", flat=True))


def changes(incident):
    return [entry.changes for entry in incident.changes.order_by("pk")][1:]


def test_nothing_is_urgent_unless_the_sender_is_set_up_so(db):
    make_caller("plain").alerts(alert(labels=CRITICAL))
    assert marks() == [False]


@pytest.mark.parametrize(
    ("labels", "urgent"),
    [
        (CRITICAL, True),
        ({"severity": "PAGE "}, True),
        (WARNING, False),
        ({}, False),
        ({"severity": None}, False),
        ({"severity": ["critical"]}, False),
        ({"severity": "critical,page"}, False),
        ({"severity": "\ud800\0"}, False),
    ],
)
def test_an_alert_is_urgent_by_its_severity(alertmanager, labels, urgent):
    alertmanager.alerts(alert(labels=labels))
    assert marks() == [urgent]
    first = IncidentChange.objects.get().changes
    assert first.get("urgent") == ([None, True] if urgent else None)


def test_each_alert_of_a_call_has_its_own(alertmanager):
    severities = [CRITICAL, WARNING, CRITICAL, WARNING, WARNING]
    alertmanager.alerts(*(alert(f"F{number}", labels=labels) for number, labels in enumerate(severities)))
    assert marks() == [True, False, True, False, False]


def test_a_repeat_that_becomes_urgent_marks_the_incident_once(alertmanager):
    alertmanager.alerts(alert(labels=WARNING))
    incident = Incident.objects.get()
    for _ in range(2):
        alertmanager.alerts(alert(labels=CRITICAL))
    assert changes(incident) == [{"urgent": [False, True]}]
    entry = incident.changes.last()
    assert (entry.actor, entry.channel) == ("alertmanager", "alertmanager")
    assert Incident.objects.get().updated_at > incident.updated_at


@pytest.mark.parametrize("first", [CRITICAL, WARNING])
def test_what_a_person_unmarked_stays_so(alertmanager, first):
    alertmanager.alerts(alert(labels=first))
    alertmanager.alerts(alert(labels=CRITICAL))
    change_incident(Incident.objects.get(), values={"urgent": False}, actor=Named("petrova"), channel="admin")
    alertmanager.alerts(alert(labels=CRITICAL))
    assert marks() == [False]


def test_a_milder_repeat_and_the_end_leave_the_mark(alertmanager):
    alertmanager.alerts(alert(labels=CRITICAL))
    alertmanager.alerts(alert(labels=WARNING))
    alertmanager.alerts(resolved(labels=WARNING))
    incident = Incident.objects.get()
    assert (incident.urgent, incident.status) == (True, "resolved")


def test_an_incident_that_a_person_has_closed_is_left_alone(alertmanager):
    alertmanager.alerts(alert(labels=WARNING))
    change_incident(Incident.objects.get(), values={"status": "closed"}, actor=Named("petrova"), channel="admin")
    alertmanager.alerts(alert(labels=CRITICAL))
    assert marks() == [False]


def test_a_reopened_incident_is_marked(db):
    caller = make_caller(urgent="labels.severity=critical", reopen_within_minutes=60)
    caller.alerts(alert(labels=WARNING))
    caller.alerts(resolved(ends="10:05:00"))
    caller.alerts(alert(starts="10:06:00", labels=CRITICAL))
    incident = Incident.objects.get()
    assert (incident.urgent, incident.status) == (True, "open")
    assert {"urgent": [False, True]} in changes(incident)


@pytest.mark.parametrize("then", [[], [resolved(ends="10:09:00")]])
def test_within_a_call(alertmanager, then):
    alertmanager.alerts(alert(labels=WARNING), alert(labels=CRITICAL), *then)
    assert marks() == [True]
    assert changes(Incident.objects.get())[0] == {"urgent": [False, True]}


def test_a_replay_marks_what_was_recorded_before_the_setting(db):
    caller = make_caller()
    delivery = caller.alerts(alert(labels=CRITICAL))
    Sender.objects.update(urgent="labels.severity=critical")
    for _ in range(2):
        inbox.replay([delivery.pk])
        inbox.process_pending()
    assert changes(Incident.objects.get()) == [{"urgent": [False, True]}]


def test_what_the_release_before_recorded_may_become_urgent(alertmanager):
    alertmanager.alerts(alert(labels=WARNING))
    sql = "INSERT INTO intake_episode (sender_id, fingerprint, incident_id) VALUES (%s, 'old', %s)"
    with connection.cursor() as cursor:
        cursor.execute(sql, [alertmanager.sender.pk, Incident.objects.get().pk])
    alertmanager.alerts(alert("old", labels=CRITICAL))
    assert marks() == [True]
    assert Episode.objects.get(fingerprint="old").urgent


def test_many_are_marked_by_as_many_queries_as_a_few(alertmanager):
    def queries(count):
        alerts = [alert(f"{count}-{number}", labels=WARNING) for number in range(count)]
        alertmanager.alerts(*alerts)
        with CaptureQueriesContext(connection) as captured:
            alertmanager.alerts(*({**each, "labels": CRITICAL} for each in alerts))
        return len(captured)

    few = queries(5)
    if connection.vendor == "postgresql":
        assert queries(50) == few
    else:
        queries(50)
    assert marks() == [True] * 55


ISSUE = {"id": "7", "title": "Ошибка", "level": "fatal"}
HEARTBEAT = {"heartbeat": {"monitorID": 1, "status": 0}, "monitor": {"id": 1, "tags": [{"name": "Critical"}]}}


@pytest.mark.parametrize(
    ("kind", "payload", "condition"),
    [
        ("sentry", {"action": "created", "data": {"issue": ISSUE}}, "level=fatal"),
        ("sentry", {"action": "triggered", "data": {"event": ISSUE | {"issue_id": "7"}}}, "level=error,fatal"),
        ("uptime_kuma", {"msg": "DOWN", **HEARTBEAT}, "monitor.tags.0.name=critical"),
        ("generic", {"message": "Горит", "severity": "Disaster"}, "severity=high, disaster"),
        ("generic", {"message": "Горит", "urgent": True}, "urgent=true"),
        ("generic", {"message": "Горит", "data": '{"nseverity": 5}'}, "data.nseverity=5"),
    ],
)
def test_other_formats(kind, payload, condition):
    assert [part.urgent for part in parse(kind, payload, Paths(urgent=condition))] == [True]
    other = condition.partition("=")[0] + "=other"
    for paths in (Paths(), Paths(urgent=other)):
        assert [part.urgent for part in parse(kind, payload, paths)] == [False]


@pytest.mark.parametrize("condition", ["severity", "=critical", "severity=", "severity=a,", "a..b=c", "severity=,"])
@pytest.mark.parametrize("kind", ["generic", "alertmanager"])
def test_a_condition_that_is_none(kind, condition):
    with pytest.raises(ValidationError):
        Sender(name="x", format=kind, urgent=condition, secret_hash=b"x").full_clean()


def test_the_command_sets_it(db, capsys):
    call_command("add_sender", "zabbix", "--format", "generic", "--urgent", "severity=Disaster")
    assert Sender.objects.get().urgent == "severity=Disaster"


def test_the_preview_says_so():
    assert preview([Report("F", "Горит", urgent=True)]) == ["Urgent. Incident “F”: Горит"]
