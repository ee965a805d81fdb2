"""A client whose body is refused costs no other client its request, whatever proxy shares a connection among them."""

from collections import Counter

import pytest
import requests

from tests.helpers.api import errors
from tests.helpers.proxies import Server, proxy
from tests.helpers.servers import manage

pytestmark = pytest.mark.e2e

REPORT = {"description": "x", "source": "operator"}
BODY = b" " * 300_000
ROUNDS = 10
REFUSED = [
    ("POST", "/api/v1/incidents/", 401, {}),
    ("POST", "/api/v1/intake/nothing/", 401, {}),
    ("POST", "/api/nothing/", 404, {}),
    ("PUT", "/api/health/live/", 405, {}),
    ("POST", "/static/admin/css/base.css", 405, {}),
    ("POST", "/api/admin/login/", 403, {"Content-Type": "application/x-www-form-urlencoded"}),
    ("POST", "/api/identity/auth/jwt/create/", 415, {"Content-Type": "text/plain"}),
]


PROXIES = ["nginx", "caddy", "apache", "haproxy"]


@pytest.fixture(scope="module", params=["gunicorn tcp", "gunicorn unix", "granian tcp", "granian unix"])
def server(request, postgres, tmp_path_factory):
    name, transport = request.param.split()
    with postgres.connect() as connection:
        connection.execute("DROP DATABASE IF EXISTS one")
        connection.execute("CREATE DATABASE one")
    url = f"postgres://postgres@127.0.0.1:{postgres.port}/one"
    server = Server(name, transport, url, tmp_path_factory.mktemp("server"))
    yield server
    server.close()


@pytest.fixture(scope="module")
def reporter(server):
    with requests.Session() as session:
        session.headers["Authorization"] = f"Bearer {server.token()}"
        yield session


@pytest.fixture(scope="module")
def sender(server):
    return {"Authorization": f"Bearer {manage(server.env, 'add_sender', 'one', '--format', 'generic')}"}


@pytest.fixture(params=PROXIES)
def url(request, server, tmp_path):
    process, port = proxy(request.param, tmp_path, server.address)
    yield f"http://127.0.0.1:{port}"
    process.close()


def test_next_request_on_the_connection_is_answered(reporter, url):
    refused, next_ones = Counter(), Counter()
    with requests.Session() as client:
        for _ in range(ROUNDS):
            for method, path, status, headers in REFUSED:
                response = client.request(method, url + path, data=BODY, headers=headers)
                refused[response.status_code, status] += 1
                next_ones[reporter.post(f"{url}/api/v1/incidents/", json=REPORT).status_code] += 1
    assert next_ones == {201: ROUNDS * len(REFUSED)}
    assert all(status == expected for status, expected in refused)


@pytest.mark.parametrize(("chunks", "code"), [(False, "413 request_too_large"), (True, "411 length_required")])
def test_body_that_is_too_large_for_intake_gets_an_answer(sender, url, chunks, code):
    block = b" " * 22_000
    body = (block for _ in range(1000)) if chunks else block * 1000
    response = requests.post(f"{url}/api/v1/intake/one/", body, headers=sender, timeout=60)
    assert errors(response) in ([(code, None)], [("413 request_too_large", None)])
