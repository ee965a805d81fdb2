"""telegram.bot_api.client against a Bot API server that fails on demand."""

import socket
import traceback

import pytest

from telegram.bot_api import client
from tests.helpers.bot_api import TOKEN, refusal


def failure(**params):
    """The error of a call; checks that nothing of it that could be logged holds the token."""
    with pytest.raises(client.TelegramError) as caught:
        client.call("sendMessage", **params)
    assert TOKEN not in "".join(traceback.format_exception(caught.value)) + repr(caught.value)
    return caught.value


def test_call_returns_the_result(telegram):
    assert client.call("sendMessage", chat_id=1, text="Привет") == {"message_id": 7}
    assert telegram.calls.get() == (f"/bot{TOKEN}/sendMessage", {"chat_id": 1, "text": "Привет"})


def test_429_is_transient_with_its_retry_after(telegram):
    telegram.faults = [refusal(429, "Too Many Requests: retry after 35", retry_after=35)]
    error = failure()
    assert (error.transient, error.retry_after) == (True, 35)


@pytest.mark.parametrize("fault", [refusal(500), (502, b"<html>Bad Gateway</html>"), (503, b""), (500, [])])
def test_server_error_is_transient(telegram, fault):
    telegram.faults = [fault]
    error = failure()
    assert (error.transient, error.retry_after) == (True, None)


@pytest.mark.parametrize("status", [400, 401, 403, 404])
def test_client_error_is_permanent_and_says_why(telegram, status):
    telegram.faults = [refusal(status, f"chat not found, {TOKEN}")]
    error = failure()
    assert not error.transient
    assert f"{status} chat not found" in str(error)


def test_group_that_became_a_supergroup_is_found(telegram, caplog, monkeypatch):
    monkeypatch.setattr(client, "_supergroups", {})
    telegram.faults = [refusal(400, "group chat was upgraded to a supergroup chat", migrate_to_chat_id=-100123)]
    assert client.call("sendMessage", chat_id=-5, text="one")
    assert client.call("sendMessage", chat_id="-5", text="two")
    sent = [telegram.calls.get()[1] for _ in range(3)]
    assert [(call["chat_id"], call["text"]) for call in sent] == [(-5, "one"), (-100123, "one"), (-100123, "two")]
    assert [line for line in caplog.messages if "-5" in line and "-100123" in line] == caplog.messages[:1]


def test_endless_migration_of_a_chat_ends_after_two_calls(telegram, monkeypatch):
    monkeypatch.setattr(client, "_supergroups", {})
    telegram.faults = [refusal(400, migrate_to_chat_id=-1)] * 3
    assert failure(chat_id=-1).supergroup == -1
    assert telegram.calls.qsize() == 2


@pytest.mark.parametrize("parameters", [{"migrate_to_chat_id": "x"}, {"migrate_to_chat_id": None}, {}])
def test_client_error_without_a_supergroup(telegram, parameters):
    telegram.faults = [refusal(400, **parameters)]
    assert failure(chat_id=-1).supergroup is None


@pytest.mark.parametrize("fault", [(302, b""), (200, b"<html>Pay for your internet</html>"), (200, {"ok": False})])
def test_response_of_another_server_is_an_error(telegram, fault):
    telegram.faults = [fault]
    assert not failure().transient
    assert telegram.calls.qsize() == 1


def test_after_a_hang_the_outcome_is_unknown(telegram):
    telegram.faults = ["hang"]
    error = failure(timeout=(0.2, 0.2))
    assert (error.transient, error.unknown, error.status) == (True, True, None)


def test_a_refused_connection(telegram, settings):
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        settings.TELEGRAM_API_URL = f"http://127.0.0.1:{closed.getsockname()[1]}"
        error = failure()
    assert (error.transient, error.unknown) == (True, False)


def test_after_a_response_cut_short_the_outcome_is_unknown(telegram):
    telegram.faults = [(200, b'{"ok": tr')]
    assert failure().unknown


def test_what_a_refusal_says(telegram):
    telegram.faults = [refusal(403, "Forbidden: bot was kicked")]
    error = failure()
    assert (error.status, error.description, error.unknown) == (403, "Forbidden: bot was kicked", False)


@pytest.mark.parametrize("url", ["api.telegram.org", "http://", "gopher://example.org"])
def test_malformed_url_is_permanent(telegram, settings, url):
    settings.TELEGRAM_API_URL = url
    assert not failure().transient


def test_text_is_measured_and_cut_in_utf_16_units():
    assert client.length("aж😀") == 4
    assert client.start_of("aж😀", 3) == "aж"
    assert client.start_of("a\ud83d", 3) == "a?"
    assert client.end_of("😀ab", 3) == "ab"
    assert client.end_of("one\ntwo\nthree", 10) == "two\nthree"
    assert client.end_of("one\ntwo", 7) == "one\ntwo"
