"""
Alerts, and a dialogue in a chat, sent to the npm package telegram-test-api (`npm ci --prefix tests/e2e`).

It has no edits by people, no offsets, long polls, refusals or limits: tests/helpers/client.py has those.
"""

import logging
import subprocess
from pathlib import Path

import pytest
import requests
from django.core.management import call_command

from telegram.bot_api import client
from telegram.bot_api.alerts import TelegramHandler
from tests.helpers.bot_api import TOKEN
from tests.helpers.servers import Gunicorn, Jobs, Postgres, free_port, wait_until
from tests.helpers.telegram_messages import ANNA, message

pytestmark = pytest.mark.e2e

CHAT = "123456789"


class TelegramTestAPI:
    def __init__(self):
        self.url = f"http://127.0.0.1:{(port := free_port())}"
        program = f"new (require('telegram-test-api'))({{host: '127.0.0.1', port: {port}}}).start()"
        self.process = subprocess.Popen(["node", "-e", program], cwd=Path(__file__).parent)
        wait_until(self.is_up)

    def is_up(self):
        assert self.process.poll() is None
        try:
            return self.messages() == []
        except requests.ConnectionError:
            return False

    def history(self):
        response = requests.post(f"{self.url}/getUpdatesHistory", json={"token": TOKEN}, timeout=5)
        return response.json()["result"]

    def sent(self):
        """What the bot sent, by message id."""
        return {
            update["messageId"]: update["message"]
            for update in self.history()
            if "chat_id" in update.get("message", {})
        }

    def messages(self):
        """The messages that the bot sent."""
        return list(self.sent().values())

    def act(self, method, **fields):
        """As a member of the chat."""
        requests.post(f"{self.url}/{method}", json={"botToken": TOKEN, **fields}, timeout=5).raise_for_status()

    def dialogue(self):
        lines = []
        for update in self.history():
            said = update.get("message") or {"text": f"[{update['callbackQuery']['data']}]", "from": ANNA}
            buttons = [
                button["text"] for button in said.get("reply_markup", {"inline_keyboard": [[]]})["inline_keyboard"][0]
            ]
            lines.append(f"{said.get('from', {'first_name': 'Bot'})['first_name']}: {said['text']}")
            lines += [f"   {buttons}"] if buttons else []
        return "\n".join(lines)


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
    sent = client.call("sendMessage", chat_id=CHAT, text="Открыт")
    client.call("editMessageText", chat_id=CHAT, message_id=sent["message_id"], text="Закрыт")
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
    assert client.length(message["text"]) <= 4096
    assert "s3cr3t" not in message["text"]


@pytest.fixture
def postgres(tmp_path):
    with Postgres(tmp_path / "data") as server:
        yield server


@pytest.fixture
def service(telegram, postgres, tmp_path):
    telegram_settings = {
        "TELEGRAM_API_URL": telegram.url,
        "TELEGRAM_BOT_TOKEN": TOKEN,
        "TELEGRAM_LOGGING_CHAT": CHAT,
    }
    with Gunicorn(postgres.port, tmp_path / "gunicorn.log", **telegram_settings) as server:
        yield server


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


OPS = {"id": -1001234567890, "type": "supergroup", "title": "Ops"}


def test_dialogue_in_a_chat(telegram, postgres, tmp_path):
    environment = {
        "TELEGRAM_API_URL": telegram.url,
        "TELEGRAM_BOT_TOKEN": TOKEN,
        "TELEGRAM_INTAKE_CHATS": str(OPS["id"]),
    }
    server = Gunicorn(postgres.port, tmp_path / "gunicorn.log", **environment)
    token = {"Authorization": f"Bearer {server.token()}"}

    def incidents():
        return requests.get(f"{server.url}/api/v1/incidents/", headers=token, timeout=10).json()["results"]

    def comments():
        """With the author, of the first incident."""
        url = f"{server.url}/api/v1/incidents/1/history/"
        entries = requests.get(url, headers=token, timeout=10).json()["results"]
        return {entry["changes"]["comment"][1]: entry["actor"] for entry in entries if "comment" in entry["changes"]}

    def say(text, **fields):
        telegram.act("sendMessage", **message(chat=OPS, message_id=None, text=text, **fields))

    with server, Jobs(server.env, tmp_path / "jobs.log"):
        say("Самокат 42 не в сети")
        wait_until(telegram.sent, 60)
        ((card_id, card),) = telegram.sent().items()
        assert card["text"].startswith("№ 1 · Открыт") and card["text"].endswith("Самокат 42 не в сети")
        (button,) = [
            b for b in card["reply_markup"]["inline_keyboard"][0] if b["callback_data"].endswith("in_progress")
        ]
        shown = {"message_id": card_id, "chat": OPS, "date": 1705314600}
        telegram.act("sendCallback", **{"from": ANNA, "message": shown, "data": button["callback_data"]})
        wait_until(lambda: "В работе" in telegram.sent()[card_id]["text"], 60)
        say("Выехал механик", reply_to_message=shown)
        wait_until(lambda: "Выехал механик" in comments(), 60)
        say("Самокат 43 не в сети")
        wait_until(lambda: len(telegram.sent()) == 2, 60)
        telegram.act("sendCommand", **message(chat=OPS, message_id=None, text="/open", entities=[]))
        wait_until(lambda: len(telegram.sent()) == 3, 60)
        *_, listed = telegram.messages()
        assert listed["text"].startswith("Открыто 2 инцидента:\n№ 1 · В работе · ")
        assert [line.rpartition(" · ")[2] for line in listed["text"].splitlines()[1:]] == [
            "Самокат 42 не в сети",
            "Самокат 43 не в сети",
        ]
        assert {row["description"]: row["status"] for row in incidents()} == {
            "Самокат 42 не в сети": "in_progress",
            "Самокат 43 не в сети": "open",
        }
        assert comments() == {"Выехал механик": "Анна"}
        print(f"\n{telegram.dialogue()}")
