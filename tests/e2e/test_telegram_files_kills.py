"""
`run_jobs` is killed (SIGKILL) between each two steps of fetching a file, against a Bot API server that sees it die.

`KILLS=200` runs it longer than CI does.
"""

import hashlib
import os
import sqlite3
import threading
import time
from contextlib import contextmanager

import pytest

from telegram.receiving.fetching import MAX_IN_FLIGHT
from tests.helpers.bot_api import TOKEN, BotAPI, LostError
from tests.helpers.incidents import seeded
from tests.helpers.servers import Jobs, Postgres, manage, service_environment, wait_until
from tests.helpers.telegram_messages import ANNA, message

pytestmark = pytest.mark.e2e

KILLS = int(os.environ.get("KILLS", "18"))
PER_KILL = 4  # messages
PATIENCE = 60  # seconds
CHAT = {"id": ANNA["id"], "type": "private", "first_name": "Анна"}
# At these points Telegram, by its fake, sees the process die.
CALLS = {
    "getFile asked": ("asked", "getFile"),
    "getFile answered": ("responded", "getFile"),
    "download asked": ("asked", "download"),
    "half of the file received": ("half", "download"),
    "file received, being saved": ("responded", "download"),
}
# At these PostgreSQL holds back the statement until the process is dead: the event, and its table.
STATEMENTS = {
    "attachment being announced": ("BEFORE INSERT ON incidents_attachment", ""),
    "attachment announced, its file not": ("BEFORE INSERT ON telegram_file", ""),
    "file saved, not named": ("BEFORE UPDATE ON incidents_attachment", "WHEN (NEW.state = 'stored')"),
}
HOLD = """
CREATE FUNCTION hold() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN PERFORM pg_advisory_xact_lock_shared(TG_ARGV[0]::int); RETURN NEW; END $$
"""
HELD_BACK = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"


class Service:
    """Its jobs, which die and start again, its database and its folder of files."""

    def __init__(self, home, database_url, connect, telegram):
        self.telegram, self.connect, self.media = telegram, connect, home / "media"
        env = service_environment(database_url, home / "service.log")
        env |= {"TELEGRAM_API_URL": telegram.url, "TELEGRAM_BOT_TOKEN": TOKEN, "MEDIA_ROOT": str(self.media)}
        env["TELEGRAM_INTAKE_CHATS"] = str(CHAT["id"])
        self.env = env
        self.sent = {}  # the digest of each file, by the description of its incident
        manage(env, "migrate", "--noinput")
        self.jobs = Jobs(env, home / "jobs.log")

    def query(self, sql):
        with self.connect() as connection:
            return connection.execute(sql).fetchall()

    def send(self):
        """A message with a file."""
        number = len(self.sent)
        content = self.telegram.random.randbytes(self.telegram.random.randrange(1, 300_000))
        words = f"Течь {number}"
        self.sent[words] = hashlib.sha256(content).hexdigest()
        file = self.telegram.upload(content, file_name=f"{number}.bin")
        self.telegram.write(**message(chat=CHAT, message_id=100 + number, document=file, caption=words))

    def restart(self):
        """A minute later, when the leases of the dead process are over."""
        with self.connect() as connection:
            connection.execute("UPDATE core_heartbeat SET expires_at = '2000-01-01 00:00:00'")
        self.jobs.start()

    def kill_in_call(self, name):
        first, dead = threading.Lock(), threading.Event()

        def watch(point, method, params, result):
            if (point, method) != CALLS[name] or not first.acquire(blocking=False):
                return
            if point == "responded":
                time.sleep(self.telegram.random.choice((0, 0, 0.001, 0.003, 0.01, 0.03)))
            self.jobs.kill()
            dead.set()
            if point != "responded":
                raise LostError(done=False)

        self.telegram.watch = watch
        yield
        assert dead.wait(PATIENCE), name
        self.telegram.watch = lambda *call: None

    def kill_in_statement(self, name):
        with self.connect() as connection:
            lock = list(STATEMENTS).index(name)
            connection.execute(f"SELECT pg_advisory_lock({lock})")
            yield
            wait_until(lambda: connection.execute(HELD_BACK).fetchone()[0], PATIENCE)
            self.jobs.kill()

    def kill_anywhere(self, name):
        yield
        time.sleep(self.telegram.random.uniform(0, 3))
        self.jobs.kill()

    def die(self, name):
        kill = (
            self.kill_in_call if name in CALLS else self.kill_in_statement if name in STATEMENTS else self.kill_anywhere
        )
        return contextmanager(kill)(name)

    def is_done(self):
        return (
            not self.telegram.pending
            and self.query("SELECT count(*) FROM intake_delivery WHERE state = 'pending'") == [(0,)]
            and self.query("SELECT count(*) FROM incidents_attachment WHERE state = 'pending'") == [(0,)]
        )

    def files(self):
        return {str(path.relative_to(self.media)) for path in self.media.rglob("*") if path.is_file()}


@pytest.fixture
def telegram():
    with BotAPI() as api:
        api.random = seeded()
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


def torture(service, names, kills):
    faults = [
        lambda api: api.fail("getFile", 429, "Too Many Requests: retry after 1", retry_after=1),
        lambda api: api.fail("download", 404),
        lambda api: api.damage(b"cut", headers={"Content-Length": "5"}),
        lambda api: api.damage(b"another length"),
        lambda api: api.lose("download"),
    ]
    for kill in range(kills):
        name = names[kill % len(names)]
        with service.die(name):
            for _ in range(PER_KILL):
                service.send()
            if name not in CALLS:
                faults[kill % len(faults)](service.telegram)
        service.restart()
    wait_until(service.is_done, 3 * PATIENCE)


def check(service, kills):
    rows = service.query(
        "SELECT i.description, a.state, a.sha256, a.file FROM incidents_incident i"
        " JOIN incidents_attachment a ON a.incident_id = i.id"
    )
    incidents = service.query("SELECT count(*) FROM incidents_incident")[0][0]
    announced = """CAST(changes AS text) LIKE '%"attachment"%'"""
    entries = service.query(f"SELECT count(*) FROM incidents_incidentchange WHERE {announced}")
    orphans = service.files() - {file for *_, file in rows}
    print(f"\n{len(service.sent)} files, {incidents} incidents, {len(rows)} attachments, {len(orphans)} files unnamed")
    found = [(description.split("\n")[0], state, digest) for description, state, digest, _ in rows]
    assert sorted(found) == sorted((words, "stored", digest) for words, digest in service.sent.items())
    assert (incidents, entries) == (len(service.sent), [(len(service.sent),)])
    # Saved by a process that died before it could name them
    assert len(orphans) <= MAX_IN_FLIGHT * kills
    for _, _, digest, file in rows:
        assert hashlib.sha256((service.media / file).read_bytes()).hexdigest() == digest


def test_no_file_is_lost_or_doubled(on_postgresql):
    torture(on_postgresql, [*CALLS, *STATEMENTS, "anywhere"], KILLS)
    check(on_postgresql, KILLS)


def test_no_file_is_lost_or_doubled_on_sqlite(on_sqlite):
    torture(on_sqlite, [*CALLS, "anywhere"], len(CALLS) + 1)
    check(on_sqlite, len(CALLS) + 1)
