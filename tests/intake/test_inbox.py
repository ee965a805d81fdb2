"""Deliveries: stored once, processed once, replayed at will."""

import tracemalloc

import pytest
from django.db import OperationalError

from core.log.context import LogContext, log_context
from intake import inbox
from intake.inbox import Outcome, process, process_pending, receive, replay
from intake.models import Delivery

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]

SKIPPED = Outcome(Delivery.State.SKIPPED, ["a sticker"])


@pytest.fixture
def handled(monkeypatch):
    """The bodies that were handled so far; the handler returns or raises the first of `handled.results`."""

    class Handled(list):
        results = ()

    handled = Handled()

    def handle(delivery):
        result, *handled.results = handled.results or [Outcome()]
        handled.append(bytes(delivery.body))
        if isinstance(result, Exception):
            raise result
        return result

    monkeypatch.setitem(inbox.handlers, "webhook", handle)
    return handled


def deliver(external_id="1", body=b"\x00\xff"):
    return receive(channel="webhook", external_id=external_id, body=body)


def test_bytes_are_stored_as_they_came(handled):
    with log_context(LogContext("order-66")):
        deliver()
    stored = Delivery.objects.get()
    assert (bytes(stored.body), stored.request_id, stored.state) == (b"\x00\xff", "order-66", "pending")


def test_the_same_delivery_is_stored_once(handled):
    assert deliver().pk == deliver(body=b"again").pk
    assert bytes(Delivery.objects.get().body) == b"\x00\xff"


def test_no_body_stays_in_memory():
    deliver()  # what the first one loads
    tracemalloc.start()
    try:
        for number in range(20):
            deliver(str(number), body=bytes([number]) * 500_000)
        kept, _peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert kept < 1_000_000


def test_a_delivery_is_processed_once(handled):
    handled.results = [SKIPPED]
    pk = deliver().pk
    process(pk)
    process(pk)
    stored = Delivery.objects.get()
    assert (len(handled), stored.state, stored.notes) == (1, "skipped", "a sticker")
    assert stored.processed_at


def test_what_was_not_understood_is_kept_with_its_error_and_stops_nothing(handled):
    handled.results = [ValueError("token=s3cr3t is odd")]
    deliver("1")
    deliver("2")
    assert process_pending() is False
    faulty, processed = Delivery.objects.order_by("id")
    assert (faulty.state, processed.state) == ("faulty", "processed")
    assert "ValueError" in faulty.notes and "s3cr3t" not in faulty.notes


@pytest.mark.parametrize(("meanwhile", "state"), [(Outcome(), "processed"), (Outcome(parts=500), "pending")])
def test_a_failure_sets_nothing_back_that_was_processed_meanwhile(handled, meanwhile, state):
    class OddError(ValueError):
        def __str__(self):  # is called when the transaction that failed has ended
            process(pk)
            return "odd"

    handled.results = [OddError(), *[meanwhile] * 20]
    pk = deliver().pk
    process(pk)
    stored = Delivery.objects.get()
    assert (stored.state, stored.parts_done, stored.faults, stored.notes) == (state, meanwhile.parts or 0, 0, "")


def test_a_database_that_is_away_leaves_it_pending(handled):
    handled.results = [OperationalError("gone")]
    pk = deliver().pk
    with pytest.raises(OperationalError):
        process(pk)
    assert Delivery.objects.get().state == "pending"
    process(pk)
    assert Delivery.objects.get().state == "processed"


def test_a_replay_processes_it_again(handled):
    pk = deliver().pk
    process(pk)
    assert replay([pk]) == 1
    process_pending()
    assert len(handled) == 2


def test_pending_deliveries_are_processed_oldest_first_in_batches(handled, monkeypatch):
    monkeypatch.setattr(inbox, "TURN_BATCH", 2)
    for number in range(3):
        deliver(str(number), str(number).encode())
    assert [process_pending(), process_pending()] == [True, False]
    assert handled == [b"0", b"1", b"2"]
