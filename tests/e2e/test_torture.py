"""
Fault injection: clients with idempotency keys retry while workers, gunicorn and PostgreSQL are killed.

`make torture MINUTES=10` runs it longer than CI does.
"""

import os
import random
import signal
import threading
import time
from collections import Counter
from contextlib import suppress
from typing import Any
from uuid import uuid4

import pytest
import requests

from tests.helpers.incidents import seeded
from tests.helpers.servers import Gunicorn, Postgres

pytestmark = pytest.mark.e2e

SECONDS = float(os.environ.get("MINUTES", "0.75")) * 60
CLIENTS = 6
FIELDS = ("description", "status", "source")
STATUSES = ("open", "in_progress", "resolved", "closed")


class Client(threading.Thread):
    """Records and changes its own incidents: what was acknowledged must be stored."""

    def __init__(self, url: str, token: str, stop: threading.Event, chance: random.Random) -> None:
        super().__init__(daemon=True)
        self.url, self.token, self.stop = f"{url}/api/v1/incidents/", token, stop
        self.chance = chance
        self.known: dict[int, dict[str, str]] = {}
        self.keys: dict[str, int] = {}
        self.requests: Counter[str] = Counter()
        self.longest_wait = 0.0
        self.wrong: list[str] = []

    def run(self) -> None:
        while not self.stop.is_set():
            if not self.known or self.chance.random() < 0.5:
                self.record()
            else:
                self.change(self.chance.choice(list(self.known)))

    def send(self, method: str, url: str, **kwargs: Any) -> requests.Response:
        """The first response that is neither 409 nor 503: retries the same request until then."""
        started = time.monotonic()
        while True:
            with suppress(requests.RequestException):
                response = self.session.request(method, url, timeout=20, **kwargs)
                self.requests[str(response.status_code)] += 1
                if response.status_code not in (409, 503):
                    self.longest_wait = max(self.longest_wait, time.monotonic() - started)
                    return response
            self.requests["no response"] += 1
            time.sleep(0.1)

    @property
    def session(self) -> requests.Session:
        session = requests.Session()
        session.headers["Authorization"] = f"Bearer {self.token}"
        return session

    def record(self) -> None:
        key = uuid4().hex
        body = {"description": f"Самокат {key} не в сети", "source": "monitoring", "status": "open"}
        for _ in range(self.chance.choice((1, 1, 2))):  # a client may also repeat an acknowledged request
            response = self.send("POST", self.url, json=body, headers={"Idempotency-Key": key})
            if response.status_code != 201:
                self.wrong.append(f"POST got {response.status_code}: {response.text[:200]}")
                return
            sent = response.json()
            if self.keys.setdefault(key, sent["id"]) != sent["id"]:
                self.wrong.append(f"key {key} made {self.keys[key]} and {sent['id']}")
            if {field: sent[field] for field in FIELDS} != body:
                self.wrong.append(f"POST {body} came back as {sent}")
        self.known.setdefault(sent["id"], {field: sent[field] for field in FIELDS})

    def change(self, pk: int) -> None:
        body = {"status": self.chance.choice(STATUSES)}
        if self.chance.random() < 0.3:
            body["description"] = f"Самокат {uuid4().hex} снова в сети"
        response = self.send("PATCH", f"{self.url}{pk}/", json=body)
        if response.status_code != 200:
            self.wrong.append(f"PATCH got {response.status_code}: {response.text[:200]}")
            return
        self.known[pk] |= body


def kill_a_worker(gunicorn: Gunicorn, postgres: Postgres, chance: random.Random) -> None:
    with suppress(ProcessLookupError, IndexError):
        os.kill(chance.choice(gunicorn.workers()), signal.SIGKILL)


def restart_gunicorn(gunicorn: Gunicorn, postgres: Postgres, chance: random.Random) -> None:
    gunicorn.stop()
    gunicorn.start()


def stop_postgres(gunicorn: Gunicorn, postgres: Postgres, chance: random.Random) -> None:
    postgres.stop()
    time.sleep(chance.random())
    postgres.start()


def kill_postgres(gunicorn: Gunicorn, postgres: Postgres, chance: random.Random) -> None:
    postgres.kill()
    postgres.start()


def test_nothing_is_lost_doubled_or_overwritten(tmp_path):
    chance = seeded()
    with Postgres(tmp_path / "data") as postgres, Gunicorn(postgres.port, tmp_path / "gunicorn.log") as gunicorn:
        token, stop, kills = gunicorn.token(), threading.Event(), Counter[str]()
        clients = [Client(gunicorn.url, token, stop, random.Random(chance.random())) for _ in range(CLIENTS)]
        for client in clients:
            client.start()
        end = time.monotonic() + SECONDS
        while time.monotonic() < end:
            time.sleep(chance.uniform(0.5, 2))
            fault = chance.choice([kill_a_worker, kill_a_worker, restart_gunicorn, stop_postgres, kill_postgres])
            fault(gunicorn, postgres, chance)
            kills[fault.__name__] += 1
        stop.set()
        for client in clients:
            client.join(60)
            assert not client.is_alive()
        known = {pk: values for client in clients for pk, values in client.known.items()}
        responses = sum((client.requests for client in clients), Counter())
        print(f"\n{responses.total()} requests {dict(responses)}, faults {dict(kills)}")
        print(f"{len(known)} incidents acknowledged")
        print(f"longest wait for a response: {max(client.longest_wait for client in clients):.1f} s")
        assert [fault for client in clients for fault in client.wrong] == []
        check(postgres, gunicorn, token, known)
        assert responses["201"] > 50 and kills.total() > 5


def check(postgres: Postgres, gunicorn: Gunicorn, token: str, known: dict[int, dict[str, str]]) -> None:
    with postgres.connect() as connection:
        rows = connection.execute("SELECT id, description, status, source FROM incidents_incident").fetchall()
        stored = {pk: dict(zip(FIELDS, values, strict=True)) for pk, *values in rows}
        history = connection.execute("SELECT incident_id, changes FROM incidents_incidentchange ORDER BY id").fetchall()
    lost = [pk for pk, values in known.items() if stored.get(pk) != values]
    doubled = len(stored) - len(known)
    print(f"lost or overwritten: {len(lost)}, doubled: {doubled}")
    assert (lost, doubled) == ([], 0)
    replayed: dict[int, dict[str, str]] = {}
    for pk, changes in history:
        state = replayed.setdefault(pk, {})
        for field, (old, new) in changes.items():
            assert state.get(field) == old
            state[field] = new
    assert replayed == stored
    url = f"{gunicorn.url}/api/v1/incidents/"
    response = requests.get(url, headers={"Authorization": f"Bearer {token}"}, timeout=20)
    assert response.json()["count"] == len(stored)
