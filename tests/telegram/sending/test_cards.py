"""A card is sent once, and mirrors its incident from then on."""

import pytest

from incidents.actors import Named
from incidents.services import change_incident
from telegram.models import Card
from tests.helpers.telegram_messages import GROUP

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]


def test_a_card_replies_to_the_report(service, chat):
    service.api.foreign.add((GROUP["id"], 10))
    card = service.report(chat, reply_to=10)
    service.run()
    (call,) = service.sent
    assert call["text"].startswith(f"№ {card.incident_id} · Open\n")
    assert call["text"].endswith("\n\nНасос 3 стоит")
    assert call["reply_parameters"] == {"message_id": 10}
    assert call["link_preview_options"] == {"is_disabled": True}
    assert not {"parse_mode", "message_thread_id", "direct_messages_topic_id"} & call.keys()


def test_in_its_topic(service, chat):
    service.api.topics[GROUP["id"], 5] = "open"
    service.report(chat, thread_id=5)
    service.run()
    assert [call["message_thread_id"] for call in service.sent] == [5]


def test_in_russian_and_in_the_chats_zone(service):
    service.report(service.add_chat(language="ru", time_zone="Asia/Yekaterinburg"))
    service.run()
    assert "Создан: 1 марта 2040, 17:00 +05" in service.shown[0]


def test_a_zone_that_does_not_exist_is_utc(service):
    service.report(service.add_chat(time_zone="Mars/Phobos"))
    service.run()
    assert "12:00 UTC" in service.shown[0]


def test_a_change_is_an_edit_that_names_the_handler(service, chat):
    card = service.report(chat)
    service.run()
    service.change(card, status="in_progress", actor="Пётр")
    service.change(card, description="Насос 3 и 4", actor="Ольга")
    service.run()
    assert len(service.sent) == len(service.edits) == 1
    assert "Handled by: Пётр" in service.shown[0]
    assert service.shown[0].endswith("Насос 3 и 4")


@pytest.mark.parametrize(("taken_by", "shown"), [("Пётр", True), ("", False)])
def test_an_undo_names_who_had_taken_it_before(service, chat, taken_by, shown):
    card = service.report(chat)
    incident = service.change(card, status="resolved", actor="Ольга")
    change_incident(incident, values={"status": "open"}, actor=Named("Ольга"), channel="admin", taken_by=taken_by)
    service.run()
    assert ("Handled by: Пётр" in service.shown[0]) == shown
    assert "Ольга" not in service.shown[0].partition("\n\n")[0]


def test_a_card_names_who_was_given_the_incident(service, chat, django_user_model):
    django_user_model.objects.create_user("anna", last_name="Сидорова", first_name="Анна")
    card = service.report(chat)
    service.change(card, status="in_progress", actor="Пётр")
    service.run()
    assert "Handled by: Пётр" in service.shown[0]
    service.change(card, taken_by="anna", actor="Ольга")
    service.run()
    assert len(service.sent) == len(service.edits) == 1
    assert "Handled by: Сидорова Анна" in service.shown[0] and "In progress" in service.shown[0]


def test_ten_quick_changes_are_one_edit(service, chat):
    card = service.report(chat)
    service.run()
    for number in range(10):
        service.change(card, description=f"change {number}")
    service.run()
    assert len(service.edits) == 1
    assert service.shown[0].endswith("change 9")


def test_a_change_while_the_jobs_were_down_is_shown(service, chat):
    card = service.report(chat)
    service.run()
    service.change(card, status="closed")
    service.clock.pass_(10 * 24 * 3600)
    service.start()
    service.run()
    assert "Closed" in service.shown[0]


def test_a_change_that_was_committed_late_is_shown(service, chat):
    card = service.report(chat)
    service.run()
    at = service.clock.now
    service.run(120, every=20)
    service.change(card, status="closed")
    type(card.incident).objects.update(updated_at=at)
    service.run()
    assert "Closed" in service.shown[0]


def test_what_became_due_again_meanwhile_is_sent_again(service, chat, monkeypatch):
    card = service.report(chat)
    settle = service.sender._settle

    def become_due(*outcome):
        Card.objects.update(due_at=service.clock.now)
        service.clock.pass_(1)
        return settle(*outcome)

    service.clock.pass_(0.5)
    monkeypatch.setattr(service.sender, "_settle", become_due)
    service.sender.step()
    card.refresh_from_db()
    assert (card.message_id, card.due_at is not None) == (1000, True)


def test_hostile_text_is_shown_as_it_is(service, chat):
    text = '<b>a_*[x](y)</b & "\u202eabc\u200b'
    service.report(chat, text)
    service.run()
    assert service.shown[0].endswith(text)


def test_twenty_thousand_characters_are_sent_once(service, chat):
    service.report(chat, "😀я" * 10_000)
    service.run()
    assert len(service.sent) == len(service.shown) == 1


@pytest.mark.parametrize("fields", [{"allowed": False}, {"bot_id": 5}])
def test_nothing_is_sent_to_a_chat_that_is_not_allowed_or_another_bots(service, fields):
    service.report(service.add_chat(**fields))
    service.run()
    assert service.api.calls == []


@pytest.mark.slow
def test_two_hundred_at_once_are_shown_in_order_within_the_limits(service, chat):
    cards = [service.report(chat) for _ in range(200)]
    at = []
    service.api.now = lambda: at.append(service.clock.seconds()) or at[-1]
    service.run(640, every=3)
    numbers = [int(text.split()[1]) for text in service.shown]
    assert numbers == [card.incident_id for card in cards]
    assert len(service.sent) == 200  # none was refused by the limits, and none sent twice
