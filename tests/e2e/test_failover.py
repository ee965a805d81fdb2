"""A primary that dies, freezes or becomes a standby: the service finds the new one without a restart."""

from pathlib import Path

import pytest
import requests

from tests.helpers.forwarder import Forwarder
from tests.helpers.servers import Gunicorn, Jobs, Postgres, wait_until

pytestmark = pytest.mark.e2e

BODY = {"description": "Самокат не в сети", "source": "operator"}


@pytest.fixture
def standby(postgres, tmp_path):
    with Postgres(tmp_path / "standby", primary=postgres) as standby:
        yield standby


def url_of(*servers):
    return f"postgres://postgres@{','.join(f'127.0.0.1:{server.port}' for server in servers)}/postgres"


def report(service, api):
    response = requests.post(f"{service.url}/api/v1/incidents/", json=BODY, headers=api.headers, timeout=30)
    assert response.status_code in (201, 503), response.text
    return response.status_code


def reports(service, api, number=8):
    """The statuses of as many as reach each of the service's threads."""
    return [report(service, api) for _ in range(number)]


def is_ready(service):
    return requests.get(f"{service.url}/api/health/ready/", timeout=3).status_code == 200


@pytest.fixture
def connected_to(service, tmp_path):
    """Makes a service of its own that reaches the database by another URL."""
    started = []

    def connect(url, **environment):
        environment |= {"SECRET_KEY": service.env["SECRET_KEY"], "DATABASE_URL": url}
        started.append(Gunicorn(0, tmp_path / "gunicorn.log", migrate=False, **environment))
        return started[-1]

    yield connect
    for each in started:
        each.kill()


def test_of_several_hosts_the_primary_is_found(postgres, standby, api, connected_to):
    assert reports(connected_to(url_of(standby, postgres)), api) == [201] * 8


def test_kept_connection_to_a_standby_is_given_up(postgres, standby, api, connected_to):
    """The address led to the standby when the service connected, and leads to the primary now."""
    with Forwarder(standby.port) as forwarder:
        service = connected_to(url_of(forwarder))
        assert reports(service, api) == [503] * 8
        assert not is_ready(service)
        forwarder.target = postgres.port
        wait_until(lambda: is_ready(service))
        assert reports(service, api) == [201] * 8


def test_jobs_give_up_a_kept_connection_to_a_standby(postgres, standby, service, tmp_path):
    ran = "SELECT count(*) FROM core_heartbeat WHERE ran_at IS NOT NULL"
    with Forwarder(standby.port) as forwarder, postgres.connect() as admin:
        with Jobs(service.env | {"DATABASE_URL": url_of(forwarder)}, tmp_path / "jobs.log") as jobs:
            wait_until(lambda: "read-only transaction" in Path(jobs.env["LOG_FILE"]).read_text())
            assert admin.execute(ran).fetchone() == (0,)
            forwarder.target = postgres.port
            wait_until(lambda: admin.execute(ran).fetchone() > (0,))
            assert jobs.process.poll() is None


def test_ready_reaches_the_new_primary_behind_a_host_that_is_frozen(postgres, standby, api, connected_to):
    service = connected_to(url_of(postgres, standby))
    postgres.freeze()
    try:
        standby.connect().execute("SELECT pg_promote()")
        wait_until(lambda: is_ready(service), 15)
    finally:
        postgres.thaw()
        standby.kill()


def test_promoted_standby_is_served_from_within_seconds(postgres, standby, api, connected_to):
    service = connected_to(url_of(postgres, standby))
    assert reports(service, api) == [201] * 8
    postgres.kill()
    try:
        assert reports(service, api) == [503] * 8
        standby.connect().execute("SELECT pg_promote()")
        wait_until(lambda: is_ready(service), 10)
        assert reports(service, api) == [201] * 8
    finally:
        postgres.start()
