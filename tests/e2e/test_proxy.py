"""nginx in front of the service."""

import re
import threading
from collections import Counter
from time import sleep

import pytest
import requests

from tests.helpers.api import errors
from tests.helpers.production import run, until

pytestmark = pytest.mark.e2e


def test_etag_of_a_compressed_response_is_accepted(production, client):
    long = client.post(production.incidents, json={"description": "я" * 2000, "source": "operator"})
    one = f"{production.incidents}{long.json()['id']}/"
    response = client.get(one)
    assert response.headers["Content-Encoding"] == "gzip" and response.headers["ETag"].startswith("W/")
    assert (
        client.patch(one, json={"status": "closed"}, headers={"If-Match": response.headers["ETag"]}).status_code == 200
    )


def test_intake_accepts_20_megabytes(production):
    response = requests.post(f"{production.url}/api/v1/intake/sender/", b" " * 20 * 2**20, timeout=30)
    assert response.status_code != 413 and response.headers["X-Content-Type-Options"], "it did not reach the service"


def test_attachments_are_sent_by_nginx(production, client):
    made = client.post(production.incidents, json={"description": "with a file", "source": "operator"})
    files = f"{production.incidents}{made.json()['id']}/attachments/"
    content = bytes(range(256)) * 80_000  # just under 20 MiB
    key = {"Idempotency-Key": "nginx-sends-it"}
    stored = client.post(files, files={"file": ("a.html", content)}, headers=key, timeout=60)
    assert stored.status_code == 201, stored.text
    one = f"{files}{stored.json()['id']}/"
    whole = client.get(one)
    assert (whole.status_code, whole.content) == (200, content)
    assert whole.headers["ETag"] == f'"{stored.json()["sha256"]}"' and whole.headers["X-Request-ID"]
    assert "sandbox" in whole.headers["Content-Security-Policy"]
    assert whole.headers["X-Content-Type-Options"] == "nosniff" and whole.headers["Accept-Ranges"] == "bytes"
    assert whole.headers["Content-Disposition"] == 'attachment; filename="a.html"'
    part = client.get(one, headers={"Range": "bytes=256-511"})
    assert (part.status_code, part.content) == (206, content[256:512])
    assert client.get(one, headers={"If-None-Match": whole.headers["ETag"]}).status_code == 304
    assert requests.get(one).status_code == 401
    name = production.sql("SELECT file FROM incidents_attachment ORDER BY id DESC LIMIT 1")
    assert requests.get(f"{production.url}/attachments/{name}").status_code == 404


def test_request_id_is_passed_on_and_logged(production, client):
    assert client.get(production.incidents, headers={"X-Request-ID": "abc-1"}).headers["X-Request-ID"] == "abc-1"
    until(lambda: '"request_id":"abc-1"' in production.compose("logs", "nginx").stdout)


@pytest.mark.parametrize("headers", [{}, {"Idempotency-Key": "1"}], ids=["alone", "with a key"])
def test_logins_are_rate_limited(production, headers):
    url = f"{production.url}/api/identity/auth/jwt/create/"
    with requests.Session() as session:
        headers = {"Content-Type": "application/json"} | headers
        responses = [session.post(url, data="{", headers=headers) for _ in range(150)]
    refused = [response for response in responses if response.status_code == 429]
    assert refused and errors(refused[0]) == [("429 throttled", None)] and refused[0].headers["Retry-After"]


def test_maintenance_mode_is_503(production):
    production.compose("exec", "-T", "nginx", "touch", "/tmp/maintenance")
    response = requests.get(production.incidents, headers={"Accept-Language": "ru"})
    page = requests.get(f"{production.url}/api/admin/")
    production.compose("exec", "-T", "nginx", "rm", "/tmp/maintenance")
    assert (response.status_code, errors(response)) == (503, [("503 service_unavailable", None)])
    assert "временно" in response.text and response.headers["Retry-After"]
    assert page.status_code == 503 and page.headers["Content-Type"].startswith("text/html")


def test_tls_1_2_and_http_2(production, tmp_path):
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


def browser(production):
    """A session that is logged in at the desk."""
    session = requests.Session()
    log_in = f"{production.url}/api/admin/login/"
    token = re.findall('name="csrfmiddlewaretoken" value="([^"]+)"', session.get(log_in).text)[0]
    account = {"username": "operator", "password": "only-for-the-tests", "csrfmiddlewaretoken": token}
    assert session.post(log_in, account).url.endswith("/api/admin/")
    return session


def test_slow_exports_leave_room_for_other_requests(production, client):
    """Each is larger than what nginx buffers of it, and the clients read slowly."""
    production.compose("exec", "-T", "web", "python", "manage.py", "load_sample", "--count", "100000")
    url = f"{production.url}/api/admin/incidents/incident/export/csv/"
    desk = browser(production)
    statuses, lines = [], []

    def download():
        with desk.get(url, stream=True, allow_redirects=False, timeout=60) as export:
            statuses.append(export.status_code)
            if export.status_code == 200:
                count = 0
                for block in export.iter_content(65_536):
                    count += block.count(b"\n")
                    sleep(0.05)
                lines.append(count)

    threads = [threading.Thread(target=download) for _ in range(10)]
    for thread in threads:
        thread.start()
    until(lambda: len(statuses) == len(threads))
    while any(thread.is_alive() for thread in threads):
        body = {"description": "x", "source": "operator", "unknown": "y" * 200_000}
        assert client.post(production.incidents, json=body, timeout=30).status_code == 400
    assert set(statuses) <= {200, 302, 503}
    assert 0 < len(lines) == statuses.count(200) <= 4
    assert min(lines) > 100_000


UNRESPONSIVE = """
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
        class Unresponsive(BaseRequestHandler):
            def handle(self):
                print(self.request.recv(65536).split(b" HTTP")[0].decode())
        os.umask(0)
        for slot in range(1, 9):
            with suppress(OSError):
                ThreadingUnixStreamServer(f"/run/incidents/{slot}", Unresponsive).serve_forever()
"""


def test_only_idempotent_requests_are_retried_on_another_replica(production):
    (production.path / "unresponsive.yml").write_text(UNRESPONSIVE)
    production.compose("-f", "unresponsive.yml", "up", "--detach", "--no-deps", "--scale", "web=2", "web")

    def tried():
        """How often each replica got each method."""
        log = production.compose("logs", "--no-color", "web").stdout.splitlines()
        lines = Counter((line.split("|")[0], line.split("|")[1].split()[0]) for line in log if "/api/v1/" in line)
        return {
            method: sorted(times for (_, name), times in lines.items() if name == method)
            for method in ("OPTIONS", "GET", "PATCH", "POST", "PUT")
        }

    def both_are_tried():
        requests.options(production.incidents)
        return len(tried()["OPTIONS"]) == 2

    until(both_are_tried)
    for method in ("GET", "POST", "PATCH"):
        response = requests.request(method, production.incidents)
        assert (response.status_code, errors(response)) == (503, [("503 service_unavailable", None)])
    until(lambda: len(tried()["GET"]) == 2 and tried()["POST"] and tried()["PATCH"])
    assert tried()["POST"] == tried()["PATCH"] == [1]
    requests.post(production.incidents, headers={"Idempotency-Key": "1"})
    until(lambda: len(tried()["POST"]) == 2)
    production.up("--scale", "web=2")
