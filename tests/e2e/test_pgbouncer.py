"""The service behind PgBouncers that pool transactions: the host's (Debian 12 has 1.18), and a newer one."""

import random
import subprocess
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from time import monotonic

import pytest
import requests

from tests.helpers.pgbouncer import PgBouncer
from tests.helpers.production import run
from tests.helpers.servers import Gunicorn, manage

pytestmark = pytest.mark.e2e

SECONDS = 8
VALUES = {
    "status": ["open", "in_progress", "resolved", "closed"],
    "source": ["operator", "monitoring", "partner"],
    "description": ["насос течёт", "самокат не в сети", "точка не отвечает"],
}


@pytest.fixture(scope="module", params=["host", "container", "container without prepared statements"])
def pooler(request, postgres, tmp_path_factory):
    home = tmp_path_factory.mktemp("pooler") / "pgbouncer"
    for parent in home.parents:
        if parent.owner() == "root" and not parent.stat().st_mode & 0o001:
            parent.chmod(parent.stat().st_mode | 0o011)
    in_container = request.param != "host"
    settings = {"max_prepared_statements": "0"} if "without" in request.param else {}
    pooler = PgBouncer(home, postgres, container=in_container, **settings)
    # The default of max_prepared_statements is 200 since 1.24.
    version = run("pgbouncer", "--version").stdout.split()[1].split(".")
    pooler.keeps_statements_apart = not settings and (in_container or [int(part) for part in version] >= [1, 24])
    yield pooler
    pooler.stop()


def change(url, headers, index, seconds=SECONDS):
    """Changes an incident of its own until the time is over; returns what went wrong."""
    wrong = []
    with requests.Session() as session:
        session.headers.update(headers)
        body = {field: random.choice(values) for field, values in VALUES.items()}
        made = session.post(f"{url}/api/v1/incidents/", json=body, headers={"Idempotency-Key": f"{index}"}, timeout=30)
        if made.status_code != 201:
            return [made.text]
        expected = made.json()
        end = monotonic() + seconds
        while monotonic() < end:
            field = random.choice(list(VALUES))
            change = {field: random.choice(VALUES[field])}
            response = session.patch(f"{url}/api/v1/incidents/{expected['id']}/", json=change, timeout=30)
            shown = session.get(f"{url}/api/v1/incidents/{expected['id']}/", timeout=30)
            expected |= change
            for answer in (response, shown):
                if answer.status_code != 200 or any(answer.json()[name] != expected[name] for name in VALUES):
                    wrong.append((change, expected, answer.status_code, answer.text))
            page = session.get(f"{url}/api/v1/incidents/", params={"source": "partner", "page_size": 2}, timeout=30)
            if page.status_code != 200:
                wrong.append(page.text)
    return wrong


@pytest.mark.parametrize("prepared", ["auto", "on"])
def test_every_change_is_the_one_that_was_asked_for(postgres, pooler, tmp_path, prepared):
    if prepared == "on" and not pooler.keeps_statements_apart:
        prepared = "off"
    environment = {"POSTGRES_PREPARED_STATEMENTS": prepared, "WEB_CONCURRENCY": "3"}
    with Gunicorn(pooler.port, tmp_path / "gunicorn.log", **environment) as gunicorn:
        name = f"operator{random.randrange(10**9)}"
        headers = {"Authorization": f"Bearer {gunicorn.token(name)}"}
        with ThreadPoolExecutor(6) as threads:
            results = list(threads.map(lambda index: change(gunicorn.url, headers, index), range(6)))
        assert [result[:3] for result in results] == [[]] * 6
        assert requests.get(f"{gunicorn.url}/api/health/ready/", timeout=9).status_code == 200


def test_forced_prepared_statements_are_refused_where_they_cannot_work(pooler, tmp_path):
    environment = {"POSTGRES_PREPARED_STATEMENTS": "on"}
    with Gunicorn(pooler.port, tmp_path / "gunicorn.log", migrate=False, **environment) as gunicorn:
        ready = requests.get(f"{gunicorn.url}/api/health/ready/", timeout=9).json()["checks"]["database"]
        if pooler.keeps_statements_apart:
            assert ready == "ok"
            return
        assert ready == "unavailable"
        with pytest.raises(subprocess.CalledProcessError) as failed:
            manage(gunicorn.env, "migrate")
        assert failed.value.stderr.startswith("CommandError: Set POSTGRES_PREPARED_STATEMENTS to auto: ")
        assert len(failed.value.stderr.splitlines()) == 1


# A pooler sets these for each client that it lends a session to.
FOLLOWED = [
    "application_name",
    "client_encoding",
    "DateStyle",
    "IntervalStyle",
    "TimeZone",
    "standard_conforming_strings",
]
LEFT = """
SELECT 'setting ' || name FROM pg_settings WHERE source = 'session' AND name <> ALL (%s)
UNION ALL SELECT 'lock ' || objid FROM pg_locks WHERE locktype = 'advisory'
UNION ALL SELECT 'table ' || relname FROM pg_class WHERE relpersistence = 't'
UNION ALL SELECT 'statement ' || name FROM pg_prepared_statements WHERE name LIKE '\\_pg3%%'
UNION ALL SELECT 'channel ' || channel FROM pg_listening_channels() AS channel
"""


def test_sessions_are_left_as_they_were(postgres, pooler, tmp_path):
    with Gunicorn(pooler.port, tmp_path / "gunicorn.log") as gunicorn:
        name = f"operator{random.randrange(10**9)}"
        assert change(gunicorn.url, {"Authorization": f"Bearer {gunicorn.token(name)}"}, 1, seconds=1) == []
        with ExitStack() as stack:
            clients = [stack.enter_context(pooler.connect()) for _ in range(4)]
            for client in clients:  # each holds another session of the pool
                stack.enter_context(client.transaction())
            left = [client.execute(LEFT, [FOLLOWED], prepare=False).fetchall() for client in clients]
        assert left == [[]] * 4
