"""Telegram goes away, or the service does; many write at once; what is written is shown literally."""

import os
from collections import Counter, defaultdict
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from telegram.bot_api import client
from tests.helpers.bot_api import TOKEN, BotAPI, RefusedError
from tests.helpers.servers import Gunicorn, Jobs, Postgres, wait_until
from tests.helpers.telegram_messages import GROUP, message

pytestmark = pytest.mark.e2e

AT_ONCE = int(os.environ.get("AT_ONCE", "25"))  # 20 a minute are sent
CHATS = [GROUP, *({"id": number, "type": "private", "first_name": "Анна"} for number in range(1, 5))]
SECRET = "s3cret"


@pytest.fixture
def telegram():
    with BotAPI(limits=True) as api:
        yield api


@pytest.fixture
def postgres(tmp_path):
    with Postgres(tmp_path / "data") as server:
        yield server


@pytest.fixture
def service(telegram, postgres, tmp_path, request):
    chats = ",".join(str(chat["id"]) for chat in CHATS)
    environment = {"TELEGRAM_API_URL": telegram.url, "TELEGRAM_BOT_TOKEN": TOKEN, "TELEGRAM_INTAKE_CHATS": chats}
    environment |= getattr(request, "param", {})
    with Gunicorn(postgres.port, tmp_path / "gunicorn.log", **environment) as gunicorn:
        with Jobs(gunicorn.env, tmp_path / "jobs.log"):
            yield gunicorn


@pytest.fixture
def descriptions(postgres):
    def descriptions():
        with postgres.connect() as connection:
            rows = connection.execute("SELECT description FROM incidents_incident ORDER BY id").fetchall()
        return [words for (words,) in rows]

    return descriptions


def cards(telegram):
    """By chat: the ids of the reports, in the order in which their cards came."""
    shown = defaultdict(list)
    with telegram.lock:
        for (chat, _), sent in telegram.messages.items():
            shown[chat].append(sent["reply_to_message"]["message_id"])
    return shown


def test_telegram_is_away(telegram, service, descriptions):
    written, down = defaultdict(list), set()

    def watch(point, method, params, result):
        if point == "asked" and method in down:
            raise RefusedError(502, "Bad Gateway")

    def report(numbers):
        for number in numbers:
            chat = CHATS[number % len(CHATS)]
            telegram.write(**message(chat=chat, message_id=number, text=f"Течь {number}"))
            written[chat["id"]].append(number)

    telegram.watch = watch
    down |= {"sendMessage"}
    report(range(1, 21))
    wait_until(lambda: len(descriptions()) == 20, 60)
    wait_until(lambda: len(telegram.called("getUpdates")) > 3)
    down |= {"getUpdates", "getMe"}
    report(range(21, 41))
    assert not telegram.messages
    down.clear()
    wait_until(lambda: sum(map(len, cards(telegram).values())) >= 40, 120)
    assert cards(telegram) == written
    assert Counter(descriptions()) == Counter(f"Течь {number}" for number in range(1, 41))


def test_many_reports_in_a_group_at_once(telegram, service):
    refused = []
    respond = telegram.respond

    def counting(token, method, params):
        try:
            return respond(token, method, params)
        except RefusedError as exc:
            refused.append(exc.status)
            raise

    telegram.respond = counting
    for number in range(1, AT_ONCE + 1):
        telegram.write(**message(message_id=number, text=f"Течь {number}"))
    wait_until(lambda: len(telegram.messages) == AT_ONCE, 60 + 4 * AT_ONCE)
    print(f"\n{AT_ONCE} cards, {len(refused)} over the limits: {Counter(refused)}")
    assert cards(telegram) == {GROUP["id"]: list(range(1, AT_ONCE + 1))}
    assert refused == []


HOSTILE = [
    "<b>Течь</b> *во* _дворе_ [здесь](tg://user?id=1) `код` &lt; \\",
    "\u202eашыра\u2066 تسرب \u200f",
    "@all /open #тег https://example.org ||скрыто||",
]


def test_hostile_texts_are_shown_literally(telegram, service, descriptions):
    emoji = "🛴" * 20_000
    private = CHATS[1:]
    for number, text in enumerate(HOSTILE):
        telegram.write(**message(chat=private[number], message_id=number + 1, text=text))
    rich = {"blocks": [{"type": "paragraph", "text": emoji}]}
    telegram.write(**message(chat=private[3], message_id=9, rich_message=rich))
    wait_until(lambda: len(telegram.messages) == 4, 60)
    shown = {chat: sent["text"].partition("\n\n")[2] for (chat, _), sent in telegram.messages.items()}
    assert [shown[chat["id"]] for chat in private[:3]] == HOSTILE
    assert descriptions() == [*HOSTILE, emoji]
    long = next(sent["text"] for (chat, _), sent in telegram.messages.items() if chat == private[3]["id"])
    assert client.length(long) in (4095, 4096) and long.endswith("🛴…")
    assert all("parse_mode" not in params for params in telegram.called("sendMessage"))


WEBHOOK = {"TELEGRAM_WEBHOOK_URL": "https://example.org/api/v1/intake/telegram/", "TELEGRAM_WEBHOOK_SECRET": SECRET}


@pytest.mark.parametrize("service", [WEBHOOK], indirect=True)
def test_webhook_is_posted_to_twice_and_goes_away(telegram, service, descriptions):
    url = f"{service.url}/api/v1/intake/telegram/"

    def post(body, headers):
        try:
            return requests.post(url, data=body, headers=headers, timeout=20).status_code
        except requests.ConnectionError:
            return 0

    def twice(body, headers):
        with ThreadPoolExecutor(2) as pool:
            first, second = pool.map(lambda _: post(body, headers), range(2))
        assert first == second
        return first

    def report(numbers):
        for number in numbers:
            telegram.write(**message(chat=CHATS[1], message_id=number, text=f"Течь {number}"))

    wait_until(lambda: telegram.webhook["url"], 60)
    report(range(1, 6))
    assert telegram.push(twice) == [200] * 5
    service.stop()
    report(range(6, 11))
    assert telegram.push(twice) == [0]
    service.start()
    assert telegram.push(twice) == [200] * 5
    assert descriptions() == [f"Течь {number}" for number in range(1, 11)]
    wait_until(lambda: len(telegram.messages) == 10, 60)
    assert cards(telegram) == {CHATS[1]["id"]: list(range(1, 11))}
    assert post(b"{}", {}) == 401
