"""The service behind Apache, Caddy and HAProxy, as docs/operations.md describes it."""

import re

import pytest
import requests

from tests.helpers.proxies import Server, proxy

pytestmark = pytest.mark.e2e

COMPRESSION = {
    "apache": "SetOutputFilter DEFLATE",
    "caddy": "encode gzip",
    "haproxy": "compression algo gzip\n    compression type application/json",
}


STRIP = {"caddy": "uri strip_prefix /svc", "haproxy": "http-request replace-path /svc(/.*) \\1", "apache": ""}


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    home = tmp_path_factory.mktemp("server")
    server = Server("gunicorn", "tcp", f"sqlite:///{home}/db.sqlite3", home)
    yield server
    server.close()


@pytest.fixture(scope="module")
def token(server):
    return {"Authorization": f"Bearer {server.token()}"}


@pytest.mark.parametrize("name", COMPRESSION)
def test_etag_of_a_compressed_response(server, token, tmp_path, name):
    process, port = proxy(name, tmp_path, server.address, COMPRESSION[name])
    try:
        url = f"http://127.0.0.1:{port}/api/v1/incidents/"
        report = {"description": "x" * 5000, "source": "operator"}
        made = requests.post(url, json=report, headers=token)
        one = f"{url}{made.json()['id']}/"
        got = requests.get(one, headers=token)
        assert got.headers["Content-Encoding"] == "gzip"
        etag = got.headers["ETag"]
        assert requests.get(one, headers=token | {"If-None-Match": etag}).status_code == 304
        changed = requests.patch(one, json={"status": "closed"}, headers=token | {"If-Match": etag})
        assert changed.status_code == 200
    finally:
        process.close()


@pytest.fixture(scope="module")
def prefixed(tmp_path_factory):
    home = tmp_path_factory.mktemp("prefixed")
    server = Server("gunicorn", "tcp", f"sqlite:///{home}/db.sqlite3", home, FORCE_SCRIPT_NAME="/svc")
    server.headers = {"Authorization": f"Bearer {server.token()}"}
    yield server
    server.close()


@pytest.mark.parametrize("name", STRIP)
def test_path_prefix(prefixed, tmp_path, name):
    process, port = proxy(name, tmp_path, prefixed.address, STRIP[name])
    try:
        url = f"http://127.0.0.1:{port}/svc"
        report = {"description": "x", "source": "operator"}
        made = [requests.post(f"{url}/api/v1/incidents/", json=report, headers=prefixed.headers) for _ in range(2)]
        assert requests.get(made[0].headers["Location"], headers=prefixed.headers).json() == made[0].json()
        pages = requests.get(f"{url}/api/v1/incidents/?page_size=1", headers=prefixed.headers).json()
        assert requests.get(pages["next"], headers=prefixed.headers).status_code == 200
        log_in = requests.get(f"{url}/", headers={"Accept": "text/html"})
        assert log_in.url == f"{url}/api/admin/login/?next=/svc/api/admin/"
        styles = re.findall('href="(/[^"]+[.]css)"', log_in.text)
        assert styles and all(requests.get(f"http://127.0.0.1:{port}{path}").status_code == 200 for path in styles)
    finally:
        process.close()
