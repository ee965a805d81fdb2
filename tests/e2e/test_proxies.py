"""The service behind Apache, Caddy and HAProxy, as docs/operations.md describes it."""

import pytest
import requests

from tests.helpers.proxies import Server, proxy

pytestmark = pytest.mark.e2e

COMPRESSION = {
    "apache": "SetOutputFilter DEFLATE",
    "caddy": "encode gzip",
    "haproxy": "compression algo gzip\n    compression type application/json",
}


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
