"""nginx/site.conf.example in front of gunicorn, without containers."""

import signal
import threading

import pytest
import requests

from tests.conftest import errors
from tests.helpers.production import parse, send, until
from tests.helpers.proxies import proxy
from tests.helpers.servers import Gunicorn, Postgres

pytestmark = pytest.mark.e2e


class Site:
    def __init__(self, home):
        self.postgres = Postgres(home / "data")
        self.gunicorn = Gunicorn(self.postgres.port, home / "gunicorn.log", TRUSTED_PROXIES="1")
        self.nginx, self.port = proxy("nginx", home, self.gunicorn.port)
        self.incidents = f"http://127.0.0.1:{self.port}/api/v1/incidents/"
        self.client = requests.Session()
        self.client.headers["Authorization"] = f"Bearer {self.gunicorn.token()}"

    def report(self):
        return self.client.post(self.incidents, json={"description": "x", "source": "operator"}, timeout=20).status_code

    def close(self):
        self.nginx.close()
        self.gunicorn.kill()
        self.postgres.kill()


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    site = Site(tmp_path_factory.mktemp("site"))
    yield site
    site.close()


def test_reload_of_gunicorn_fails_no_request(site):
    """No request goes into a kept connection that an old worker is closing."""
    statuses, ends = [], threading.Event()

    def work():
        while not ends.is_set():
            statuses.append(site.report())

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for _ in range(3):
        old = set(site.gunicorn.workers())
        site.gunicorn.process.send_signal(signal.SIGHUP)
        until(lambda old=old: len(site.gunicorn.workers()) == 2 and not old & set(site.gunicorn.workers()))
    ends.set()
    for thread in threads:
        thread.join()
    assert set(statuses) == {201}
    assert site.client.get(site.incidents).json()["count"] == len(statuses)


def test_stale_keepalive_connection_fails_no_request_after_a_restart(site):
    assert {site.report() for _ in range(20)} == {201}
    site.gunicorn.stop()
    response = site.client.get(site.incidents)
    assert (response.status_code, errors(response)) == (503, [("503 service_unavailable", None)])
    site.gunicorn.start()
    assert {site.report() for _ in range(20)} == {201}


def test_errors_of_nginx_have_the_error_format(site):
    response = parse(send(site.port, b"POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 3000000\r\n\r\n"))
    assert (response.status_code, errors(response)) == (413, [("413 request_too_large", None)])


def test_body_in_chunks_that_is_too_large(site):
    body = b"Transfer-Encoding: chunked\r\n\r\n2dc6c0\r\n" + b" " * 3_000_000 + b"\r\n0\r\n\r\n"
    response = parse(send(site.port, b"POST / HTTP/1.1\r\nHost: 127.0.0.1\r\n" + body))
    assert (response.status_code, errors(response)) == (413, [("413 request_too_large", None)])
