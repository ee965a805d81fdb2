"""The card tells how many attachments its incident has, and comes up to date when there are more."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from incidents.actors import Named
from incidents.attachments.services import announce_attachment
from telegram.models import Card
from telegram.sending.outdated import mark_changed
from tests.helpers.telegram_messages import GROUP
from tests.helpers.updates import write

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]


def photo(number):
    return [{"file_id": f"id{number}", "file_unique_id": f"unique{number}"}]


def announce(card, number=1):
    """As a file that is sent at the desk, or by the API."""
    for _ in range(number):
        announce_attachment(
            incident_id=card.incident_id, kind="photo", name="a.jpg", actor=Named("petrova"), channel="admin"
        )


def test_an_album(service, chat):
    service.api.foreign.add((GROUP["id"], 10))
    for number in range(10):
        write(message_id=10 + number, photo=photo(number), media_group_id="a", caption=None if number else "Течь")
    service.run()
    (text,) = service.shown
    assert "10 attachments" in text
    assert len(service.sent) == 1


def test_a_late_part_of_an_album(service, chat):
    service.api.foreign.add((GROUP["id"], 10))
    write(photo=photo(1), media_group_id="a", caption="Течь")
    service.run()
    write(message_id=11, photo=photo(2), media_group_id="a")
    service.run()
    assert ["2 attachments" in text for text in service.shown] == [True]


def test_ten_at_once_are_one_edit(service, chat):
    card = service.report(chat)
    service.run()
    service.clock.pass_(60)
    announce(card, 10)
    service.run(30)
    assert "10 attachments" in service.shown[0]
    assert (len(service.sent), len(service.edits)) == (1, 1)


def test_one_that_comes_while_the_jobs_are_down(service, chat):
    card = service.report(chat)
    service.run()
    service.clock.pass_(24 * 3600)
    announce(card)
    service.clock.pass_(24 * 3600)
    service.start()
    service.run()
    assert "1 attachment" in service.shown[0]


def test_one_that_comes_while_the_card_is_being_edited(service, chat):
    card = service.report(chat)
    service.run()

    def watch(point, method, params, result):
        if (point, method) == ("asked", "editMessageText") and not late:
            late.append(True)

    late = []
    service.api.watch = watch
    service.change(card, status="in_progress")
    service.clock.pass_(2)
    service.sender.step()
    announce(card)
    service.run(20)
    assert "1 attachment" in service.shown[0]


def test_a_card_whose_edit_was_refused_is_edited_at_the_next_attachment(service, chat):
    card = service.report(chat)
    service.run()
    announce(card)
    service.api.fail("editMessageText", 400, "something new")
    service.run(20)
    assert Card.objects.get().state == "failed"
    assert len(service.edits) == 1
    announce(card)
    service.run(20)
    assert (Card.objects.get().state, "2 attachments" in service.shown[0]) == ("shown", True)


def test_attachments_of_another_incident_change_nothing(service, chat):
    first, second = service.report(chat), service.report(chat)
    service.run(10)
    announce(second)
    service.run(10)
    assert ["1 attachment" in text for text in service.shown] == [False, True]
    assert len(service.edits) == 1
    assert first.pk != second.pk


def test_the_number_of_statements_is_the_same_with_many(service, chat):
    cards = [service.report(chat) for _ in range(3)]
    service.run(10)
    counts = []
    for card in cards:
        announce(card, 5)
        with CaptureQueriesContext(connection) as queries:
            mark_changed(service.clock.now)
        counts.append(len(queries))
    assert counts == [2, 2, 2]
