"""The database goes away and comes back, under a gunicorn that is never restarted."""

import socket
import time

import pytest
import requests

from tests.helpers.servers import Gunicorn, Postgres, free_port, wait_until

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def postgres(tmp_path_factory):
    server = Postgres(tmp_path_factory.mktemp("outage") / "data")
    yield server
    server.kill()


@pytest.fixture(scope="module")
def service(postgres, tmp_path_factory):
    gunicorn = Gunicorn(postgres.port, tmp_path_factory.mktemp("log") / "gunicorn.log")
    yield gunicorn
    gunicorn.kill()


@pytest.fixture(scope="module")
def api(service):
    session = requests.Session()
    session.headers["Authorization"] = f"Bearer {service.token()}"
    return session


def timed(call):
    started = time.monotonic()
    answer = call()
    return answer, time.monotonic() - started


def test_it_answers_503_and_recovers_by_itself(postgres, service, api):
    url = f"{service.url}/api/v1/incidents/"
    body = {"description": "Самокат не в сети", "source": "operator"}
    assert all(api.get(url).status_code == 200 for _ in range(8))
    for away in (postgres.stop, postgres.kill):
        away()
        for call in (lambda: api.get(url), lambda: api.post(url, json=body), lambda: api.get(f"{url}1/")) * 3:
            answer, seconds = timed(call)
            assert (answer.status_code, answer.json()["errors"][0]["code"]) == (503, "503 service_unavailable")
            assert int(answer.headers["Retry-After"]) > 0
            assert seconds < 5
        answer, seconds = timed(lambda: api.get(f"{service.url}/api/health/ready/"))
        assert (answer.status_code, answer.json()["checks"]["database"]) == (503, "unavailable")
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


def test_a_restart_between_two_requests_goes_unnoticed(postgres, service, api):
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
    answers = [requests.post(login, json={"username": "nobody", "password": "x"}, timeout=9) for _ in range(4)]
    assert {answer.status_code for answer in answers} == {401}


def test_a_database_host_that_swallows_packets(tmp_path, service):
    """A listener that never answers stands in for it: the kernel takes the connection, nobody speaks."""
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen(64)
        port = silent.getsockname()[1]
        deaf = Gunicorn.__new__(Gunicorn)
        deaf.port, deaf.log = free_port(), tmp_path / "deaf.log"
        deaf.url = f"http://127.0.0.1:{deaf.port}"
        deaf.env = service.env | {"DATABASE_URL": f"postgres://postgres@127.0.0.1:{port}/postgres"}
        deaf.start()
        try:
            answer, seconds = timed(lambda: requests.get(f"{deaf.url}/api/health/ready/", timeout=20))
            assert answer.status_code == 503 and seconds < 3
            token = service.manage("issue_token", "torture")
            headers = {"Authorization": f"Bearer {token}"}
            answer, seconds = timed(lambda: requests.get(f"{deaf.url}/api/v1/incidents/", headers=headers, timeout=20))
            assert answer.status_code == 503 and seconds < 5
            assert requests.get(f"{deaf.url}/api/health/live/", timeout=1).status_code == 200
        finally:
            deaf.kill()


def test_a_graceful_stop_finishes_what_is_in_flight(service, api):
    """SIGTERM comes while a login's password is being hashed: its answer still arrives."""
    import threading

    answers = []
    body = {"username": "torture", "password": "wrong"}
    url = f"{service.url}/api/identity/auth/jwt/create/"
    threads = [
        threading.Thread(target=lambda: answers.append(requests.post(url, json=body, timeout=20).status_code))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    time.sleep(0.1)
    service.stop()
    for thread in threads:
        thread.join()
    service.start()
    assert answers == [401] * 4
