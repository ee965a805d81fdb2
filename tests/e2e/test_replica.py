"""Reads from a standby: nothing acknowledged is missing in them, and none fails when the standby does."""

import csv
import io
import re
import subprocess
import sys
import threading
import time
import zipfile
from contextlib import contextmanager

import pytest
import requests

from tests.helpers.servers import ROOT, Gunicorn, Postgres, free_port, wait_until

pytestmark = pytest.mark.e2e

BODY = {"description": "Самокат не в сети", "source": "operator"}
ROWS = 12_000
SERVED = re.compile(r'^database_reads_total\{database="(\w+)"\} ([\d.]+)$', re.M)
# Of the service, besides the question how far the standby is
OTHER_QUERIES = """
FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()
AND query NOT LIKE '%pg_last_wal_replay_lsn%'
"""
GAUGE = re.compile(r"^(database_replica_\w+) (\S+)$", re.M)


@pytest.fixture(scope="module")
def standby(postgres, tmp_path_factory):
    home = tmp_path_factory.mktemp("standby") / "data"
    with Postgres(home, primary=postgres) as standby:
        standby.connect().execute("ALTER SYSTEM SET max_standby_streaming_delay = 0")
        standby.connect().execute("SELECT pg_reload_conf()")
        yield standby


@pytest.fixture(scope="module")
def environment(standby):
    url = f"postgres://postgres@127.0.0.1:{standby.port}/postgres"
    # However busy the machine, a standby that replays is waited for.
    return {"DATABASE_REPLICA_URL": url, "DATABASE_REPLICA_WAIT_MS": "2000"}


@pytest.fixture
def incidents(service):
    return f"{service.url}/api/v1/incidents/"


@pytest.fixture(scope="module")
def desk(service, api):
    service.manage("load_sample", "--count", str(ROWS))
    with requests.Session() as browser:
        log_in = f"{service.url}/api/admin/login/"
        browser.get(log_in)
        account = {"username": "torture", "password": service.env["DJANGO_SUPERUSER_PASSWORD"]}
        form = account | {"csrfmiddlewaretoken": browser.cookies["csrftoken"], "next": "/api/admin/"}
        assert browser.post(log_in, data=form).status_code == 200
        yield browser


@pytest.fixture
def served(service, api):
    """How many reads each database has served."""

    def served():
        text = api.get(f"{service.url}/api/metrics/").text
        return {"replica": 0, "primary": 0} | {name: int(float(n)) for name, n in SERVED.findall(text)}

    return served


@pytest.fixture(autouse=True)
def on_replica(request, service, api, incidents, served):
    """Every process reads from the replica when a test begins."""

    def is_used():
        before = served()
        assert {api.get(incidents).status_code for _ in range(8)} == {200}
        return served() == before | {"replica": before["replica"] + 8}

    wait_until(is_used)


def gauges(service, api):
    return {name: float(value) for name, value in GAUGE.findall(api.get(f"{service.url}/api/metrics/").text)}


@contextmanager
def replay_paused(postgres, standby):
    with standby.connect() as admin:
        admin.execute("SELECT pg_wal_replay_pause()")
        wait_until(lambda: admin.execute("SELECT pg_get_wal_replay_pause_state()").fetchone() == ("paused",))
        try:
            yield
        finally:
            admin.execute("SELECT pg_wal_replay_resume()")


@pytest.mark.parametrize(
    ("path", "reads"),
    [
        *(("v1/incidents/", 1), ("v1/incidents/?search=самокат", 1), ("v1/incidents/?status=open,closed&page=3", 1)),
        *(("admin/", 1), ("admin/board/", 1), ("admin/incidents/incident/?q=самокат", 1)),
        ("admin/incidents/incident/export/csv/", 2 + ROWS // 2_000 + 1),
    ],
)
def test_replica_serves_the_read(service, api, desk, served, standby, path, reads):
    before = served()
    client = desk if path.startswith("admin") else api
    assert client.get(f"{service.url}/api/{path}").status_code == 200
    after = served()
    assert after["primary"] == before["primary"]
    assert 1 <= after["replica"] - before["replica"] <= reads
    with standby.connect() as admin:
        assert admin.execute(f"SELECT count(*) > 0 {OTHER_QUERIES}").fetchone() == (True,)


def test_single_incident_and_its_history_are_read_from_the_primary(api, incidents, served):
    before = served()
    pk = api.post(incidents, json=BODY).json()["id"]
    for path in (f"{pk}/", f"{pk}/history/"):
        assert api.get(incidents + path).status_code == 200
    assert served() == before


def test_each_write_is_in_the_list_that_is_asked_for_next(api, incidents, served):
    before = served()
    for _ in range(50):
        created = api.post(incidents, json=BODY).json()
        page = api.get(incidents).json()
        assert page["results"][0] == created
        api.patch(f"{incidents}{created['id']}/", json={"status": "resolved"})
        assert api.get(f"{incidents}?status=resolved").json()["results"][0]["id"] == created["id"]
    assert served()["replica"] > before["replica"]


def test_what_the_standby_has_not_replayed_is_read_from_the_primary(postgres, standby, service, api, incidents):
    with replay_paused(postgres, standby):
        for _ in range(8):
            created = api.post(incidents, json=BODY).json()
            assert api.get(incidents).json()["results"][0] == created
        shown = gauges(service, api)
        assert shown["database_replica_up"] == 1
        assert shown["database_replica_lag_bytes"] > 0
        assert shown["database_replica_lag_seconds"] > 0
    wait_until(lambda: gauges(service, api)["database_replica_lag_bytes"] == 0)
    assert gauges(service, api)["database_replica_lag_seconds"] == 0


def test_operator_sees_the_own_report_on_the_board_and_in_the_list(postgres, standby, service, api, desk):
    add = f"{service.url}/api/admin/incidents/incident/add/"
    for number in range(2):
        text = f"Пропал самокат {time.time_ns()}"
        form = {"description": text, "source": "operator", "status": "open"}
        with replay_paused(postgres, standby):
            desk.get(add)
            desk.post(add, data=form | {"csrfmiddlewaretoken": desk.cookies["csrftoken"]})
            assert text in desk.get(f"{service.url}/api/admin/incidents/incident/").text, number


@pytest.mark.parametrize("sql", ["SELECT pg_switch_wal()", "CHECKPOINT", "VACUUM incidents_incident"])
def test_replica_is_used_whatever_the_primary_writes_into_its_log(postgres, api, incidents, served, sql):
    with postgres.connect() as admin:
        admin.execute(sql)
    before = served()
    assert {api.get(incidents).status_code for _ in range(8)} == {200}
    assert served() == before | {"replica": before["replica"] + 8}


def test_of_all_servers_a_standby_is_chosen(postgres, standby, service, api, tmp_path):
    hosts = f"127.0.0.1:{postgres.port},127.0.0.1:{standby.port}"
    environment = service.env | {"DATABASE_URL": f"postgres://postgres@{hosts}/postgres"}
    environment["DATABASE_REPLICA_URL"] = environment["DATABASE_URL"]
    with Gunicorn(0, tmp_path / "gunicorn.log", migrate=False, **environment) as gunicorn:
        for _ in range(8):
            assert requests.get(f"{gunicorn.url}/api/v1/incidents/", headers=api.headers, timeout=9).status_code == 200
        metrics = requests.get(f"{gunicorn.url}/api/metrics/", headers=api.headers, timeout=9).text
    assert SERVED.findall(metrics) == [("replica", "8.0")]


def test_primary_serves_what_the_replica_refuses(postgres, standby, service, api, incidents, tmp_path):
    """A user of the replica who may not read the table."""
    with postgres.connect() as admin:
        admin.execute("CREATE ROLE stranger LOGIN")
    replica = f"postgres://stranger@127.0.0.1:{standby.port}/postgres"
    environment = service.env | {"DATABASE_REPLICA_URL": replica}
    with Gunicorn(0, tmp_path / "gunicorn.log", migrate=False, **environment) as gunicorn:
        url = f"{gunicorn.url}/api/v1/incidents/"
        assert [requests.get(url, headers=api.headers, timeout=9).status_code for _ in range(8)] == [200] * 8
        assert requests.get(f"{url}?page=2000000", headers=api.headers, timeout=9).status_code == 404


def test_token_that_was_revoked_is_refused_at_once(postgres, standby, service, incidents):
    token = service.token("dismissed")
    headers = {"Authorization": f"Bearer {token}"}
    assert requests.get(incidents, headers=headers, timeout=9).status_code == 200
    with replay_paused(postgres, standby):
        postgres.connect().execute("UPDATE identity_user SET is_active = false WHERE username = 'dismissed'")
        assert {requests.get(incidents, headers=headers, timeout=9).status_code for _ in range(8)} == {401}


def test_new_token_is_taken_at_once(postgres, standby, service, incidents):
    with replay_paused(postgres, standby):
        headers = {"Authorization": f"Bearer {service.token('hired')}"}
        assert {requests.get(incidents, headers=headers, timeout=9).status_code for _ in range(8)} == {200}


def test_replica_that_is_down_costs_no_request(standby, service, api, desk, incidents, served):
    standby.kill()
    try:
        before = served()
        assert [api.get(incidents).status_code for _ in range(8)] == [200] * 8
        assert desk.get(f"{service.url}/api/admin/").status_code == 200
        assert served()["primary"] == before["primary"] + 9
        assert gauges(service, api)["database_replica_up"] == 0
        ready = requests.get(f"{service.url}/api/health/ready/", timeout=3)
        assert ready.status_code == 200
    finally:
        standby.start()


def test_replica_that_is_frozen_costs_no_request(standby, api, incidents):
    standby.freeze()
    try:
        # The first may have begun to read there.
        assert [api.get(incidents, timeout=15).status_code for _ in range(8)] == [200] * 8
    finally:
        standby.thaw()


def test_replica_that_restarts_between_requests_is_used_again(standby, api, incidents, served):
    standby.stop()
    standby.start()
    before = served()
    assert [api.get(incidents).status_code for _ in range(8)] == [200] * 8
    assert served()["primary"] == before["primary"]


@contextmanager
def conflicts(postgres, standby):
    """Locks whose replay cancels what reads the table on the standby. Yields how many were cancelled so far."""
    ended = threading.Event()

    def lock():
        with postgres.connect() as admin:
            while not ended.wait(0.002):
                with admin.transaction():
                    admin.execute("LOCK TABLE incidents_incident")

    def cancelled():
        sql = "SELECT confl_lock FROM pg_stat_database_conflicts WHERE datname = 'postgres'"
        return standby.connect().execute(sql).fetchone()[0]

    thread = threading.Thread(target=lock)
    thread.start()
    try:
        yield cancelled
    finally:
        ended.set()
        thread.join()


@pytest.mark.parametrize("form", ["csv", "xlsx"])
def test_export_that_the_standby_cancels_is_whole(postgres, standby, service, desk, form):
    url = f"{service.url}/api/admin/incidents/incident/export/{form}/"
    (expected,) = postgres.connect().execute("SELECT array_agg(id ORDER BY id DESC) FROM incidents_incident").fetchone()
    with conflicts(postgres, standby) as cancelled:
        before, end = cancelled(), time.monotonic() + 60
        while cancelled() == before:
            assert time.monotonic() < end, "no export met a conflict"
            content = desk.get(url, timeout=60).content
    if form == "csv":
        ids = [int(row[0]) for row in list(csv.reader(io.StringIO(content.decode("utf-8-sig"), newline="")))[1:]]
    else:
        sheet = zipfile.ZipFile(io.BytesIO(content)).read("xl/worksheets/sheet1.xml")
        ids = [int(number) for number in re.findall(rb'<c r="A\d+"><v>(\d+)</v>', sheet)]
    assert ids == expected


def test_lists_are_right_beside_locks_that_the_standby_replays(postgres, standby, api, incidents):
    with conflicts(postgres, standby) as cancelled:
        before, end = cancelled(), time.monotonic() + 60
        while cancelled() == before:
            assert time.monotonic() < end, "no list met a conflict"
            for _ in range(20):
                assert api.get(f"{incidents}?search=самокат&page_size=1000").status_code == 200


def test_check_names_a_replica_that_is_none(postgres, standby, service, tmp_path):
    def check(port):
        url = f"postgres://postgres@localhost:{port}/postgres"
        environment = service.env | {"DATABASE_REPLICA_URL": url}
        command = [sys.executable, "manage.py", "check", "--database=default"]
        return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)

    good = check(standby.port)
    assert (good.returncode, good.stderr) == (0, "")
    assert "(core.W011) The replica is no standby" in check(postgres.port).stderr
    assert "(core.W009) The replica cannot be asked" in check(free_port()).stderr
    with Postgres(tmp_path / "other") as other:
        refused = check(other.port)
        assert (refused.returncode, "(core.E010) The replica is a copy of another" in refused.stderr) == (1, True)
