"""What is done to an event while it is in flight is not overwritten by the outcome of that attempt."""

import threading

import pytest
from django.utils import timezone

from tests.helpers.incidents import make_incident
from tests.helpers.receiver import event_of, subscribe
from webhooks import jobs
from webhooks.collecting import Collector
from webhooks.models import Event, send_again

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]


@pytest.fixture
def meanwhile(hook, receiver, monkeypatch):
    """Does something while an event is in flight, whose earlier attempts failed; returns the event as it is then."""
    monkeypatch.setattr(jobs, "STEP_SECONDS", 0.05)

    def send(act, statuses, attempts=0):
        release = threading.Event()
        receiver.statuses, receiver.before_response = statuses, lambda _: release.wait(60)
        incident, sender = make_incident(), jobs.Sender()
        Collector().collect()
        Event.objects.update(attempts=attempts)
        sender.step()
        event = event_of(incident)
        act(event)
        release.set()
        while sender.step():
            pass
        event.refresh_from_db()
        return event

    return send


def press_event(event):
    send_again(Event.objects.filter(pk=event.pk))


def press_subscription(event):
    event.subscription.resume()


def deliver(event):
    """As another process does, after this one has lost the lease."""
    Event.objects.filter(pk=event.pk).update(state="delivered", attempts=event.attempts + 1, status_code=202)


@pytest.mark.parametrize(
    ("press", "attempts"), [(press_event, 0), (press_event, 3), (press_event, 7), (press_subscription, 3)]
)
@pytest.mark.parametrize("status", [204, 302, 500])
def test_press_is_followed_whatever_becomes_of_the_attempt(meanwhile, receiver, press, attempts, status):
    event = meanwhile(press, [status, 204], attempts)
    assert (event.state, event.attempts, event.status_code) == ("delivered", 1, 204)
    assert (len(receiver.requests), len(set(receiver.ids()))) == (2, 1)


@pytest.mark.parametrize("status", [204, 500])
def test_event_that_another_process_delivered_stays_delivered(meanwhile, receiver, status):
    event = meanwhile(deliver, [status])
    assert (event.state, event.status_code, len(receiver.requests)) == ("delivered", 202, 1)


@pytest.mark.parametrize("status", [204, 500])
def test_settings_that_are_changed_meanwhile_stay(hook, meanwhile, status):
    def edit(event):
        type(hook).objects.update(name="other", is_active=False, tried_at=timezone.now())

    assert meanwhile(edit, [status]).attempts == 1
    hook.refresh_from_db()
    assert (hook.name, hook.is_active) == ("other", False)


def test_outcomes_that_are_recorded_together(hook, receiver, django_assert_num_queries):
    """One of the events was sent again meanwhile, another was delivered by another process."""
    for _ in range(5):
        make_incident()
    Collector().collect()
    sender, events = jobs.Sender(), list(Event.objects.order_by("pk").select_related("subscription"))
    sender._in_flight = {hook.pk: {event.incident_id for event in events}}
    press_event(events[1])
    deliver(events[3])
    with django_assert_num_queries(4):  # of the events, of the subscription, and of the savepoint
        sender._finish([(event, jobs.Outcome(200, "")) for event in events])
    seen = [(event.state, event.attempts, event.status_code) for event in Event.objects.order_by("pk")]
    done, pressed, elsewhere = ("delivered", 1, 200), ("pending", 0, None), ("delivered", 1, 202)
    assert seen == [done, pressed, done, elsewhere, done]


def test_outcomes_of_unlike_events(hook, receiver):
    for _ in range(4):
        make_incident()
    Collector().collect()
    again, *_ = Event.objects.order_by("pk")
    Event.objects.filter(pk=again.pk).update(attempts=3, due_at=timezone.now())
    events, other = list(Event.objects.order_by("pk")), subscribe(receiver.url)
    Collector().collect()
    sender = jobs.Sender()
    sender._in_flight = {hook.pk: {event.incident_id for event in events}}
    outcomes = [jobs.Outcome(200, ""), jobs.Outcome(204, ""), jobs.Outcome(500, "response"), jobs.Outcome(204, "")]
    sender._finish(list(zip(events, outcomes, strict=True)))
    seen = Event.objects.filter(subscription=hook).order_by("pk").values_list("state", "attempts", "status_code")
    assert list(seen) == [("delivered", 4, 200), ("delivered", 1, 204), ("pending", 1, 500), ("delivered", 1, 204)]
    other.refresh_from_db()
    hook.refresh_from_db()
    assert (hook.failing_since, hook.tried_at is None, other.tried_at) == (None, False, None)
