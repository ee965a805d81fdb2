"""The stand-in for Telegram keeps to the limits that Telegram documents."""

import pytest

from telegram.bot_api import client
from telegram.bot_api.client import TelegramError
from tests.helpers.telegram_messages import ANNA, GROUP, message

DAY = 24 * 3600


def call(method, **params):
    return client.call(method, **params)


def refusal(method, **params):
    with pytest.raises(TelegramError) as caught:
        call(method, **params)
    return str(caught.value)


def send(api, text="x", **params):
    api.add_chat(GROUP)
    return call("sendMessage", chat_id=GROUP["id"], text=text, **params)


def test_updates_wait_until_an_offset_confirms_them(telegram_api):
    ids = [telegram_api.write(**message(text="x"))["update_id"] for _ in range(2)]
    assert [update["update_id"] for update in call("getUpdates")] == ids
    assert [update["update_id"] for update in call("getUpdates", offset=ids[0] + 1)] == ids[1:]
    assert [update["update_id"] for update in telegram_api.pending] == ids[1:]


def test_updates_are_kept_a_day(telegram_api):
    telegram_api.write(**message(text="x"))
    later = telegram_api.now() + DAY + 1
    telegram_api.now = lambda: later
    assert call("getUpdates") == []


def test_allowed_updates_stay_as_they_were_named_last(telegram_api):
    call("getUpdates", allowed_updates=["callback_query"])
    call("getUpdates")
    telegram_api.write(**message(text="x"))
    assert call("getUpdates") == []


def test_a_webhook_forbids_polling(telegram_api):
    call("setWebhook", url="https://example.org/")
    assert "409 Conflict: can't use getUpdates" in refusal("getUpdates")
    call("deleteWebhook")
    assert call("getUpdates") == []


@pytest.mark.parametrize(
    ("params", "description"),
    [
        ({"text": "😀" * 2049}, "message is too long"),
        ({"text": " "}, "message text is empty"),
        ({"reply_parameters": {"message_id": 5}}, "message to be replied not found"),
        ({"message_thread_id": 5}, "message thread not found"),
        ({"reply_markup": {"inline_keyboard": [[{"text": "x", "callback_data": "я" * 33}]]}}, "BUTTON_DATA_INVALID"),
    ],
)
def test_what_cannot_be_sent(telegram_api, params, description):
    telegram_api.add_chat(GROUP)
    assert description in refusal("sendMessage", **({"chat_id": GROUP["id"], "text": "x"} | params))


def test_an_edit_to_the_same_is_refused(telegram_api):
    sent = send(telegram_api)
    where = {"chat_id": GROUP["id"], "message_id": sent["message_id"]}
    assert "message is not modified" in refusal("editMessageText", text="x", **where)
    assert call("editMessageText", text="y", **where)["text"] == "y"
    assert "message to edit not found" in refusal("editMessageText", text="y", chat_id=GROUP["id"], message_id=1)


def test_a_press_is_answered_once(telegram_api):
    query = telegram_api.press(send(telegram_api), "1", ANNA)
    assert call("answerCallbackQuery", callback_query_id=query)
    assert "query is too old" in refusal("answerCallbackQuery", callback_query_id=query)


def test_limits(telegram_api):
    telegram_api.limits = True
    now = telegram_api.now()
    for second in range(20):
        telegram_api.now = lambda second=second: now + 2 * second
        send(telegram_api)
    assert "429 Too Many Requests" in refusal("sendMessage", chat_id=GROUP["id"], text="x")


def test_a_lost_response_may_have_taken_effect(telegram_api):
    telegram_api.lose("sendMessage")
    with pytest.raises(TelegramError):
        send(telegram_api)
    assert len(telegram_api.messages) == 1
