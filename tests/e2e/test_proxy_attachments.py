"""
nginx of docker-compose.prod.yml sends the files that the service names, and lets large uploads pass.

The service is a stand-in, which answers every GET with the headers of an attachment: what it does itself is tested
elsewhere.
"""

import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from select import select

import pytest
import requests

from tests.helpers.api import errors
from tests.helpers.production import ROOT, connect, parse, run, send, until
from tests.helpers.proxies import let_others_in
from tests.helpers.servers import free_port
from tests.kubernetes.manifests import COMPOSE

pytestmark = pytest.mark.e2e

PATH = "/api/v1/incidents/1/attachments/"
FILE = "2026/11/30/5f0c8f7d0e0f4b0c9d3b8f0a1c2d3e4f"
CONTENT = bytes(range(256)) * 400
MISSING = "2026/11/30/missing"
HEADERS = {
    "Content-Type": "text/plain",
    "Content-Disposition": 'attachment; filename="a.txt"',
    "Cache-Control": "private, no-cache",
    "ETag": '"sha256"',
    "Content-Security-Policy": "sandbox; default-src 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Access-Control-Allow-Origin": "https://app.example.org",
    "Access-Control-Expose-Headers": "ETag",
    "Vary": "Accept-Language, Cookie",
}


class StandIn(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    received: list[int] = []

    def address_string(self):
        return ""

    def log_message(self, *args):
        pass

    def do_GET(self):
        self.send_response(200)
        named = MISSING if "missing" in self.path else FILE
        for name, value in (HEADERS | {"X-Accel-Redirect": f"/attachments/{named}", "Content-Length": "0"}).items():
            self.send_header(name, value)
        self.end_headers()

    do_HEAD = do_GET  # noqa: N815

    def do_POST(self):
        left = length = int(self.headers["Content-Length"])
        while left:
            left -= len(self.rfile.read(min(left, 65_536)))
        self.received.append(length)
        self.send_response(201)
        self.send_header("Content-Length", "0")
        self.end_headers()


class UnixServer(ThreadingHTTPServer):
    address_family = socket.AF_UNIX
    server_name, server_port = "", 0

    def server_bind(self):
        self.socket.bind(self.server_address)


@pytest.fixture(scope="module")
def port(tmp_path_factory):
    home = tmp_path_factory.mktemp("nginx")
    (home / "sockets").mkdir()
    stored = home / "attachments" / FILE
    stored.parent.mkdir(parents=True)
    stored.write_bytes(CONTENT)
    let_others_in(home)
    server = UnixServer(str(home / "sockets" / "1"), StandIn)
    (home / "sockets" / "1").chmod(0o777)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    port = free_port()
    command = ["docker", "run", "--detach", "--read-only", "--cap-drop=ALL", "--user=nginx", "--memory=512m"]
    command += [f"--tmpfs={entry}" for entry in COMPOSE["nginx"]["tmpfs"]]
    command += [f"--volume={ROOT}/nginx/{file}:/etc/nginx/{file}:ro" for file in ("start", "nginx.conf.template")]
    command += [f"--volume={home}/sockets:/run/incidents:ro", f"--volume={home}/attachments:/attachments:ro"]
    command += [f"--publish=127.0.0.1:{port}:8080", "--env=REAL_IP_FROM=127.0.0.1", "--entrypoint=sh"]
    container = run(*command, COMPOSE["nginx"]["image"], "/etc/nginx/start").stdout.strip()
    try:
        until(lambda: run("docker", "exec", container, "test", "-e", "/tmp/nginx.pid", check=False).returncode == 0)
        until(lambda: reached(port))
        yield port
    finally:
        print(run("docker", "logs", container).stdout[-2000:])
        run("docker", "rm", "--force", container)
        server.shutdown()


def reached(port):
    try:
        return requests.get(f"http://127.0.0.1:{port}/", timeout=5).ok
    except requests.RequestException:
        return False


def get(port, path="1/", **headers):
    return requests.get(f"http://127.0.0.1:{port}{PATH}{path}", headers=headers, timeout=20)


def test_the_file_has_the_headers_of_the_service(port):
    response = get(port, **{"X-Request-ID": "abc-1"})
    assert (response.status_code, response.content) == (200, CONTENT)
    assert {name: response.headers.get(name) for name in HEADERS} == HEADERS
    assert response.headers["X-Request-ID"] == "abc-1" and response.headers["Content-Length"] == str(len(CONTENT))
    assert "Content-Encoding" not in response.headers and response.headers["Accept-Ranges"] == "bytes"


def test_ranges(port):
    part = get(port, Range="bytes=256-511")
    assert (part.status_code, part.content) == (206, CONTENT[256:512])
    assert part.headers["Content-Range"] == f"bytes 256-511/{len(CONTENT)}"
    assert part.headers["Content-Security-Policy"] == HEADERS["Content-Security-Policy"]
    assert get(port, Range="bytes=-1", **{"If-Range": HEADERS["ETag"]}).content == CONTENT[-1:]
    assert get(port, Range="bytes=0-0", **{"If-Range": '"another"'}).content == CONTENT
    beyond = get(port, Range=f"bytes={len(CONTENT)}-")
    assert (beyond.status_code, errors(beyond)) == (416, [("416 range_not_satisfiable", None)])


def test_head_has_no_body(port):
    response = requests.head(f"http://127.0.0.1:{port}{PATH}1/", timeout=20)
    assert (response.status_code, response.headers["Content-Length"], response.content) == (200, str(len(CONTENT)), b"")


@pytest.mark.parametrize(
    "path", [f"/attachments/{FILE}", "/attachments/", f"//attachments/{FILE}", f"/x/../attachments/{FILE}"]
)
def test_no_way_past_the_service(port, path):
    response = parse(send(port, f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n".encode()))
    assert (response.status_code, errors(response)) == (404, [("404 not_found", None)])


def test_a_missing_file_is_an_error_in_the_format(port):
    response = get(port, "missing/")
    assert (response.status_code, errors(response)) == (404, [("404 not_found", None)])


@pytest.mark.parametrize("key", [{}, {"Idempotency-Key": "1"}], ids=["alone", "with a key"])
@pytest.mark.parametrize("chunked", [False, True], ids=["length", "chunks"])
@pytest.mark.parametrize("path", [PATH, PATH.rstrip("/"), "/api/admin/incidents/incident/1/comment/"])
def test_uploads_of_20_megabytes_pass(port, path, chunked, key):
    def upload(size):
        content = b"x" * size
        body = (content[start : start + 65_536] for start in range(0, size, 65_536)) if chunked else content
        return requests.post(f"http://127.0.0.1:{port}{path}", body, headers=key, timeout=60)

    largest = 20 * 2**20 + 2000
    assert upload(largest).status_code == 201 and StandIn.received[-1] == largest
    assert upload(21 * 2**20 + 1).status_code == 413


@pytest.mark.parametrize("path", ["/api/v1/incidents/", "/api/v1/incidents/1/comments/", f"{PATH}1/", "/api/admin/"])
def test_other_bodies_stay_small(port, path):
    response = requests.post(f"http://127.0.0.1:{port}{path}", b"x" * 2_621_441, timeout=60)
    assert response.status_code == 413


def test_uploads_at_once_are_bounded(port):
    """Their bodies fit into /tmp together; who comes later is told to try again, and the others go on."""
    head = f"POST {PATH} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 1000\r\n\r\nx".encode()
    slow = [connect(port) for _ in range(10)]
    try:
        for client in slow:
            client.sendall(head)
        until(lambda: len(select(slow, [], [], 0)[0]) == 2)
        refused = select(slow, [], [], 0)[0]
        assert all(client.recv(100).startswith(b"HTTP/1.1 503 ") for client in refused)
        response = requests.post(f"http://127.0.0.1:{port}{PATH}", b"x", timeout=20)
        assert (response.status_code, errors(response)) == (503, [("503 service_unavailable", None)])
        assert response.headers["Retry-After"]
        assert get(port).content == CONTENT
        for client in set(slow) - set(refused):
            client.sendall(b"x" * 999)
            client.settimeout(20)
            assert client.recv(100).startswith(b"HTTP/1.1 201 ")
    finally:
        for client in slow:
            client.close()


def test_eight_uploads_of_20_megabytes_at_once(port):
    def upload(_):
        return requests.post(f"http://127.0.0.1:{port}{PATH}", b"x" * 20 * 2**20, timeout=60).status_code

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(upload, range(8))) == {201}
