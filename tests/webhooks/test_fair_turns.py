"""What a receiver may take from others: a share of the attempts, and nothing of their time."""

import threading
from contextlib import ExitStack

import pytest

from incidents.actors import Named
from incidents.services import add_comment
from tests.helpers.incidents import make_incident
from tests.helpers.receiver import Receiver, event_of, serve, subscribe
from webhooks import collecting, jobs
from webhooks.http import Connections, FailureError
from webhooks.models import Event, Failure, send_again

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]


@pytest.fixture(autouse=True)
def short_steps(monkeypatch):
    monkeypatch.setattr(jobs, "STEP_SECONDS", 0.05)


@pytest.fixture
def slow(settings):
    """Makes receivers that answer nothing until `release` is set."""
    settings.WEBHOOK_ALLOW_PRIVATE = True
    release = threading.Event()
    with ExitStack() as stack:
        yield release, lambda: stack.enter_context(serve(Receiver(before_response=lambda _: release.wait(60))))
        release.set()


def comment(incident):
    add_comment(incident_id=incident.pk, text="a", actor=Named("a"), channel="api")


def finish(sender):
    while sender.step():
        pass


def step_until(sender, reached):
    for _ in range(2000):
        if reached():
            return
        sender.step()
    raise AssertionError("not reached")


@pytest.mark.parametrize("count", [1, 10])
def test_slow_receivers_do_not_hold_up_a_quick_one(hook, receiver, slow, count):
    release, make = slow
    receivers = [make() for _ in range(count)]
    for other in receivers:
        subscribe(other.url)
    incidents, sender = [make_incident().pk for _ in range(20)], jobs.Sender()
    step_until(sender, lambda: len(receiver.requests) == len(incidents))
    assert all(len(other.requests) <= jobs.MAX_AT_ONCE for other in receivers)
    release.set()
    finish(sender)
    assert all(sorted(pk for _, pk in other.events) == incidents for other in receivers)


def test_each_of_very_many_has_a_turn(slow, monkeypatch):
    monkeypatch.setattr(jobs, "MAX_AT_ONCE_OF_ALL", 2)
    release, make = slow
    receivers = [make() for _ in range(4)]
    for other in receivers:
        subscribe(other.url)
    for _ in range(3):
        make_incident()
    sender = jobs.Sender()
    step_until(sender, lambda: all(other.requests for other in receivers))
    for _ in range(3):
        sender.step()
    assert [len(other.requests) for other in receivers] == [1, 1, 1, 1]
    release.set()
    finish(sender)
    assert {event.state for event in Event.objects.all()} == {"delivered"}


@pytest.mark.parametrize("failure", [Failure.UNRESOLVED, Failure.TIMEOUT, Failure.TLS])
def test_receiver_that_cannot_be_reached_does_not_hold_up_others(hook, receiver, monkeypatch, failure):
    release, post = threading.Event(), Connections.post
    subscribe("http://elsewhere.example/")

    def fail_late(self, url, *request):
        if url == receiver.url:
            return post(self, url, *request)
        release.wait(60)
        raise FailureError(failure)

    monkeypatch.setattr(Connections, "post", fail_late)
    incidents, sender = [make_incident().pk for _ in range(20)], jobs.Sender()
    step_until(sender, lambda: len(receiver.requests) == len(incidents))
    release.set()
    finish(sender)
    assert {event.failure for event in Event.objects.exclude(subscription=hook)} == {"", failure}


def test_outcome_is_stored_while_others_are_in_flight(hook, receiver):
    release, first = threading.Event(), make_incident()
    second = make_incident()
    receiver.before_response = lambda body: body["data"]["incident"]["id"] == second.pk or release.wait(60)
    sender = jobs.Sender()
    step_until(sender, lambda: Event.objects.filter(incident=second, state="delivered").exists())
    assert event_of(first).state == "pending"
    release.set()
    finish(sender)
    assert len(receiver.requests) == 2


def test_event_that_fails_alone_does_not_pause_its_subscription(hook, receiver, clock):
    incidents = [make_incident().pk for _ in range(20)]
    receiver.status_of = {incidents[3]: 400}
    finish(jobs.Sender())
    hook.refresh_from_db()
    assert (len(receiver.requests), hook.retry_at, hook.failures, hook.failing_since) == (20, None, 0, None)


def test_subscription_deleted_while_its_attempts_fail_is_let_go(hook, receiver):
    release, first, second = threading.Event(), make_incident(), make_incident()
    receiver.status_of = {first.pk: 500, second.pk: 500}
    receiver.before_response = lambda body: body["data"]["incident"]["id"] == first.pk or release.wait(60)
    sender = jobs.Sender()
    step_until(sender, Event.objects.filter(incident=first, attempts=1).exists)
    hook.delete()
    release.set()
    finish(sender)
    assert len(receiver.requests) == 2


@pytest.mark.parametrize("again", [True, False])
def test_event_waits_for_that_of_its_incident_in_flight(hook, receiver, again):
    """Be it a later event, or an earlier one that a person sends again."""
    incident = make_incident()
    finish(jobs.Sender())
    release, other = threading.Event(), make_incident()
    receiver.before_response = lambda body: body["data"]["incident"]["id"] == other.pk or release.wait(60)
    sender = jobs.Sender()
    comment(incident)
    step_until(sender, lambda: ("commented", incident.pk) in receiver.events)
    if again:
        send_again(Event.objects.filter(type="incident.created", incident=incident))
    comment(incident)
    step_until(sender, lambda: Event.objects.filter(incident=other, state="delivered").exists())
    sender.step()
    assert len(receiver.requests) == 3
    release.set()
    finish(sender)
    of_incident = [kind for kind, pk in receiver.events if pk == incident.pk]
    assert of_incident == ["created", "commented", *["created"] * again, "commented"]


def test_error_in_an_attempt_is_logged_and_others_go_on(hook, receiver, monkeypatch, caplog):
    post = Connections.post
    subscribe("http://broken.example/")
    monkeypatch.setattr(
        Connections, "post", lambda self, url, *rest: 1 / 0 if "broken" in url else post(self, url, *rest)
    )
    incident = make_incident()
    finish(jobs.Sender())
    assert receiver.events == [("created", incident.pk)]
    assert Event.objects.exclude(subscription=hook).get().failure == Failure.UNREACHABLE
    assert "ZeroDivisionError" in caplog.text


def test_step_ends_while_attempts_go_on(hook, slow):
    release, make = slow
    type(hook).objects.update(url=make().url)
    make_incident()
    sender = jobs.Sender()
    assert sender.step() and Event.objects.get().state == "pending"
    release.set()
    finish(sender)
    assert Event.objects.get().state == "delivered"


def test_subscription_with_much_to_catch_up_with_does_not_hold_up_others(hook, receiver, monkeypatch):
    monkeypatch.setattr(collecting, "MAX_PAGE", 2)
    monkeypatch.setattr(jobs, "STEP_SECONDS", 0)  # one page of each
    for _ in range(50):
        make_incident()
    type(hook).objects.update(url="http://127.0.0.1:9/", events=["incident.commented"])
    subscribe(receiver.url)
    incident, arrived = make_incident(), threading.Event()
    receiver.before_response = lambda _: arrived.set()
    assert jobs.Sender().step()
    assert arrived.wait(60)
    assert receiver.events == [("created", incident.pk)]


def test_step_collects_as_many_pages_as_it_has_time_for(hook, monkeypatch):
    monkeypatch.setattr(collecting, "MAX_PAGE", 2)
    monkeypatch.setattr(jobs, "monotonic", lambda: 0.0)
    for _ in range(20):
        make_incident()
    jobs.Sender().step()
    assert Event.objects.count() == 20


@pytest.mark.parametrize("found", [1, 3, 10, 1000])
def test_step_sends_all_that_it_has_time_for(hook, receiver, monkeypatch, found):
    monkeypatch.setattr(jobs, "MAX_FOUND", found)
    monkeypatch.setattr(jobs, "CHUNK", 2)
    monkeypatch.setattr(jobs, "STEP_SECONDS", 60)
    incidents = [make_incident() for _ in range(10)]
    for incident in incidents:
        comment(incident)
    jobs.Sender().step()
    assert len(receiver.requests) >= 10
    finish(jobs.Sender())
    for incident in incidents:
        assert [kind for kind, pk in receiver.events if pk == incident.pk] == ["created", "commented"]


def test_threads_end_when_there_is_nothing_to_send(hook, receiver):
    before = set(threading.enumerate())
    for _ in range(20):
        make_incident()
    finish(jobs.Sender())
    for thread in set(threading.enumerate()) - before:
        if thread.name.endswith("(_attempt)"):
            thread.join(60)
            assert not thread.is_alive()
