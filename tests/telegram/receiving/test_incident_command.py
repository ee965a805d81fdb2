"""/incident and mentions, and the mode in which they alone are reports."""

import pytest

from incidents.models import IncidentChange
from tests.helpers.telegram_messages import ANNA, BOT, GROUP
from tests.helpers.updates import deliveries, descriptions, history, write

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]
PETER = ANNA | {"id": 7000000002, "first_name": "Пётр"}
REPLIED = {"message_id": 5, "chat": GROUP, "from": PETER, "date": 1705314000, "text": "Насос стоит"}


@pytest.fixture
def by_command(group):
    group.mode = "command"
    group.save()


def test_the_text_of_a_command_is_the_report(group):
    write(text="/incident Течь")
    assert descriptions() == ["Течь"]


@pytest.mark.parametrize(("text", "found"), [("/incident@OtherBot x", []), ("/incident@Our_BOT x", ["x"])])
def test_a_command_for_another_bot_is_not_taken(group, text, found):
    write(text=text)
    assert descriptions() == found


def test_a_command_as_a_reply_records_the_message_that_it_replies_to(by_command):
    write(text="/incident", reply_to_message=REPLIED)
    write(message_id=11, text="/incident", reply_to_message=REPLIED)
    assert descriptions() == ["Насос стоит"]
    assert IncidentChange.objects.get().actor == "Пётр"


def test_the_text_of_such_a_command_is_a_comment(by_command):
    write(text="/incident второй раз", reply_to_message=REPLIED)
    assert (descriptions(), history()) == (["Насос стоит"], [{"comment": [None, "второй раз"]}])


def test_a_sticker_becomes_a_report_by_command(by_command):
    write(text="/incident", reply_to_message=REPLIED | {"text": None, "sticker": {"emoji": "🔥"}})
    assert descriptions() == ["[sticker, 🔥]"]


@pytest.mark.parametrize(
    "replied", [REPLIED | {"from": BOT | {"id": 110201543}}, {"message_id": 5, "chat": GROUP, "new_chat_title": "x"}]
)
def test_own_and_service_messages_become_none(by_command, replied):
    write(text="/incident", reply_to_message=replied)
    assert descriptions() == []


def test_plain_messages_are_left_alone(by_command):
    write(text="Привет")
    assert (descriptions(), deliveries()) == ([], [("skipped", "not addressed to the bot")])


def test_a_mention_is_a_report(by_command):
    write(text="@our_bot Течь", entities=[{"type": "mention", "offset": 0, "length": 8}])
    assert descriptions() == ["@our_bot Течь"]


def test_a_bare_mention_as_a_reply_records_the_message_that_it_replies_to(by_command):
    write(text="@our_bot", entities=[{"type": "mention", "offset": 0, "length": 8}], reply_to_message=REPLIED)
    assert descriptions() == ["Насос стоит"]


def test_a_caption_may_be_a_command(by_command):
    write(photo=[{}], caption="/incident")
    assert descriptions() == ["[photo, no text]\nhttps://t.me/c/1234567890/10"]
