"""TelegramHandler against a Bot API server that fails on demand."""

import json
import logging
import re
import socket
import subprocess
import sys
import threading
import time

import pytest
from django.conf import settings as django_settings

from incidents import views
from telegram.bot_api import client
from telegram.bot_api.alerts import TelegramHandler
from tests.helpers.bot_api import TOKEN, refusal
from tests.helpers.servers import wait_until

LIST = "/api/v1/incidents/"
REPORT = {"description": "x", "source": "operator"}

logger = logging.getLogger("incidents")


def crash(api, monkeypatch, message, **headers):
    def fail(**values):
        raise RuntimeError(message)

    monkeypatch.setattr(views, "create_incident", fail)
    api.raise_request_exception = False
    response = api.post(LIST + "?q=s3cr3t", REPORT, "application/json", headers=headers)
    assert response.status_code == 500


@pytest.mark.django_db
def test_crash_is_sent_with_its_request_and_place(api, alerts, monkeypatch):
    crash(api, monkeypatch, "the disk is on fire", **{"x-request-id": "order-66"})
    path, params = alerts.calls.get(timeout=10)
    text = params.pop("text")
    assert path == f"/bot{TOKEN}/sendMessage"
    assert params == {"chat_id": "-1001234567890", "link_preview_options": {"is_disabled": True}}
    for part in ("ERROR django.request", f"POST {LIST}", "order-66", "operator", "incidents/views.py"):
        assert part in text
    assert text.endswith("RuntimeError: the disk is on fire")
    assert alerts.calls.empty()


@pytest.mark.django_db
def test_secrets_are_masked(api, alerts, monkeypatch):
    secrets = f"postgres://u:s3cr3t@db password=s3cr3t {TOKEN} {django_settings.SECRET_KEY} end"
    token = api.defaults["HTTP_AUTHORIZATION"]
    crash(api, monkeypatch, f"{token} {secrets}", cookie="sessionid=s3cr3t")
    logger.error("headers %s of %s", {"Cookie": "a=s3cr3t", "Authorization": "s3cr3t"}, secrets)
    for text in (alerts.message(), alerts.message()):
        assert " end" in text
        for secret in ("s3cr3t", TOKEN, django_settings.SECRET_KEY, token):
            assert secret not in text


@pytest.mark.django_db
def test_client_errors_cause_no_alert(client, alerts):
    for host in ("evil.example", "testserver"):
        client.get("/api/nothing/", headers={"host": host})
    logger.warning("a warning")
    logger.error("an error")
    assert "an error" in alerts.message()
    assert alerts.calls.empty()


def test_flood_is_one_message_with_a_count(alerts, monkeypatch):
    monkeypatch.setattr(TelegramHandler, "DEBOUNCE_SECONDS", 3600)
    monkeypatch.setattr(TelegramHandler, "SHUTDOWN_SECONDS", 10)
    for number in range(500):
        logger.error("number %d", number)
    alerts.handler.close()
    assert alerts.message().startswith("ERROR incidents ×500\nnumber 0\n")
    assert alerts.calls.empty()


def test_lasting_error_is_repeated_with_its_count(alerts, monkeypatch):
    monkeypatch.setattr(TelegramHandler, "REPEAT_SECONDS", 0.1)
    reported = 0
    for number in range(20):
        logger.error("number %d", number)
        if number == 0:
            assert alerts.message().startswith("ERROR incidents\nnumber 0\n")
    while reported < 19:
        count = re.match(r"ERROR incidents(?: ×(\d+))?\n", alerts.message())[1]
        reported += int(count or 1)
    assert reported == 19


def test_place_is_the_innermost_line_of_the_repository(alerts):
    try:
        json.loads("{")
    except ValueError:
        logger.exception("unreadable")
    assert re.search(r"^tests/telegram/bot_api/test_alerts\.py:\d+$", alerts.message(), re.MULTILINE)


def test_different_errors_are_different_messages(alerts):
    for kind in (ValueError, KeyError):
        try:
            raise kind("x")
        except kind:
            logger.exception("same place, other type")
    logger.error("other place")
    logging.getLogger("identity").error("other logger")
    assert len({alerts.message() for _ in range(4)}) == 4


def test_long_error_is_cut_to_one_message(alerts):
    try:
        raise ValueError("😀ж" * 5000 + "\nthe end")
    except ValueError:
        logger.exception("the start %s", "😀" * 5000)
    text = alerts.message()
    assert client.length(text) <= 4096
    assert text.startswith("ERROR incidents\nthe start 😀") and text.endswith("\nthe end")
    assert "tests/telegram/bot_api/test_alerts.py:" in text
    text.encode()  # no character was cut in two


def test_long_line_fills_the_message(alerts):
    try:
        raise ValueError("😀" * 5000)
    except ValueError:
        logger.exception("x")
    assert 4090 <= client.length(alerts.message()) <= 4096


def test_retry_after_is_honoured(alerts):
    alerts.faults = [refusal(429, retry_after=1)]
    logger.error("patience")
    assert "patience" in alerts.message()
    refused = time.monotonic()
    assert "patience" in alerts.message()
    assert time.monotonic() - refused > 0.9  # at least, however slow the machine is


@pytest.mark.parametrize("fault", [refusal(500), (502, b"<html>"), "hang"])
def test_transient_failures_are_retried(alerts, monkeypatch, fault):
    monkeypatch.setattr(client, "TIMEOUT", (0.2, 0.2))
    alerts.faults = [fault, fault]
    logger.error("again")
    assert all("again" in alerts.message() for _ in range(3))


def test_refused_connection_is_retried(alerts, settings, caplog):
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        good, settings.TELEGRAM_API_URL = settings.TELEGRAM_API_URL, f"http://127.0.0.1:{closed.getsockname()[1]}"
        logger.error("unreachable")
        wait_until(lambda: "An alert was not sent" in caplog.text)
        settings.TELEGRAM_API_URL = good
        assert "unreachable" in alerts.message()


@pytest.mark.parametrize("status", [400, 401, 403, 404])
def test_permanent_failures_are_dropped_and_cause_no_alert(alerts, caplog, status):
    with caplog.at_level("WARNING", "telegram.bot_api.alerts"):
        alerts.faults = [refusal(status, f"no such chat {TOKEN}")]
        logger.error("refused")
        assert "refused" in alerts.message()
        logger.error("the next")
        assert "the next" in alerts.message()
    alerts.handler.close()
    assert alerts.calls.empty()
    assert TOKEN not in caplog.text


def test_failing_alert_does_not_block_others(alerts):
    alerts.faults = [refusal(500)]
    logger.error("failing")
    logger.error("other")
    assert ["other" in alerts.message() for _ in range(3)] == [False, True, False]


def test_dropped_alerts_are_counted(alerts, monkeypatch):
    monkeypatch.setattr(TelegramHandler, "MAX_PENDING", 3)
    for number in range(10):
        logging.getLogger(f"incidents.{number}").error("x")
    assert "(and 7 alerts that were too many)" in alerts.message()
    assert ["too many" in alerts.message() for _ in range(2)] == [False, False]


@pytest.mark.parametrize("missing", ["TELEGRAM_BOT_TOKEN", "TELEGRAM_LOGGING_CHAT"])
def test_without_configuration_no_thread_is_started(alerts, settings, missing):
    setattr(settings, missing, "")
    threads = threading.enumerate()
    logger.error("not sent")
    assert [thread for thread in threading.enumerate() if thread not in threads] == []


def test_errors_of_sending_cause_no_alerts(alerts, monkeypatch, caplog):
    def fail(*args, **kwargs):
        logging.getLogger("urllib3.connectionpool").error("refused")
        logging.getLogger("anything").error("below")
        raise RuntimeError("a fault of ours")

    with monkeypatch.context() as patch:
        patch.setattr(client, "call", fail)
        logger.error("first")
        wait_until(lambda: "a fault of ours" in caplog.text)
    logger.error("second")
    assert "second" in alerts.message()
    alerts.handler.close()
    assert alerts.calls.empty()


@pytest.mark.django_db
def test_request_does_not_wait_for_telegram(api, alerts, monkeypatch):
    alerts.faults = ["hang"] * 100
    crash(api, monkeypatch, "the first")
    assert "the first" in alerts.message()  # the server hangs from here on
    for number in range(5):
        crash(api, monkeypatch, f"number {number}")
    assert not alerts.released.is_set()


PROCESS = """
import django, logging, os
django.setup()
logging.getLogger("a").error("the parent")
{}
"""
FORK = """
logging.getLogger("b").error("the parent")
if not os.fork():
    logging.getLogger("c").error("the child")
else:
    os.wait()
"""


def run(alerts, settings, code=""):
    """A process that logs an error and ends at once."""
    environment = {
        name: getattr(settings, name) for name in ("TELEGRAM_API_URL", "TELEGRAM_BOT_TOKEN", "TELEGRAM_LOGGING_CHAT")
    } | {
        "SECRET_KEY": settings.SECRET_KEY,
        "ALLOWED_HOSTS": "x",
        "LOG_FILE": "-",
        "DJANGO_SETTINGS_MODULE": "config.settings",
    }
    command = [sys.executable, "-W", "ignore::DeprecationWarning", "-c", PROCESS.format(code)]
    return subprocess.run(
        command, cwd=settings.BASE_DIR, env=environment, timeout=30, capture_output=True, text=True, check=True
    )


def test_pending_alerts_are_sent_when_the_process_ends(telegram, settings):
    telegram.faults = [refusal(500)]
    run(telegram, settings)
    assert "the parent" in telegram.message() and "the parent" in telegram.message()


@pytest.mark.parametrize("fault", ["hang", refusal(429, retry_after=3600)])
def test_telegram_does_not_delay_the_end_of_the_process(telegram, settings, fault):
    telegram.faults = [fault] * 10
    ended = run(telegram, settings)
    assert telegram.calls.qsize() == 1
    assert not telegram.released.is_set()
    assert (ended.stderr, TOKEN in ended.stdout) == ("", False)


def test_forked_process_sends_its_own_alerts_only(telegram, settings):
    run(telegram, settings, FORK)
    assert sorted(telegram.message().split()[1] for _ in range(3)) == ["a", "b", "c"]
    assert telegram.calls.empty()
