"""Attempts: retries, order, and subscriptions that are paused."""

import logging
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from incidents.actors import Named
from incidents.services import add_comment, change_incident
from tests.helpers.incidents import make_incident
from tests.helpers.receiver import event_of, run, subscribe
from webhooks import jobs
from webhooks.models import Event, Pause

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]


def close(incident):
    change_incident(incident, values={"status": "closed"}, actor=Named("a"), channel="api")


def test_event_comes_again_with_its_id_after_a_failure(hook, receiver, clock):
    receiver.statuses = [500]
    make_incident()
    run()
    clock.forward(seconds=5)
    run()
    assert len(receiver.ids()) == 2 and len(set(receiver.ids())) == 1
    assert (Event.objects.get().state, Event.objects.get().attempts) == ("delivered", 2)


def test_event_comes_again_where_the_process_died_before_it_was_recorded(hook, receiver, monkeypatch):
    make_incident()
    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(jobs, "_record", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        run()
    run()
    assert len(receiver.ids()) == 2 and len(set(receiver.ids())) == 1


def test_later_event_of_the_incident_waits(hook, receiver, clock):
    receiver.statuses = [500]
    incident = make_incident()
    close(incident)
    run()
    assert receiver.events == [("created", incident.pk)]
    other = make_incident()
    clock.forward(seconds=5)
    run()
    assert [kind for kind, pk in receiver.events if pk == incident.pk] == ["created", "created", "changed"]
    assert ("created", other.pk) in receiver.events


def test_last_attempt_is_written_once_a_second(hook, receiver, clock):
    for _ in range(3 * jobs.MAX_AT_ONCE):
        make_incident()
    with CaptureQueriesContext(connection) as queries:
        run()
    assert len(receiver.ids()) == 3 * jobs.MAX_AT_ONCE
    assert sum('UPDATE "webhooks_subscription" SET "tried_at"' in query["sql"] for query in queries) == 1
    make_incident()
    clock.forward(seconds=1)
    run()
    hook.refresh_from_db()
    assert hook.tried_at == clock.now


@pytest.mark.parametrize("status", [301, 302, 307, 308, 400, 404, 429, 500, 503])
def test_only_2xx_is_success(hook, receiver, status):
    receiver.status, receiver.location = status, f"http://127.0.0.1:{receiver.port}/elsewhere"
    make_incident()
    run()
    event = Event.objects.get()
    assert (event.state, event.status_code, event.failure) == ("pending", status, "response")
    assert [path for path, _, _ in receiver.requests] == ["/hook"]


def test_backoff_over_a_day_then_given_up(hook, receiver, clock):
    receiver.status = 500
    start = clock.now
    make_incident()
    run()
    waits = []
    while (event := Event.objects.get()).state == "pending":
        waits.append(event.due_at - clock.now)
        clock.now = event.due_at
        type(hook).objects.update(failing_since=None, paused_since=None, retry_at=None)  # or it would be paused
        run()
    assert (event.state, event.attempts, waits) == ("failed", 8, jobs.BACKOFF)
    assert timedelta(days=1) < clock.now - start < timedelta(days=2)


def test_event_given_up_lets_the_next_pass(hook, receiver, clock):
    incident = make_incident()
    close(incident)
    receiver.statuses = [500]
    run()
    Event.objects.filter(type="incident.created").update(state="failed")
    clock.forward(minutes=1)
    run()
    assert [kind for kind, _ in receiver.events] == ["created", "changed"]


def test_dead_receiver_is_asked_less_and_less(hook, receiver, clock):
    receiver.status = 500
    asked = []
    for _ in range(120):
        make_incident()
        run()
        asked.append(len(receiver.requests))
        clock.forward(seconds=5)
    assert asked[-1] < 100


def test_dead_receiver_does_not_hold_up_others(hook, receiver):
    subscribe("http://127.0.0.1:9/")  # the port "discard", where nothing listens
    for _ in range(20):
        make_incident()
    run()
    assert len(receiver.requests) == 20


def test_dead_receiver_gets_no_more_than_was_under_way(hook, receiver, clock):
    receiver.status = 500
    for _ in range(50):
        make_incident()
    run()
    assert len(receiver.requests) == jobs.MAX_AT_ONCE


def test_a_failure_after_a_success_begins_a_new_day(hook, receiver, clock):
    type(hook).objects.update(failing_since=clock.now - timedelta(hours=23), failures=9)
    receiver.statuses, receiver.status = [204] * jobs.MAX_AT_ONCE, 500
    for _ in range(2 * jobs.MAX_AT_ONCE):
        make_incident()
    run()
    hook.refresh_from_db()
    assert (hook.failing_since, hook.failures) == (clock.now, 1)
    assert hook.retry_at == clock.now + jobs.FIRST_BACKOFF


def test_subscription_rests_after_a_day_and_says_so_once(hook, receiver, clock, caplog):
    receiver.status = 500
    for _ in range(60):
        make_incident()
        run()
        clock.forward(hours=1)
    hook.refresh_from_db()
    assert (hook.pause_reason, hook.paused_since is None) == (Pause.FAILING, False)
    assert [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR] == [
        "Nothing more is sent to the webhook subscription billing: failing"
    ]


def test_resumed_subscription_gets_what_it_missed(hook, receiver, clock):
    hook.paused_since, hook.pause_reason = clock.now, Pause.FAILING
    hook.save()
    incidents = [make_incident(), make_incident()]
    run()
    assert receiver.requests == []
    hook.resume()
    run()
    assert sorted(receiver.events) == [("created", incident.pk) for incident in incidents]


def test_success_ends_the_day_of_failure(hook, receiver, clock):
    for statuses in ([500], [204], [500]):
        receiver.statuses = statuses
        make_incident()
        run()
        clock.forward(hours=13)
    hook.refresh_from_db()
    assert hook.paused_since is None


def test_gone_means_no_more(hook, receiver, caplog):
    receiver.status = 410
    make_incident()
    run()
    make_incident()
    run()
    hook.refresh_from_db()
    assert (len(receiver.requests), hook.pause_reason) == (1, Pause.GONE)
    assert "gone" in caplog.text


def test_failed_connection_is_an_attempt(receiver, db):
    subscribe("http://127.0.0.1:9/")
    incident = make_incident()
    run()
    assert (event_of(incident).attempts, event_of(incident).failure) == (1, "unreachable")


def test_delivered_events_are_forgotten(hook, receiver, clock):
    incident = make_incident()
    run()
    run()
    clock.forward(days=91)
    add_comment(incident_id=incident.pk, text="later", actor=Named("a"), channel="api")
    run()
    type(hook).objects.update(cursor=Event.objects.latest("pk").change_id)
    jobs.purge()
    run()
    assert [event.type for event in Event.objects.all()] == ["incident.commented"]
    assert len(receiver.requests) == 2
