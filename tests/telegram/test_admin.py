"""Chats, cards and accounts in the admin."""

from datetime import timedelta

import pytest
from django.contrib.auth.models import Group, Permission
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from identity.models import User
from incidents.attachments.services import fail_attachment
from incidents.models import Attachment
from telegram import chats
from telegram.models import Account, Card, Chat, File, Message
from telegram.reading.authors import Author
from telegram.receiving import accounts
from tests.helpers.bot_api import BOT, TOKEN
from tests.helpers.incidents import make_incident
from tests.helpers.telegram_messages import GROUP
from tests.helpers.updates import write

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]
ADMIN = "/api/admin"


@pytest.fixture(autouse=True)
def bot(settings):
    settings.TELEGRAM_BOT_TOKEN = TOKEN


@pytest.fixture
def chat():
    chat = chats.add(BOT["id"], GROUP["id"]).chat
    Chat.objects.update(title="Ops", pause_reason="CHAT_WRITE_FORBIDDEN")
    return chat


@pytest.fixture
def card(chat):
    return Card.objects.create(incident=make_incident(), chat=chat, state="failed", error="something new", message_id=9)


def page(client, path):
    response = client.get(f"{ADMIN}/{path}")
    assert response.status_code == 200
    return response.content.decode()


def staff(*permissions):
    user = User.objects.create_user("staff", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    client = Client()
    client.force_login(user)
    return client


def test_a_superuser_allows_a_chat(admin_client, chat):
    form = {"allowed": "on", "mode": "command", "source": "partner", "language": "en", "time_zone": "UTC"}
    response = admin_client.post(f"{ADMIN}/telegram/chat/{chat.pk}/change/", form)
    assert response.status_code == 302
    chat.refresh_from_db()
    assert (chat.allowed, chat.mode, chat.source, chat.telegram_id) == (True, "command", "partner", GROUP["id"])


@pytest.mark.parametrize(("before", "after"), [(1440, 1), ("", 1), (1, 1440), (1, 0)])
def test_a_new_interval_replans_the_reminders_at_once(admin_client, chat, card, before, after):
    path = f"{ADMIN}/telegram/chat/{chat.pk}/change/"
    form = {"allowed": "on", "mode": "all", "source": "partner", "language": "en", "time_zone": "UTC"}
    for minutes in (before, after):
        assert admin_client.post(path, form | {"remind_after_minutes": minutes}).status_code == 302
    card.refresh_from_db()
    due_at = card.incident.created_at + timedelta(minutes=after) if after else None
    assert card.remind_at == due_at


def test_a_time_zone_that_does_not_exist_is_refused(admin_client, chat):
    form = {"mode": "all", "source": "partner", "language": "en", "time_zone": "Mars/Phobos"}
    response = admin_client.post(f"{ADMIN}/telegram/chat/{chat.pk}/change/", form)
    assert "Europe/Moscow or UTC" in response.content.decode()


def test_a_chat_at_rest_is_resumed_by_one_press(admin_client, chat):
    assert "refused: CHAT_WRITE_FORBIDDEN" in page(admin_client, "telegram/chat/")
    assert admin_client.post(f"{ADMIN}/telegram/chat/{chat.pk}/retry/").status_code == 302
    chat.refresh_from_db()
    assert chat.pause_reason == ""
    assert "formaction" not in page(admin_client, "telegram/chat/")


def test_a_failed_card_is_sent_again_by_one_press(admin_client, card):
    assert "something new" in page(admin_client, "telegram/card/?state=failed")
    assert "Retry" in page(admin_client, f"telegram/card/{card.pk}/change/")
    assert admin_client.post(f"{ADMIN}/telegram/card/{card.pk}/retry/").status_code == 302
    card.refresh_from_db()
    assert (card.state, card.error, card.due_at is not None) == ("outdated", "", True)


def test_all_failed_cards_are_sent_again_by_one_press(admin_client, card):
    cards = [Card(incident=make_incident(), chat=card.chat, state="failed", sends_unknown=2) for _ in range(150)]
    Card.objects.bulk_create(cards)
    sent = Card.objects.create(incident=make_incident(), chat=card.chat, message_id=77, state="shown")
    action = {"action": "retry_chosen", "_selected_action": [card.pk], "select_across": 1}
    told = admin_client.post(f"{ADMIN}/telegram/card/?state=failed", action, follow=True).content.decode()
    assert "Sent again: 151." in told
    again = Card.objects.exclude(due_at=None)
    assert (again.count(), again.exclude(state="failed").filter(sends_unknown=0).count()) == (151, 151)
    assert sent not in again


def test_only_what_failed_among_the_chosen_is_sent_again(admin_client, card):
    sent = Card.objects.create(incident=make_incident(), chat=card.chat, message_id=77, state="shown")
    action = {"action": "retry_chosen", "_selected_action": [card.pk, sent.pk]}
    assert "Sent again: 1." in admin_client.post(f"{ADMIN}/telegram/card/", action, follow=True).content.decode()
    assert list(Card.objects.exclude(due_at=None)) == [card]


def test_who_may_only_look_cannot_send_again(card):
    action = {"action": "retry_chosen", "_selected_action": [card.pk]}
    staff("view_card").post(f"{ADMIN}/telegram/card/", action)
    assert Card.objects.get().state == "failed"


@pytest.mark.parametrize("state", ["failed", "resting", "waiting", "bogus"])
def test_cards_by_their_state(admin_client, card, state):
    Card.objects.update(due_at="2020-01-01T00:00Z")
    found = "№" in page(admin_client, f"telegram/card/?state={state}").split('id="result_list"')[-1]
    assert found == (state != "waiting")


@pytest.mark.parametrize("path", ["telegram/chat/{}/retry/", "telegram/card/{}/retry/"])
def test_retry_is_no_link(admin_client, card, path):
    assert admin_client.get(f"{ADMIN}/{path.format(card.pk)}").status_code == 405
    assert admin_client.post(f"{ADMIN}/{path.format(10**9)}").status_code == 404


def test_others_than_superusers_only_look_at_chats(chat, card):
    client = staff("view_chat", "change_chat", "view_card")
    assert "formaction" not in page(client, "telegram/chat/") + page(client, "telegram/card/")
    for path in (f"chat/{chat.pk}/change/", f"chat/{chat.pk}/retry/", f"card/{card.pk}/retry/"):
        assert client.post(f"{ADMIN}/telegram/{path}", {"allowed": "on"}).status_code == 403
    assert not Chat.objects.get().allowed


def test_nothing_is_added_or_deleted_by_hand(admin_client, card):
    for path in ("chat/add/", "card/add/", "account/add/", f"chat/{card.chat_id}/delete/", f"card/{card.pk}/delete/"):
        assert admin_client.get(f"{ADMIN}/telegram/{path}").status_code == 403


def test_an_operator_sees_an_incidents_messages_and_no_more_of_telegram(card):
    link = "https://t.me/c/1234567890/9"
    alias = card.chat.aliases.get()
    Message.objects.create(alias=alias, message_id=9, incident=card.incident, role="report", words="x", link=link)
    client = staff()
    User.objects.get(username="staff").groups.add(Group.objects.get(name="operators"))
    shown = page(client, f"incidents/incident/{card.incident_id}/change/")
    assert shown.count(f'href="{link}"') == 2
    assert "telegram" not in page(client, "")


def test_an_incident_that_came_otherwise_shows_nothing_of_telegram(admin_client):
    assert "origins" not in page(admin_client, f"incidents/incident/{make_incident().pk}/change/")


def test_an_incident_with_a_card_is_still_changed(admin_client, card):
    incident = card.incident
    path = f"{ADMIN}/incidents/incident/{incident.pk}/change/"
    form = {"description": "x", "status": "closed", "source": "operator", "initial-description": incident.description}
    assert admin_client.post(path, form | {"initial-status": "open", "initial-source": "operator"}).status_code == 302
    incident.refresh_from_db()
    assert (incident.description, incident.status) == ("x", "closed")


def test_an_account_is_linked_by_a_code_and_unlinked(admin_client, user):
    assert "One-time code for Telegram" in page(admin_client, f"identity/user/{user.pk}/change/")
    response = admin_client.post(f"{ADMIN}/identity/user/{user.pk}/telegram-code/", follow=True)
    code = response.content.decode().split("/start ")[1].split("”")[0]
    assert accounts.link_account(code, Author("Анна", user_id=7000000001)) == user
    assert "7000000001" in page(admin_client, f"identity/user/{user.pk}/change/")
    type(user).objects.filter(pk=user.pk).update(last_name="Петрова")
    assert f'<span title="{user.username}">Петрова</span>' in page(admin_client, "telegram/account/")
    admin_client.post(f"{ADMIN}/telegram/account/7000000001/delete/", {"post": "yes"})
    assert not Account.objects.exists()


def test_a_code_for_a_superuser_is_made_by_superusers_alone(admin_user):
    client = staff("view_user", "change_user")
    assert client.post(f"{ADMIN}/identity/user/{admin_user.pk}/telegram-code/").status_code == 403


def test_a_delivery_shows_the_incident_of_its_message(admin_client, chat):
    Chat.objects.update(allowed=True)
    write(text="Течь")
    message = Message.objects.get()
    assert f'incidents/incident/{message.incident_id}/change/"' in page(
        admin_client, f"intake/delivery/{message.delivery_id}/change/"
    )


@pytest.fixture
def file(chat):
    Chat.objects.update(allowed=True, language="en")
    write(document={"file_id": "id1", "file_unique_id": "unique1", "file_name": "log.txt"})
    file = File.objects.get()
    fail_attachment(file.attachment, "getFile: 400 Bad Request: invalid file_id")
    return file


def test_a_file_that_failed_is_fetched_again_by_one_press(admin_client, file):
    assert "invalid file_id" in page(admin_client, "telegram/file/?state=failed")
    assert "files that could not be fetched" in page(admin_client, "")
    response = admin_client.post(f"{ADMIN}/telegram/file/{file.pk}/retry/")
    assert response.status_code == 302
    assert Attachment.objects.get().state == "pending"
    assert "invalid file_id" not in page(admin_client, "telegram/file/?state=pending")
    assert "log.txt" in page(admin_client, f"telegram/file/{file.pk}/change/")


def test_files_are_fetched_again_by_those_who_may_change_them(file):
    path = f"{ADMIN}/telegram/file/{file.pk}/retry/"
    assert staff("view_file").post(path).status_code == 403
    assert Attachment.objects.get().state == "failed"


def test_the_list_of_files_has_the_same_number_of_statements_with_many(admin_client, file):
    with CaptureQueriesContext(connection) as few:
        page(admin_client, "telegram/file/")
    for number in range(20, 40):
        write(message_id=number, document={"file_id": f"id{number}", "file_unique_id": f"unique{number}"})
    with CaptureQueriesContext(connection) as many:
        page(admin_client, "telegram/file/")
    assert len(many) == len(few)
