"""A Telegram account is tied to a user by a one-time code that is sent to the bot in private."""

import threading
from datetime import timedelta

import pytest
from django.utils import timezone

from identity.models import User
from incidents.models import IncidentChange
from intake.models import Delivery
from telegram import accounts, chats, parsing
from telegram.models import Account, Bot, Chat, LinkCode
from tests.helpers.telegram_messages import ANNA, GROUP, message
from tests.helpers.updates import descriptions, take, wait_for_answers, write

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]
PRIVATE = {"id": ANNA["id"], "type": "private", "first_name": "Анна"}


@pytest.fixture
def petrova(group, telegram_api):
    telegram_api.add_chat(PRIVATE)
    return User.objects.create_user("petrova")


def tied():
    return list(Account.objects.values_list("telegram_id", "user__username"))


def start(code, **fields):
    write(**{"chat": PRIVATE, "text": f"/start {code}"} | fields)
    wait_for_answers()


def told(telegram_api):
    return [params["text"] for params in telegram_api.called("sendMessage")]


def test_a_code_ties_the_account_once(petrova, telegram_api):
    code = accounts.new_code(petrova)
    start(code)
    assert tied() == [(ANNA["id"], "petrova")]
    start(code, message_id=11, **{"from": ANNA | {"id": 7000000002}})
    assert len(tied()) == 1
    assert ["petrova" in text for text in told(telegram_api)] == [True, False]


def test_the_code_is_not_stored(petrova, group):
    start(accounts.new_code(petrova))
    chats.find(group.bot_id, parsing.chat_of(PRIVATE))
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
    assert tied() == []
    assert told(telegram_api)[-1] == "Too many wrong codes. Try again in 15 minutes."
    peter = {"id": 7000000002, "is_bot": False, "first_name": "Пётр"}
    telegram_api.add_chat(PRIVATE | {"id": peter["id"]})
    start(code, chat=PRIVATE | {"id": peter["id"]}, **{"from": peter})
    assert tied() == [(peter["id"], "petrova")]


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


@pytest.mark.parametrize("account", [1087968824, 136817688, 777000, 1271266957])
def test_accounts_of_many_people_are_never_tied(petrova, account):  # I16
    start(accounts.new_code(petrova), **{"from": ANNA | {"id": account}})
    assert tied() == []


def test_a_code_in_a_group_is_left_alone(petrova):
    start(accounts.new_code(petrova), chat=GROUP)
    assert tied() == []


def test_an_old_code_is_refused(petrova):
    code = accounts.new_code(petrova)
    LinkCode.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    start(code)
    assert tied() == []


def test_a_new_code_ends_the_one_before(petrova):
    code = accounts.new_code(petrova)
    accounts.new_code(petrova)
    start(code)
    assert tied() == []


def test_a_deactivated_user_is_not_tied(petrova):
    code = accounts.new_code(petrova)
    User.objects.update(is_active=False)
    start(code)
    assert tied() == []


def test_it_works_before_the_bots_name_is_known(petrova):
    Bot.objects.all().delete()
    start(accounts.new_code(petrova))
    assert len(tied()) == 1
