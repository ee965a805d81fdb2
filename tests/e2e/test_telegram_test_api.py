"""Alerts sent to the npm package telegram-test-api; `npm ci --prefix tests/e2e/telegram` installs it."""

import logging
import subprocess
from pathlib import Path

import pytest
import requests
from django.core.management import call_command

from core import bot_api
from core.log.telegram import TelegramHandler
from tests.helpers.fake_telegram import TOKEN
from tests.helpers.servers import Gunicorn, Postgres, free_port, wait_until

pytestmark = pytest.mark.e2e

CHAT = "123456789"


class TelegramTestAPI:
    def __init__(self):
        self.url = f"http://127.0.0.1:{(port := free_port())}"
        program = f"new (require('telegram-test-api'))({{host: '127.0.0.1', port: {port}}}).start()"
        self.process = subprocess.Popen(["node", "-e", program], cwd=Path(__file__).with_name("telegram"))
        wait_until(self.is_up)

    def is_up(self):
        assert self.process.poll() is None
        try:
            return self.messages() == []
        except requests.ConnectionError:
            return False

    def messages(self):
        """The messages that the bot sent."""
        response = requests.post(f"{self.url}/getUpdatesHistory", json={"token": TOKEN}, timeout=5)
        return [update["message"] for update in response.json()["result"]]


@pytest.fixture
def telegram(settings):
    server = TelegramTestAPI()
    settings.TELEGRAM_API_URL, settings.TELEGRAM_BOT_TOKEN, settings.TELEGRAM_LOGGING_CHAT = server.url, TOKEN, CHAT
    yield server
    server.process.kill()
    server.process.wait()


def test_test_alert_is_delivered(telegram):
    call_command("send_test_alert")
    (message,) = telegram.messages()
    assert (message["chat_id"], message["text"][:12]) == (CHAT, "A test alert")


def test_message_is_edited(telegram):
    sent = bot_api.call("sendMessage", chat_id=CHAT, text="Открыт")
    bot_api.call("editMessageText", chat_id=CHAT, message_id=sent["message_id"], text="Закрыт")
    assert [message["text"] for message in telegram.messages()] == ["Закрыт"]


def test_flood_is_one_message_that_fits(telegram):
    handler = TelegramHandler()
    logger = logging.Logger("flood")
    logger.addHandler(handler)
    for _ in range(100):
        try:
            raise ValueError("😀" * 3000 + "\npassword=s3cr3t\nконец")
        except ValueError:
            logger.exception("Всё сломалось")
    handler.close()
    (message,) = telegram.messages()
    assert message["text"].startswith("ERROR flood ×100\nВсё сломалось\n")
    assert message["text"].endswith("\nконец")
    assert bot_api.length(message["text"]) <= 4096
    assert "s3cr3t" not in message["text"]


@pytest.fixture
def postgres(tmp_path):
    server = Postgres(tmp_path / "data")
    yield server
    if server.process.poll() is None:
        server.kill()


@pytest.fixture
def service(telegram, postgres, tmp_path):
    telegram_settings = {
        "TELEGRAM_API_URL": telegram.url,
        "TELEGRAM_BOT_TOKEN": TOKEN,
        "TELEGRAM_LOGGING_CHAT": CHAT,
    }
    server = Gunicorn(postgres.port, tmp_path / "gunicorn.log", **telegram_settings)
    yield server
    if server.process.poll() is None:
        server.kill()


def test_workers_of_gunicorn_alert_of_a_lost_database(telegram, postgres, service):
    token = service.token()
    postgres.stop()
    authorization = {"Authorization": f"Bearer {token}"}
    response = requests.get(f"{service.url}/api/v1/incidents/", headers=authorization, timeout=30)
    assert response.status_code == 503
    service.stop()  # a worker sends pending alerts before it exits
    (message,) = telegram.messages()
    for part in (
        "ERROR django.request",
        "GET /api/v1/incidents/",
        response.headers["X-Request-ID"],
        "OperationalError",
    ):
        assert part in message["text"]
    assert TOKEN not in message["text"] and token not in message["text"]
    assert TOKEN not in service.log.read_text() + service.log.with_suffix(".json").read_text()
