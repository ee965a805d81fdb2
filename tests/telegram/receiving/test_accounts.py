"""A Telegram account is linked to a user by a one-time code that is sent to the bot in private."""

import threading
from datetime import timedelta

import pytest
from django.utils import timezone

from identity.models import User
from incidents.models import IncidentChange
from intake.models import Delivery
from telegram import chats
from telegram.models import Account, Bot, Chat, LinkCode
from telegram.reading import updates
from telegram.receiving import accounts
from tests.helpers.telegram_messages import ANNA, GROUP, message
from tests.helpers.updates import descriptions, take, wait_for_answers, write

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]
PRIVATE = {"id": ANNA["id"], "type": "private", "first_name": "Анна"}


@pytest.fixture
def petrova(group, telegram_api):
    telegram_api.add_chat(PRIVATE)
    return User.objects.create_user("petrova")


def linked():
    return list(Account.objects.values_list("telegram_id", "user__username"))


def start(code, **fields):
    write(**{"chat": PRIVATE, "text": f"/start {code}"} | fields)
    wait_for_answers()


def told(telegram_api):
    return [params["text"] for params in telegram_api.called("sendMessage")]


def test_a_code_links_the_account_once(petrova, telegram_api):
    code = accounts.new_code(petrova)
    start(code)
    assert linked() == [(ANNA["id"], "petrova")]
    start(code, message_id=11, **{"from": ANNA | {"id": 7000000002}})
    assert len(linked()) == 1
    assert ["petrova" in text for text in told(telegram_api)] == [True, False]


def test_the_code_is_not_stored(petrova, group):
    start(accounts.new_code(petrova))
    chats.find(group.bot_id, updates.chat_of(PRIVATE))
    Chat.objects.update(allowed=True)
    start("a-code")
    take("edited_message", message(chat=PRIVATE, text="/start another-code"))
    wait_for_answers()
    assert not Delivery.objects.exists()


def test_wrong_codes_are_slowed_down_for_an_account(petrova, telegram_api):
    code = accounts.new_code(petrova)
    for number in range(5):
        start("wrong", message_id=number + 1)
    start(code, message_id=6)
    assert linked() == []
    assert told(telegram_api)[-1] == "Too many wrong codes. Try again in 15 minutes."
    peter = {"id": 7000000002, "is_bot": False, "first_name": "Пётр"}
    telegram_api.add_chat(PRIVATE | {"id": peter["id"]})
    start(code, chat=PRIVATE | {"id": peter["id"]}, **{"from": peter})
    assert linked() == [(peter["id"], "petrova")]


def test_answers_that_telegram_takes_slowly_hold_back_no_report(petrova, telegram_api, monkeypatch):
    released = threading.Event()
    monkeypatch.setattr(telegram_api, "_send_message", lambda params: released.wait(10))
    for number in range(40):
        write(chat=PRIVATE, message_id=number + 1, text="/start wrong")
    write(text="Насос")
    assert descriptions() == ["Насос"]
    assert len(told(telegram_api)) <= 1  # the answer to a chat waits for the one before
    released.set()
    wait_for_answers()
    assert 1 <= len(told(telegram_api)) <= 2 and "Too many" in told(telegram_api)[-1]


def test_the_authors_reports_are_the_users(petrova):
    start(accounts.new_code(petrova))
    write(text="x")
    assert IncidentChange.objects.get().actor == "petrova"
    User.objects.update(is_active=False)
    write(text="y", message_id=11)
    assert IncidentChange.objects.last().actor == "Анна"


IMPOSTORS = [
    {"first_name": "operator1"},
    {"first_name": "Operator1"},
    {"first_name": "оperator1"},  # the first letter is Cyrillic
    {"first_name": "οperator1"},  # Greek
    {"first_name": "ｏｐｅｒａｔｏｒ１"},
    {"first_name": "oper\u200bator1"},
    {"first_name": "operator1", "last_name": "\u3164"},
    {"first_name": "", "username": "operator1"},
    {"first_name": "Петрова"},
    {"first_name": "Пeтрова"},  # the second letter is Latin
    {"first_name": "Анна", "last_name": "Ли"},
    {"first_name": "ли", "last_name": "анна Ивановна"},
    {"first_name": "Петр", "last_name": "Королев"},
    {"first_name": "Пётр", "last_name": "Королёв"},
    {"first_name": "Семен", "last_name": "Сухово‐Кобылин"},
    {"first_name": "operator–1"},
]


@pytest.mark.parametrize("named", IMPOSTORS)
def test_a_name_that_could_be_taken_for_a_users_is_marked(group, named):
    User.objects.create_user("operator1", first_name="Анна", last_name="Ли")
    User.objects.create_user("петрова", first_name="Пётр", last_name="Королёв")
    User.objects.create_user("semyon", first_name="Семён", last_name="Сухово-Кобылин")
    write(text="x", **{"from": ANNA | named})
    actor = IncidentChange.objects.get().actor
    assert actor.endswith(" (Telegram)") and actor != "operator1"


@pytest.mark.parametrize("name", ["operator2", "kuznetsov", "a.petrova", "иванов"])
def test_a_name_that_a_later_user_could_have_is_marked(group, name):
    write(text="x", **{"from": ANNA | {"first_name": name}})
    User.objects.create_user(name)
    assert IncidentChange.objects.get().actor == f"{name} (Telegram)"


@pytest.mark.parametrize("name", ["Анна", "Анна Ли", "Ops (дежурный)", "José", "李明", "田中さん", "Grafana", "O’Neil"])
def test_other_names_stay_as_they_are(group, name):
    User.objects.create_user("operator1", first_name="Анна", last_name="Петрова")
    write(text="x", **{"from": ANNA | {"first_name": name}})
    assert IncidentChange.objects.get().actor == name


def test_letters_that_are_shown_in_reverse_are_shown_as_they_are(group):
    write(text="x", **{"from": ANNA | {"first_name": "\u202e1rotarepo"}})
    assert IncidentChange.objects.get().actor == "1rotarepo (Telegram)"


def test_a_channel_and_a_bot_that_are_called_like_a_user(group):
    User.objects.create_user("operator1")
    write(text="x", sender_chat={"id": -1005, "type": "channel", "title": "operator1"}, **{"from": None})
    write(message_id=11, text="x", **{"from": {"id": 5, "is_bot": True, "first_name": "operator1"}})
    assert [change.actor for change in IncidentChange.objects.all()] == ["operator1 (Telegram)"] * 2


def test_a_marked_name_that_is_long_is_cut_before_the_mark(group):
    write(text="x", **{"from": ANNA | {"first_name": "a" * 200}})
    actor = IncidentChange.objects.get().actor
    assert len(actor) == 150 and actor.endswith("a… (Telegram)")


@pytest.mark.parametrize("account", [1087968824, 136817688, 777000, 1271266957])
def test_accounts_of_many_people_are_never_linked(petrova, account):
    start(accounts.new_code(petrova), **{"from": ANNA | {"id": account}})
    assert linked() == []


def test_a_code_in_a_group_is_left_alone(petrova):
    start(accounts.new_code(petrova), chat=GROUP)
    assert linked() == []


def test_an_old_code_is_refused(petrova):
    code = accounts.new_code(petrova)
    LinkCode.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    start(code)
    assert linked() == []


def test_a_new_code_ends_the_one_before(petrova):
    code = accounts.new_code(petrova)
    accounts.new_code(petrova)
    start(code)
    assert linked() == []


def test_a_deactivated_user_is_not_linked(petrova):
    code = accounts.new_code(petrova)
    User.objects.update(is_active=False)
    start(code)
    assert linked() == []


def test_it_works_before_the_bots_name_is_known(petrova):
    Bot.objects.all().delete()
    start(accounts.new_code(petrova))
    assert len(linked()) == 1
