"""nginx/site.conf.example in front of gunicorn, without containers."""

import signal
import threading
from uuid import uuid4

import pytest
import requests

from tests.helpers.api import errors
from tests.helpers.production import parse, send, until
from tests.helpers.proxies import proxy
from tests.helpers.servers import Gunicorn, Postgres

pytestmark = pytest.mark.e2e


class Site:
    def __init__(self, home):
        self.home = home
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


SPELLINGS = [
    "/api/v1/intake/SECRET",
    "/api/v1/intake/SECRET/",
    "/api/v1/intake/sender/SECRET/more/SECRET",
    "/api/v1/intake/telegram/SECRET",
    "/api/v1/INTAKE/sender/SECRET",
    "//api//v1//intake//sender//SECRET",
    "/api/v1/%69ntake/sender/SECRET",
    "/api/v1/%2569ntake/sender/SECRET",
    "/api/v1/intake%2Fsender%2FSECRET",
    "/api/v1/intake%252Fsender%252FSECRET",
    "/api/v1/in%74ake/a%0Aname/SECRET",
    "/a%0Ab/intake/SECRET",
    "/api/v1/./x/../intake/SECRET",
    "/api/v1/intake;SECRET",
    "/api/v1/intake/sender/?key=SECRET",
    "http://127.0.0.1/api/v1/intake/SECRET",
]


@pytest.mark.parametrize("path", SPELLINGS)
@pytest.mark.parametrize("length", [0, 30_000_000], ids=["", "too large"])
def test_secret_in_an_intake_path_is_not_logged(site, path, length):
    """Neither the path of a request that reaches the service nor of one that nginx refuses."""
    secret, mark = uuid4().hex, uuid4().hex
    path = path.replace("SECRET", secret)
    head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\nReferer: http://x{path}\r\n"
    send(site.port, f"{head}Content-Length: {length}\r\n\r\n".encode())
    requests.get(f"http://127.0.0.1:{site.port}/{mark}")
    log = site.home / "incidents.log"
    until(lambda: mark in log.read_text())
    assert '"POST /' in log.read_text() and secret not in log.read_text() + (site.home / "error.log").read_text()


@pytest.mark.parametrize("path", ["/api/v1/intake/telegram/", "/api/admin/intake/sender/", "/api/v1/incidents/"])
def test_other_paths_are_logged(site, path):
    requests.get(f"http://127.0.0.1:{site.port}{path}", allow_redirects=False)
    until(lambda: f'"GET {path}"' in (site.home / "incidents.log").read_text())
