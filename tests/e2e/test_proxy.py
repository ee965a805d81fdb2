"""nginx before the service."""

from collections import Counter

import pytest
import requests

from tests.conftest import errors
from tests.helpers.production import run, until

pytestmark = pytest.mark.e2e


def test_a_compressed_response_keeps_its_etag(production, client):
    long = client.post(production.incidents, json={"description": "я" * 2000, "source": "operator"})
    one = f"{production.incidents}{long.json()['id']}/"
    response = client.get(one)
    assert response.headers["Content-Encoding"] == "gzip" and response.headers["ETag"].startswith("W/")
    assert (
        client.patch(one, json={"status": "closed"}, headers={"If-Match": response.headers["ETag"]}).status_code == 200
    )


def test_systems_that_report_may_send_20_megabytes(production):
    response = requests.post(f"{production.url}/api/v1/intake/sender/", b" " * 20 * 2**20, timeout=30)
    assert response.status_code != 413 and response.headers["X-Content-Type-Options"], "it did not reach the service"


def test_a_request_id_goes_through(production, client):
    assert client.get(production.incidents, headers={"X-Request-ID": "abc-1"}).headers["X-Request-ID"] == "abc-1"
    until(lambda: '"request_id":"abc-1"' in production.compose("logs", "nginx").stdout)


@pytest.mark.parametrize("headers", [{}, {"Idempotency-Key": "1"}], ids=["alone", "with a key"])
def test_logins_are_limited(production, headers):
    url = f"{production.url}/api/identity/auth/jwt/create/"
    with requests.Session() as session:
        headers = {"Content-Type": "application/json"} | headers
        responses = [session.post(url, data="{", headers=headers) for _ in range(150)]
    refused = [response for response in responses if response.status_code == 429]
    assert refused and errors(refused[0]) == [("429 throttled", None)] and refused[0].headers["Retry-After"]


def test_maintenance(production):
    production.compose("exec", "-T", "nginx", "touch", "/tmp/maintenance")
    response = requests.get(production.incidents, headers={"Accept-Language": "ru"})
    page = requests.get(f"{production.url}/api/admin/")
    production.compose("exec", "-T", "nginx", "rm", "/tmp/maintenance")
    assert (response.status_code, errors(response)) == (503, [("503 service_unavailable", None)])
    assert "временно" in response.text and response.headers["Retry-After"]
    assert page.status_code == 503 and page.headers["Content-Type"].startswith("text/html")


def test_tls(production, tmp_path):
    key, certificate = tmp_path / "privkey.pem", tmp_path / "fullchain.pem"
    made = ("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=127.0.0.1")
    run(*made, "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(certificate))
    key.chmod(0o644)
    tmp_path.chmod(0o755)
    production.compose("up", "--detach", "--wait", "--no-deps", "nginx", TLS_CERTIFICATES=str(tmp_path))
    url = f"https://127.0.0.1:{production.https_port}/api/health/"
    assert requests.get(url, verify=certificate).status_code == 200
    http2 = run("curl", "-s", "-o", "/dev/null", "-w", "%{http_version}", "--cacert", str(certificate), url)
    assert http2.stdout == "2"
    old = run(
        "curl",
        "-s",
        "--tls-max",
        "1.1",
        "--ciphers",
        "DEFAULT@SECLEVEL=0",
        "--cacert",
        str(certificate),
        url,
        check=False,
    )
    assert old.returncode == 35
    production.compose("up", "--detach", "--wait", "--no-deps", "nginx")


DEAF = """
services:
  web:
    healthcheck: {disable: true}
    entrypoint:
      - python
      - -uc
      - |
        import os
        from contextlib import suppress
        from socketserver import BaseRequestHandler, ThreadingUnixStreamServer
        class Deaf(BaseRequestHandler):
            def handle(self):
                print(self.request.recv(65536).split(b" HTTP")[0].decode())
        os.umask(0)
        for slot in range(1, 9):
            with suppress(OSError):
                ThreadingUnixStreamServer(f"/run/incidents/{slot}", Deaf).serve_forever()
"""


def test_another_replica_is_asked_only_where_a_request_may_be_repeated(production):
    (production.path / "deaf.yml").write_text(DEAF)
    production.compose("-f", "deaf.yml", "up", "--detach", "--no-deps", "--scale", "web=2", "web")

    def asked():
        """How often each replica was asked for each method."""
        log = production.compose("logs", "--no-color", "web").stdout.splitlines()
        lines = Counter((line.split("|")[0], line.split("|")[1].split()[0]) for line in log if "/api/v1/" in line)
        return {
            method: sorted(times for (_, name), times in lines.items() if name == method)
            for method in ("OPTIONS", "GET", "PATCH", "POST", "PUT")
        }

    def both_are_asked():
        requests.options(production.incidents)
        return len(asked()["OPTIONS"]) == 2

    until(both_are_asked)
    for method in ("GET", "POST", "PATCH"):
        response = requests.request(method, production.incidents)
        assert (response.status_code, errors(response)) == (503, [("503 service_unavailable", None)])
    until(lambda: len(asked()["GET"]) == 2 and asked()["POST"] and asked()["PATCH"])
    assert asked()["POST"] == asked()["PATCH"] == [1]
    requests.post(production.incidents, headers={"Idempotency-Key": "1"})
    until(lambda: len(asked()["POST"]) == 2)
    production.up("--scale", "web=2")
