"""
`run_jobs` is killed (SIGKILL) at each point between a message and its card, against a Bot API server that sees it die.

`KILLS=200 MESSAGES=1000` runs it longer than CI does.
"""

import os
import sqlite3
import threading
import time
from collections import Counter, defaultdict
from contextlib import contextmanager

import pytest

from tests.helpers.bot_api import TOKEN, BotAPI, LostError
from tests.helpers.incidents import seeded
from tests.helpers.servers import Jobs, Postgres, manage, service_environment, wait_until
from tests.helpers.telegram_messages import ANNA, message

pytestmark = pytest.mark.e2e

KILLS = int(os.environ.get("KILLS", "22"))
MESSAGES = int(os.environ.get("MESSAGES", 5 * KILLS))
CHATS = 50
PATIENCE = 120  # seconds
# At these points Telegram, by its fake, sees the process die: the point of the call, and whose call.
CALLS = {
    "updates received, not stored": ("responded", "getUpdates"),
    "updates stored, not confirmed": ("asked", "getUpdates"),
    "card accepted, response lost": ("done", "sendMessage"),
    "card accepted, id not stored": ("responded", "sendMessage"),
    "card edited, response lost": ("done", "editMessageText"),
    "card edited, not marked": ("responded", "editMessageText"),
}
# At these PostgreSQL holds back the statement until the process is dead: the event, and its table.
STATEMENTS = {
    "update being stored": ("BEFORE INSERT ON intake_delivery", ""),
    "update stored, incident being recorded": ("BEFORE INSERT ON incidents_incident", ""),
    "incident recorded, card not": ("BEFORE INSERT ON telegram_card", ""),
    "card's id being stored": (
        "BEFORE UPDATE ON telegram_card",
        "WHEN (OLD.message_id IS NULL AND NEW.message_id IS NOT NULL)",
    ),
    "edit being marked": (
        "BEFORE UPDATE ON telegram_card",
        "WHEN (OLD.message_id IS NOT NULL AND OLD.shows IS DISTINCT FROM NEW.shows)",
    ),
}
HOLD = """
CREATE FUNCTION hold() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN PERFORM pg_advisory_xact_lock_shared(TG_ARGV[0]::int); RETURN NEW; END $$
"""
HELD_BACK = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"


class Telegram(BotAPI):
    """What people write in the chats and press, and how often each card was sent."""

    def __init__(self, chance, host="127.0.0.1"):
        super().__init__(host=host)
        self.random = chance
        self.written, self.pressed = [], {}
        self.sends = defaultdict(list)  # of each report: how many kills there were before each time its card was sent

    def report(self, number):
        chat = {"id": 1000 + number % CHATS, "type": "private", "first_name": "Анна"}
        message_id = 1_000_000 + number  # the fake numbers the bot's own messages in a chat from 1,000
        self.write(**message(chat=chat, message_id=message_id, text=words(number)))
        self.written.append((chat["id"], message_id))

    def unpressed(self):
        with self.lock:
            return [dict(sent) for sent in self.messages.values() if key(sent) not in self.pressed]

    def press_one(self):
        sent = self.random.choice(self.unpressed())
        button = self.random.choice(sent["reply_markup"]["inline_keyboard"][0])
        self.pressed[key(sent)] = button["callback_data"].split(":")[-1]
        self.press(sent, button["callback_data"], ANNA)


def words(number):
    return f"Самокат {number % 1_000_000} не в сети"


def key(sent):
    return sent["chat"]["id"], sent["reply_to_message"]["message_id"]


class Service:
    """Its jobs, which die and start again, and its database."""

    def __init__(self, home, database_url, connect, telegram):
        self.telegram, self.connect = telegram, connect
        self.kills = Counter()
        env = service_environment(database_url, home / "service.log")
        env |= {"TELEGRAM_API_URL": telegram.url, "TELEGRAM_BOT_TOKEN": TOKEN}
        env["TELEGRAM_INTAKE_CHATS"] = ",".join(str(1000 + number) for number in range(CHATS))
        manage(env, "migrate", "--noinput")
        telegram.watch = self.note_send
        self.jobs = Jobs(env, home / "jobs.log")

    def query(self, sql):
        with self.connect() as connection:
            return connection.execute(sql).fetchall()

    def note_send(self, point, method, params, result):
        if (point, method) == ("done", "sendMessage"):
            self.telegram.sends[key(result)].append(self.kills.total())

    def restart(self):
        """A minute later, when the leases and the calls under way of the dead process are over."""
        with self.connect() as connection:
            connection.execute("UPDATE core_heartbeat SET expires_at = '2000-01-01 00:00:00'")
            connection.execute(
                "UPDATE telegram_card SET send_began_at = '2000-01-01' WHERE send_began_at > '2000-01-02'"
            )
        self.jobs.start()

    def kill_in_call(self, name):
        """As soon as such a call gets there."""
        first, dead = threading.Lock(), threading.Event()

        def watch(point, method, params, result):
            self.note_send(point, method, params, result)
            if (point, method) != CALLS[name]:
                return
            if method == "getUpdates" and not (params.get("offset") if point == "asked" else result):
                return
            if not first.acquire(blocking=False):  # a second kill would hit the process that starts next
                return
            if point == "responded":
                time.sleep(self.telegram.random.choice((0, 0, 0.001, 0.003, 0.01, 0.03)))
            self.jobs.kill()
            dead.set()
            if point != "responded":
                raise LostError(done=point == "done")

        self.telegram.watch = watch
        yield
        assert dead.wait(PATIENCE), name
        self.telegram.watch = self.note_send

    def kill_in_statement(self, name):
        with self.connect() as connection:
            lock = list(STATEMENTS).index(name)
            connection.execute(f"SELECT pg_advisory_lock({lock})")
            yield
            wait_until(lambda: connection.execute(HELD_BACK).fetchone()[0], PATIENCE)
            self.jobs.kill()

    def kill_anywhere(self, name):
        yield
        time.sleep(self.telegram.random.uniform(0, 5))
        self.jobs.kill()

    def die(self, name):
        kill = (
            self.kill_in_call if name in CALLS else self.kill_in_statement if name in STATEMENTS else self.kill_anywhere
        )
        return contextmanager(kill)(name)

    def is_settled(self):
        """Whether each card is there whose sending was cut off: a second time would be one too many."""
        cut_off = "message_id IS NULL AND (send_began_at IS NOT NULL OR sends_unknown > 0)"
        return self.query(f"SELECT count(*) FROM telegram_card WHERE {cut_off}") == [(0,)]

    def is_done(self):
        # In the order in which work moves on: looked at the other way round, what moves meanwhile is in neither place.
        return (
            not self.telegram.pending
            and self.query("SELECT count(*) FROM intake_delivery WHERE state = 'pending'") == [(0,)]
            and self.query("SELECT count(*) FROM telegram_card WHERE due_at IS NOT NULL") == [(0,)]
        )


@pytest.fixture
def telegram():
    with Telegram(seeded()) as api:
        yield api


@pytest.fixture
def on_postgresql(telegram, tmp_path):
    with Postgres(tmp_path / "data") as postgres:
        url = f"postgres://postgres@127.0.0.1:{postgres.port}/postgres"
        service = Service(tmp_path, url, postgres.connect, telegram)
        with postgres.connect() as connection:
            connection.execute(HOLD)
            for number, (event, when) in enumerate(STATEMENTS.values()):
                connection.execute(
                    f"CREATE TRIGGER hold_{number} {event} FOR EACH ROW {when} EXECUTE FUNCTION hold({number})"
                )
        with service.jobs:
            yield service


@pytest.fixture
def on_sqlite(telegram, tmp_path):
    path = tmp_path / "db.sqlite3"
    service = Service(tmp_path, f"sqlite:///{path}", lambda: sqlite3.connect(path, timeout=30), telegram)
    with service.jobs:
        yield service


def torture(service, names, kills, messages):
    telegram = service.telegram
    for kill in range(kills):
        name, numbers = names[kill % len(names)], range(messages * kill // kills, messages * (kill + 1) // kills)
        for number in numbers[:1]:
            telegram.report(number + 1)
        wait_until(telegram.unpressed, PATIENCE)
        wait_until(service.is_settled, PATIENCE)
        with service.die(name):
            for number in numbers[1:]:
                telegram.report(number + 1)
            telegram.press_one()
        service.kills[name] += 1
        service.restart()
    wait_until(service.is_done, 10 * PATIENCE)


def check(service):
    telegram = service.telegram
    rows = service.query("SELECT description, status FROM incidents_incident")
    repeated = {report: lives for report, lives in telegram.sends.items() if len(lives) > 1}
    print(f"\n{service.kills.total()} kills: {dict(service.kills)}")
    print(f"{len(telegram.written)} messages, {len(rows)} incidents, {len(telegram.pressed)} presses")
    print(f"{len(telegram.sends)} cards, {len(repeated)} of them sent twice")
    # As the last press left it
    expected = [(words(report[1]), telegram.pressed.get(report, "open")) for report in telegram.written]
    assert sorted(rows) == sorted(expected)
    assert service.query("SELECT error FROM telegram_card WHERE state = 'failed'") == []
    assert sorted(telegram.sends) == sorted(telegram.written)
    # The documented place: the process that sent it died before it could store the response.
    assert all(len(lives) == 2 and lives[0] < lives[1] for lives in repeated.values())
    shown = {key(sent): sent["reply_markup"]["inline_keyboard"][0] for sent in telegram.messages.values()}
    statuses = {report: button[0]["callback_data"].split(":")[2] for report, button in shown.items()}
    assert statuses == {report: telegram.pressed.get(report, "open") for report in telegram.written}


def test_nothing_is_lost_or_doubled(on_postgresql):
    torture(on_postgresql, [*CALLS, *STATEMENTS, "anywhere"], KILLS, MESSAGES)
    check(on_postgresql)


def test_nothing_is_lost_or_doubled_on_sqlite(on_sqlite):
    torture(on_sqlite, [*CALLS, "anywhere"], len(CALLS) + 1, 5 * len(CALLS))
    check(on_sqlite)
