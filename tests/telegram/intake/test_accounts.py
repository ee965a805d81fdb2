"""A Telegram account is tied to a user by a one-time code that is sent to the bot in private."""

from datetime import timedelta

import pytest
from django.utils import timezone

from identity.models import User
from incidents.models import IncidentChange
from intake.models import Delivery
from telegram import accounts
from telegram.models import Account, Bot, LinkCode
from tests.helpers.telegram_messages import ANNA, GROUP
from tests.helpers.updates import write

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


def test_a_code_ties_the_account_once(petrova, telegram_api):
    code = accounts.new_code(petrova)
    start(code)
    assert tied() == [(ANNA["id"], "petrova")]
    start(code, message_id=11, **{"from": ANNA | {"id": 7000000002}})
    assert len(tied()) == 1
    assert ["petrova" in params["text"] for params in telegram_api.called("sendMessage")] == [True, False]


def test_the_code_is_not_stored(petrova):
    start(accounts.new_code(petrova))
    assert not Delivery.objects.exists()


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
