"""Episodes: firing, repeats and ends make one incident, whatever the order and however often they come."""

import pytest
from django.db import IntegrityError, connection
from django.test.utils import CaptureQueriesContext

from incidents.models import Incident, IncidentChange
from intake import episodes, inbox
from intake.models import Delivery, Episode
from tests.helpers.intake import alert, make_caller, resolved, statuses

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]


def replay_all():
    inbox.replay(list(Delivery.objects.values_list("pk", flat=True)))
    while inbox.process_pending():
        pass


def test_firing_makes_an_incident_by_the_senders_name(alertmanager):
    delivery = alertmanager.alerts(alert(), externalURL="http://x")
    incident = Incident.objects.get()
    assert (incident.status, incident.source, delivery.state) == ("open", "monitoring", "processed")
    assert "Диск полон F" in incident.description
    assert f"{incident.created_at:%F %T}" == "2024-01-15 10:00:00"
    change = IncidentChange.objects.get()
    assert (change.actor, change.channel) == ("alertmanager", "alertmanager")


def test_other_formats_are_the_channel_webhook(db):
    make_caller("probe", "generic", source="partner").deliver({"text": "Печь погасла"})
    assert IncidentChange.objects.get().channel == "webhook"
    assert Incident.objects.get().source == "partner"


def test_a_repeat_changes_nothing(alertmanager):
    alertmanager.alerts(alert())
    before = Incident.objects.values().get()
    alertmanager.alerts(alert(annotations={"summary": "Другое"}))
    assert Incident.objects.values().get() == before


def test_resolved_whatever_starts_at_says(alertmanager):
    alertmanager.alerts(alert(starts="10:00:00"))
    alertmanager.alerts(resolved(starts="10:05:00", ends="10:05:00"))
    assert statuses() == ["resolved"]


def test_starts_at_moves_while_it_fires(alertmanager):
    alertmanager.alerts(alert(starts="10:00:00"))
    alertmanager.alerts(alert(starts="10:20:00"))
    assert statuses() == ["open"]


def test_the_same_fingerprint_again_is_a_new_incident(alertmanager):
    alertmanager.alerts(alert(starts="10:00:00"))
    alertmanager.alerts(resolved(ends="10:05:00"))
    alertmanager.alerts(alert(starts="14:00:00"))
    assert statuses() == ["resolved", "open"]


def test_one_open_episode_by_a_constraint(alertmanager):
    for _ in range(2):
        alertmanager.alerts(alert())
    episode = Episode.objects.get()
    with pytest.raises(IntegrityError):
        Episode.objects.create(sender=episode.sender, fingerprint="F")


def test_resolved_without_an_episode_makes_nothing(alertmanager):
    delivery = alertmanager.alerts(resolved(ends="10:05:00"))
    assert (statuses(), delivery.state, delivery.notes) == ([], "skipped", "#1: nothing_to_resolve")


@pytest.mark.parametrize(("starts", "expected"), [("10:00:00", []), ("10:05:00", []), ("10:05:01", ["open"])])
def test_a_firing_that_comes_after_its_end(alertmanager, starts, expected):
    alertmanager.alerts(resolved(ends="10:05:00"))
    delivery = alertmanager.alerts(alert(starts=starts))
    assert statuses() == expected
    assert delivery.notes == ("" if expected else "#1: late")


@pytest.mark.parametrize("minutes", [0, 1, 5])
def test_firing_again_soon_after_the_end(db, minutes):
    alertmanager = make_caller("alertmanager", reopen_within_minutes=minutes)
    alertmanager.alerts(alert(starts="10:00:00"))
    alertmanager.alerts(resolved(ends="10:05:00"))
    alertmanager.alerts(alert(starts="10:06:00"))
    assert statuses() == (["open"] if minutes == 5 else ["resolved", "open"])
    alertmanager.alerts(resolved(ends="10:07:00"))
    assert set(statuses()) == {"resolved"}
    replay_all()
    assert len(statuses()) == (1 if minutes == 5 else 2)
    assert set(statuses()) == {"resolved"}


def test_reopening_leaves_alone_what_a_person_has_closed(db):
    alertmanager = make_caller("alertmanager", reopen_within_minutes=60)
    alertmanager.alerts(alert(starts="10:00:00"))
    alertmanager.alerts(resolved(ends="10:05:00"))
    Incident.objects.update(status="closed")
    alertmanager.alerts(alert(starts="10:06:00"))
    assert statuses() == ["closed", "open"]


@pytest.mark.parametrize(("status", "after"), [("in_progress", "resolved"), ("closed", "closed")])
def test_an_end_resolves_unless_a_person_has_closed(alertmanager, api, status, after):
    alertmanager.alerts(alert())
    pk = Incident.objects.get().pk
    api.patch(f"/api/v1/incidents/{pk}/", {"status": status}, content_type="application/json")
    alertmanager.alerts(resolved())
    assert statuses() == [after]
    alertmanager.alerts(alert(starts="14:00:00"))
    assert statuses() == [after, "open"]


def test_what_a_person_changed_stays(alertmanager, api):
    alertmanager.alerts(alert())
    pk = Incident.objects.get().pk
    api.patch(f"/api/v1/incidents/{pk}/", {"description": "Нет, память"}, content_type="application/json")
    alertmanager.alerts(alert())
    alertmanager.alerts(resolved())
    incident = Incident.objects.get()
    assert (incident.description, incident.status) == ("Нет, память", "resolved")


def test_a_late_copy_of_the_end_does_not_resolve_the_next_episode(alertmanager):
    alertmanager.alerts(alert(starts="10:00:00"))
    alertmanager.alerts(resolved(ends="10:05:00"))
    alertmanager.alerts(alert(starts="14:00:00"))
    delivery = alertmanager.alerts(resolved(ends="10:05:00"))
    assert (statuses(), delivery.notes) == (["resolved", "open"], "#1: late")


def test_the_senders_clock_may_be_ahead(alertmanager):
    alertmanager.alerts(alert(startsAt="2124-01-15T10:00:00Z"))
    alertmanager.alerts(resolved(endsAt="2124-01-15T10:05:00Z"))
    alertmanager.alerts(alert(startsAt="2124-01-15T10:07:00Z"))
    assert statuses() == ["resolved", "open"]
    assert Incident.objects.first().created_at <= Delivery.objects.first().received_at


def test_times_are_optional(alertmanager):
    for status in ("firing", "firing", "resolved", "resolved", "firing"):
        alertmanager.alerts({"status": status, "labels": {"alertname": "A"}})
    assert statuses() == ["resolved", "open"]
    replay_all()
    assert statuses() == ["resolved", "open"]


def test_a_firing_without_times_is_ended_by_the_senders_clock(alertmanager):
    alertmanager.alerts({"status": "firing", "labels": {"alertname": "A"}, "startsAt": "0001-01-01T00:00:00Z"})
    alertmanager.alerts(
        {"status": "resolved", "labels": {"alertname": "A"}, "endsAt": "2024-01-15T10:05:00.123456789Z"}
    )
    assert statuses() == ["resolved"]


def test_other_senders_have_episodes_of_their_own(alertmanager):
    alertmanager.alerts(alert())
    make_caller("other").alerts(resolved())
    assert statuses() == ["open"]


def test_replaying_everything_makes_nothing_twice(alertmanager):
    generic = make_caller("generic", "generic")
    alertmanager.alerts(alert("A"), alert("B"), {"status": "firing", "annotations": {"summary": "Без меток"}})
    alertmanager.alerts(resolved("A", "10:05:00"), resolved("C", "10:05:00"))
    alertmanager.alerts(alert("A", "11:00:00"), alert("C", "10:00:00"))
    generic.deliver({"text": "Печь погасла"})
    generic.deliver({"text": "Печь погасла"})
    before = list(Incident.objects.order_by("id").values()), IncidentChange.objects.count()
    for _ in range(3):
        replay_all()
    assert (list(Incident.objects.order_by("id").values()), IncidentChange.objects.count()) == before
    assert len(before[0]) == 6


def test_a_replay_with_the_right_path_joins_what_was_separate(db):
    generic = make_caller("generic", "generic", description_path="text")
    generic.deliver({"text": "Печь погасла", "id": 7})
    generic.deliver({"text": "Печь горит", "id": 7, "state": "ok"})
    assert statuses() == ["open", "open"]
    type(generic.sender).objects.update(dedup_path="id", resolved="state=ok")
    replay_all()
    assert statuses() == ["resolved", "open"]
    generic.deliver({"text": "Печь погасла", "id": 7})
    assert statuses() == ["resolved", "open", "open"]


def test_a_replay_with_the_right_path_begins_no_problem_anew(db):
    generic = make_caller("generic", "generic", description_path="text", resolved="state=ok")
    first = generic.deliver({"text": "Печь погасла", "id": 7})
    type(generic.sender).objects.update(dedup_path="id")
    generic.deliver({"text": "Печь погасла", "id": 7})
    generic.deliver({"state": "ok", "id": 7})
    inbox.replay([first.pk])
    inbox.process_pending()
    assert statuses() == ["open", "resolved"]
    assert generic.deliver({"text": "Печь погасла", "id": 7}).state == "processed"
    assert statuses() == ["open", "resolved", "open"]


def test_a_replay_begins_no_problem_anew_whatever_its_id(alertmanager):
    first = alertmanager.alerts(alert("delivery:7"))
    alertmanager.alerts(resolved("delivery:7"))
    inbox.replay([first.pk])
    inbox.process_pending()
    alertmanager.alerts(alert("delivery:7", "10:10:00"))
    assert statuses() == ["resolved", "open"]


def test_a_part_that_fails_stands_alone(alertmanager, monkeypatch):
    new_incident = episodes.new_incident

    def make_or_fail(**values):
        if "B" in values["description"].splitlines()[0]:
            raise ValueError("token=s3cr3t")
        return new_incident(**values)

    monkeypatch.setattr(episodes, "new_incident", make_or_fail)
    delivery = alertmanager.alerts(alert("A"), alert("B"), alert("C"))
    assert (len(statuses()), delivery.state, delivery.faults) == (2, "faulty", 1)
    assert "#2: ValueError" in delivery.notes and "s3cr3t" not in delivery.notes
    monkeypatch.undo()
    replay_all()
    assert len(statuses()) == 3


@pytest.mark.parametrize("others", [2, 9])
def test_a_part_that_the_database_refuses_stands_alone(alertmanager, monkeypatch, others):
    new_incident = episodes.new_incident

    def make(**values):
        incident = new_incident(**values)
        if "refused" in incident.description:
            incident.source = "unknown"
        return incident

    monkeypatch.setattr(episodes, "new_incident", make)
    delivery = alertmanager.alerts(alert("refused"), *(alert(str(number)) for number in range(others)))
    assert (len(statuses()), delivery.state, delivery.faults) == (others, "faulty", 1)
    assert delivery.notes.startswith("#1: IntegrityError")
    assert Episode.objects.count() == IncidentChange.objects.count() == others


def test_a_call_of_many_parts_is_processed_in_several_transactions(alertmanager, monkeypatch):
    monkeypatch.setattr(episodes, "PARTS", 2)
    monkeypatch.setattr(inbox, "MAX_SOON_SECONDS", 60.0)  # on a busy machine a request would leave the rest to the jobs
    alerts = [alert(str(number)) for number in range(5)]
    delivery = alertmanager.alerts(*alerts, "bad", truncatedAlerts=250)
    assert (len(statuses()), delivery.state, delivery.faults) == (5, "faulty", 1)
    assert delivery.notes.splitlines() == ["truncated: 250", "#6: not_an_object"]


def test_repeats_take_the_same_number_of_queries_however_many_they_are(alertmanager):
    def queries(count):
        alerts = [alert(str(number)) for number in range(count)]
        alertmanager.alerts(*alerts)
        with CaptureQueriesContext(connection) as context:
            alertmanager.alerts(*alerts)
        return len(context)

    assert queries(1) == queries(50)


def test_a_fault_is_told_once_until_the_next_good_call(alertmanager, caplog):
    def told():
        return [record.getMessage() for record in caplog.records if record.levelname == "ERROR"]

    for _ in range(3):
        alertmanager.post(b"{")
    assert len(told()) == 1 and "alertmanager" in told()[0]
    alertmanager.alerts(alert())
    alertmanager.alerts("bad")
    assert len(told()) == 2


def test_a_defect_of_the_service_is_told_once_too(alertmanager, caplog, monkeypatch):
    monkeypatch.setattr("intake.episodes.read", lambda body: 1 / 0)
    for _ in range(3):
        alertmanager.alerts(alert())
    assert sum(record.levelname == "ERROR" for record in caplog.records) == 1
    assert sum(record.exc_info is not None for record in caplog.records) == 3


def test_an_open_id_that_comes_with_another_description_is_a_warning_once_for_each_episode(db):
    generic = make_caller("generic", "generic", description_path="text", dedup_path="id", resolved="state=ok")

    def notes(*texts):
        return [generic.deliver({"id": "default", "text": text}).notes for text in texts]

    assert notes("Печь погасла", "Печь погасла", "Насос течёт", "Печь погасла", "Лампа мигает") == [
        *("", "", "#1: varies", "", ""),
    ]
    generic.deliver({"id": "default", "state": "ok"})
    assert notes("Печь погасла", "Насос течёт") == ["", "#1: varies"]
    assert statuses() == ["resolved", "open"]
    replay_all()
    varied = Delivery.objects.get(warnings=1)
    assert (varied, varied.notes) == (Delivery.objects.last(), "#1: varies")
    assert statuses() == ["resolved", "open"]


def test_a_replay_by_another_path_of_the_description_is_no_other_description(db):
    generic = make_caller("generic", "generic", description_path="text", dedup_path="id")
    for _ in range(2):
        generic.deliver({"id": "7", "text": "Печь погасла", "name": "Печь"})
    type(generic.sender).objects.update(description_path="name")
    replay_all()
    assert not Delivery.objects.filter(warnings__gt=0).exists()


def test_a_format_that_makes_the_ids_itself_may_change_its_descriptions(alertmanager):
    for summary in ("CPU 91%", "CPU 95%"):
        assert alertmanager.alerts(alert(annotations={"summary": summary})).warnings == 0
