"""A receiver that is busy says when it wants more: Retry-After with 429 and 503."""

import threading
from datetime import timedelta

import pytest
from django.utils.http import http_date

from tests.helpers.incidents import make_incident
from tests.helpers.receiver import run
from webhooks import jobs
from webhooks.models import Event

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]

HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def ask(receiver, header, status=429):
    receiver.statuses, receiver.retry_after = [status], header
    make_incident()
    run()


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize(
    ("header", "pause"),
    [
        ("3600", HOUR),
        (" 3600 ", HOUR),
        ("86400", DAY),
        ("86401", DAY),
        ("9" * 400, DAY),
        ("00060", timedelta(minutes=1)),
    ],
)
def test_seconds(hook, receiver, clock, status, header, pause):
    ask(receiver, header, status)
    hook.refresh_from_db()
    assert (hook.retry_at - clock.now, Event.objects.get().due_at - clock.now) == (pause, pause)


@pytest.mark.parametrize(("ahead", "pause"), [(HOUR, HOUR), (400 * DAY, DAY), (-HOUR, jobs.FIRST_BACKOFF)])
def test_a_date(hook, receiver, clock, ahead, pause):
    clock.now = clock.now.replace(microsecond=0)
    ask(receiver, http_date((clock.now + ahead).timestamp()))
    hook.refresh_from_db()
    assert hook.retry_at - clock.now == pause


@pytest.mark.parametrize("header", ["", "soon", "-5", "1.5", "1e3", "٣٦٠٠", "0", "Thu, 99 Xxx 2026 00:00:00 GMT"])
def test_what_is_neither_is_as_if_it_were_not_there(hook, receiver, clock, header):
    ask(receiver, header.encode().decode("latin-1"))
    hook.refresh_from_db()
    assert hook.retry_at - clock.now == jobs.FIRST_BACKOFF


@pytest.mark.parametrize("status", [400, 500, 502, 301])
def test_only_with_429_and_503(hook, receiver, clock, status):
    ask(receiver, "3600", status)
    hook.refresh_from_db()
    assert hook.retry_at - clock.now == jobs.FIRST_BACKOFF


def test_nothing_is_sent_before_and_all_after(hook, receiver, clock):
    ask(receiver, "3600")
    make_incident()
    clock.forward(minutes=59)
    run()
    assert len(receiver.requests) == 1
    clock.forward(minutes=2)
    run()
    assert len(receiver.requests) == 3
    assert {event.state for event in Event.objects.all()} == {"delivered"}


def test_pause_that_a_receiver_asks_for_outlasts_the_success_of_others(hook, receiver, clock, monkeypatch):
    monkeypatch.setattr(jobs, "MAX_AT_ONCE", 2)
    monkeypatch.setattr(jobs, "STEP_SECONDS", 0.05)
    release, first = threading.Event(), make_incident()
    make_incident()
    make_incident()
    receiver.retry_after, receiver.status_of = "3600", {first.pk: 429}
    receiver.before_response = lambda body: body["data"]["incident"]["id"] == first.pk or release.wait(60)
    sender = jobs.Sender()
    while not Event.objects.filter(incident=first, attempts=1).exists():
        sender.step()
    release.set()
    while sender.step():
        pass
    hook.refresh_from_db()
    assert (len(receiver.requests), hook.retry_at - clock.now, hook.failing_since) == (2, HOUR, None)


def test_a_press_in_the_admin_does_not_wait(hook, receiver, clock):
    ask(receiver, "3600")
    hook.resume()
    run()
    assert Event.objects.get().state == "delivered"
