"""Outages of the database under a running gunicorn, and its graceful shutdown."""

import os
import signal
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from urllib.parse import quote

import psycopg
import pytest
import requests

from tests.helpers.servers import Gunicorn, Postgres, wait_until

pytestmark = pytest.mark.e2e


def timed(call):
    started = time.monotonic()
    response = call()
    return response, time.monotonic() - started


def test_lost_database_is_503_until_it_is_back(postgres, service, api):
    url = f"{service.url}/api/v1/incidents/"
    body = {"description": "Самокат не в сети", "source": "operator"}
    assert all(api.get(url).status_code == 200 for _ in range(8))
    for away in (postgres.stop, postgres.kill):
        away()
        for call in (lambda: api.get(url), lambda: api.post(url, json=body), lambda: api.get(f"{url}1/")) * 3:
            response, seconds = timed(call)
            assert (response.status_code, response.json()["errors"][0]["code"]) == (503, "503 service_unavailable")
            assert int(response.headers["Retry-After"]) > 0
            assert seconds < 5
        response, seconds = timed(lambda: api.get(f"{service.url}/api/health/ready/"))
        assert (response.status_code, response.json()["checks"]["database"]) == (503, "unavailable")
        assert seconds < 3
        assert api.get(f"{service.url}/api/health/live/").status_code == 200
        count = 0
        postgres.start()
        wait_until(lambda: api.get(f"{service.url}/api/health/ready/").status_code == 200, 10)
        for _ in range(8):
            assert api.get(url).status_code == 200
        count = api.get(url).json()["count"]
        assert count == 0
    assert api.post(url, json=body).status_code == 201


def crash_session(postgres):
    """PostgreSQL then ends all sessions, since one of them may have left its memory in disorder."""
    with postgres.connect() as admin:
        (pid,) = admin.execute("SELECT pid FROM pg_stat_activity WHERE wait_event_type = 'Lock' LIMIT 1").fetchone()
    os.kill(pid, signal.SIGKILL)


@pytest.mark.parametrize("end", [Postgres.stop, Postgres.kill, crash_session])
def test_request_whose_session_the_server_ends_is_503(postgres, service, api, end):
    url = f"{service.url}/api/v1/incidents/"
    body = {"description": "Самокат не в сети", "source": "operator"}
    waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
    with ThreadPoolExecutor() as threads, suppress(psycopg.Error), postgres.connect() as locker:
        with locker.transaction():
            locker.execute("LOCK TABLE incidents_incident")
            calls = [("get", None), ("post", body)]
            responses = [
                threads.submit(requests.request, method, url, json=sent, headers=api.headers, timeout=30)
                for method, sent in calls
            ]
            with postgres.connect() as observer:
                wait_until(lambda: observer.execute(waiting).fetchone() == (2,))
            end(postgres)
            for response in responses:
                error = response.result().json()["errors"][0]["code"]
                assert (response.result().status_code, error) == (503, "503 service_unavailable")
    if postgres.process.poll() is not None:
        postgres.start()
    wait_until(lambda: api.get(f"{service.url}/api/health/ready/").status_code == 200, 20)
    assert api.post(url, json=body).status_code == 201


def test_restart_of_the_database_between_requests_fails_none(postgres, service, api):
    url = f"{service.url}/api/v1/incidents/"
    assert all(api.get(url).status_code == 200 for _ in range(8))
    postgres.stop()
    postgres.start()
    assert [api.get(url).status_code for _ in range(8)] == [200] * 8
    count = api.get(url).json()["count"]
    postgres.stop()
    postgres.start()
    body = {"description": "Самокат не в сети", "source": "operator"}
    assert [api.post(url, json=body).status_code for _ in range(8)] == [201] * 8
    assert api.get(url).json()["count"] == count + 8
    postgres.stop()
    postgres.start()
    login = f"{service.url}/api/identity/auth/jwt/create/"
    responses = [requests.post(login, json={"username": "unknown", "password": "x"}, timeout=9) for _ in range(4)]
    assert {response.status_code for response in responses} == {401}


def test_unresponsive_database_host_is_503_in_time(tmp_path, service, api):
    """A listener that accepts connections and never sends a byte takes the place of the database."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(64)
        port, secret_key = listener.getsockname()[1], service.env["SECRET_KEY"]
        with Gunicorn(port, tmp_path / "gunicorn.log", migrate=False, SECRET_KEY=secret_key) as gunicorn:
            response, seconds = timed(lambda: api.get(f"{gunicorn.url}/api/health/ready/", timeout=20))
            assert response.status_code == 503 and seconds < 3
            response, seconds = timed(lambda: api.get(f"{gunicorn.url}/api/v1/incidents/", timeout=20))
            assert response.status_code == 503 and seconds < 5
            assert requests.get(f"{gunicorn.url}/api/health/live/", timeout=1).status_code == 200


@pytest.mark.parametrize("way", ["tcp", "socket"])
def test_frozen_database_is_503_in_time_and_serves_again_afterwards(postgres, service, api, tmp_path, way):
    """Its kernel acknowledges what is sent, and nothing ever answers."""
    host = {"tcp": "127.0.0.1", "socket": quote(str(postgres.home), safe="")}[way]
    gunicorn = Gunicorn(
        postgres.port,
        tmp_path / "gunicorn.log",
        SECRET_KEY=service.env["SECRET_KEY"],
        DATABASE_URL=f"postgres://postgres@{host}:{postgres.port}/postgres",
    )
    try:
        url, ready = f"{gunicorn.url}/api/v1/incidents/", f"{gunicorn.url}/api/health/ready/"
        assert [api.get(url).status_code for _ in range(8)] == [200] * 8  # on connections that are kept
        postgres.freeze()
        for _ in range(6):
            response, seconds = timed(lambda: requests.get(ready, timeout=20))
            assert (response.status_code, response.json()["checks"]["database"]) == (503, "unavailable")
            assert seconds < 3
        body = {"description": "Самокат не в сети", "source": "operator"}
        for call in (lambda: api.get(url, timeout=30), lambda: api.post(url, json=body, timeout=30)) * 2:
            response, seconds = timed(call)
            assert (response.status_code, response.json()["errors"][0]["code"]) == (503, "503 service_unavailable")
            assert seconds < 15
        assert requests.get(f"{gunicorn.url}/api/health/live/", timeout=1).status_code == 200
    finally:
        postgres.thaw()
        wait_until(lambda: requests.get(ready, timeout=20).status_code == 200)
        assert api.get(url).status_code == 200
        gunicorn.kill()


def test_ready_answers_in_time_though_each_of_several_hosts_swallows_packets(tmp_path, service):
    with socket.socket() as one, socket.socket() as other:
        for listener in (one, other):
            listener.bind(("127.0.0.1", 0))
            listener.listen(64)
        hosts = ",".join(f"127.0.0.1:{listener.getsockname()[1]}" for listener in (one, other))
        url = f"postgres://postgres@{hosts}/postgres"
        with Gunicorn(0, tmp_path / "gunicorn.log", migrate=False, DATABASE_URL=url) as gunicorn:
            response, seconds = timed(lambda: requests.get(f"{gunicorn.url}/api/health/ready/", timeout=20))
            assert response.status_code == 503 and seconds < 3


def test_ready_answers_though_every_thread_waits_for_the_database(postgres, service, api):
    url = f"{service.url}/api/v1/incidents/"
    waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
    with ThreadPoolExecutor(16) as threads, postgres.connect() as locker, postgres.connect() as observer:
        with locker.transaction():
            locker.execute("LOCK TABLE incidents_incident")
            responses = [threads.submit(requests.get, url, headers=api.headers, timeout=60) for _ in range(16)]
            wait_until(lambda: observer.execute(waiting).fetchone() == (4,))
            for path in ("ready", "live"):
                assert requests.get(f"{service.url}/api/health/{path}/", timeout=20).status_code == 200
            assert not any(response.done() for response in responses)
        assert [response.result().status_code for response in responses] == [200] * 16


def test_graceful_shutdown_finishes_requests_in_flight(postgres, service, api):
    """Two requests wait for a lock in the database when SIGTERM comes."""
    url = f"{service.url}/api/v1/incidents/"
    waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
    with ThreadPoolExecutor() as threads, postgres.connect() as locker, postgres.connect() as observer:
        with locker.transaction():
            locker.execute("LOCK TABLE incidents_incident")
            responses = [threads.submit(requests.get, url, headers=api.headers, timeout=30) for _ in range(2)]
            wait_until(lambda: observer.execute(waiting).fetchone() == (2,))
            service.process.terminate()
            wait_until(lambda: not service.is_up())
        assert [response.result().status_code for response in responses] == [200, 200]
    service.process.wait(60)
    service.start()
