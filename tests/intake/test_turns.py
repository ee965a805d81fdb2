"""Large calls: each is read once, and none holds up another sender."""

import json
import tempfile

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from intake import body, episodes, inbox
from intake.models import Delivery
from tests.helpers.intake import alert, make_caller, statuses

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]


@pytest.fixture
def large(alertmanager, monkeypatch):
    """A call of 40 parts, of which each transaction takes two, and each turn one transaction."""
    monkeypatch.setattr(episodes, "PARTS", 2)
    monkeypatch.setattr(inbox, "TURN_SECONDS", 0.0)
    return inbox.receive(
        channel="alertmanager",
        body=json.dumps({"alerts": [alert(str(number)) for number in range(40)]}).encode(),
        sender=alertmanager.sender,
    )


def receive(caller):
    return inbox.receive(channel=caller.sender.channel, body=json.dumps({"text": "x"}).encode(), sender=caller.sender)


def state(delivery):
    return Delivery.objects.values_list("state", flat=True).get(pk=delivery.pk)


def test_other_senders_do_not_wait_for_a_large_call(large):
    others = [receive(make_caller(f"probe{number}", "generic")) for number in range(3)]
    assert inbox.process_pending() is True
    assert (state(large), {state(other) for other in others}) == ("pending", {"processed"})


def test_who_waited_longest_has_the_next_turn(large, monkeypatch):
    waiting = [large, *(receive(make_caller(f"probe{number}", "generic")) for number in range(3))]
    turns = []

    def take_turn(sender):
        turns.append(sender)
        return True

    monkeypatch.setattr(inbox, "_take_turn", take_turn)
    monkeypatch.setattr(inbox, "_served", {})
    monkeypatch.setattr(inbox, "monotonic", lambda: 1 + 0.6 * inbox.STEP_SECONDS * len(turns))  # two turns in a step
    for _ in range(4):
        inbox.process_pending()
    assert set(turns[:4]) == {delivery.sender_id for delivery in waiting}
    assert turns[:4] == turns[4:]


def test_a_large_call_is_read_once(large, monkeypatch):
    reads, read = [], episodes.read
    monkeypatch.setattr(episodes, "read", lambda *args: reads.append(args) or read(*args))
    while inbox.process_pending():
        pass
    assert (len(reads), state(large), len(statuses())) == (1, "processed", 40)


def test_another_process_goes_on_where_the_last_one_ended(large, monkeypatch):
    while inbox.process_pending():
        episodes._begun.clear()
    assert (state(large), len(statuses())) == ("processed", 40)


def test_a_call_that_is_replayed_while_it_is_processed_begins_again(large):
    for _ in range(3):
        inbox.process_pending()
    inbox.replay([large.pk])
    while inbox.process_pending():
        pass
    assert (state(large), len(statuses())) == ("processed", 40)


def test_a_transaction_that_failed_is_repeated_from_the_same_part(large, monkeypatch):
    save = inbox._save
    fails = [True, False] * 100

    def save_or_fail(*args):
        if fails.pop():
            raise inbox.DOWN[0]("gone")
        save(*args)

    monkeypatch.setattr(inbox, "_save", save_or_fail)
    more = True
    while more:
        try:
            more = inbox.process_pending()
        except inbox.DOWN:
            continue
    assert (state(large), len(statuses())) == ("processed", 40)


def test_each_transaction_takes_the_same_queries_however_many_came_before(large):
    inbox.process_pending()
    counts = set()
    for _ in range(10):
        with CaptureQueriesContext(connection) as context:
            inbox.process_pending()
        counts.add(len(context))
        assert not any('"body"' in query["sql"] and "SELECT" in query["sql"] for query in context)
    assert len(counts) == 1


def test_large_bodies_are_read_few_at_a_time(alertmanager, monkeypatch, tmp_path):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))  # other tests read large bodies too
    monkeypatch.setattr(body, "MAX_WAIT_SECONDS", 0.0)
    content = json.dumps({"alerts": [], "x": "x" * body.LARGE_SIZE}).encode()
    places = [body._Place() for _ in range(body.MAX_LARGE)]
    for place in places:
        place.__enter__()
    try:
        response = alertmanager.post(content)
        assert (response.status_code, response["Retry-After"]) == (503, "2")
        assert alertmanager.post({"alerts": []}).status_code == 200
        assert alertmanager.post(content, authorization="Bearer wrong").status_code == 401
    finally:
        for place in places:
            place.__exit__()
    for _ in range(2):
        assert alertmanager.post(content).status_code == 200


def test_a_large_body_is_stored_as_it_came(alertmanager):
    content = (
        b'{"alerts": [], "x": "' + bytes(range(32, 127)).replace(b'"', b"").replace(b"\\", b"") * 20_000 + b'"} \n'
    )
    assert len(content) > body.LARGE_SIZE
    assert alertmanager.post(content).status_code == 200
    assert bytes(Delivery.objects.get().body) == content
