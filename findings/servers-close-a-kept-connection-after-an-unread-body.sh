#!/usr/bin/env bash
# gunicorn 27.0.1 (gthread) and granian 2.8.7 keep a connection in words, and close it, if the application did not read a
# request's body of 300 KB.
#
# Expected: the rest of the body is read, or the response says `Connection: close` (RFC 9112, 9.3 and 9.6).
# Seen: gunicorn says `Connection: keep-alive`, reads 64 KiB of the rest and closes; granian (hyper) says nothing, which in
# HTTP/1.1 means the same, and closes. A second request, which was sent as soon as the response was there, gets no response.
# For us: a proxy sends another client's request on that connection, and a POST must not be sent again, so that the client gets
# 502. core/wsgi.py therefore reads the rest before each response.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

python3 -m venv "$tmp/venv"
"$tmp/venv/bin/pip" install -q --disable-pip-version-check gunicorn==27.0.1 granian==2.8.7
cat >"$tmp/app.py" <<'PYTHON'
def app(environ, start_response):
    start_response("401 Unauthorized", [("Content-Length", "2")])
    return [b"no"]
PYTHON
cat >"$tmp/client.py" <<'PYTHON'
import socket
import subprocess
import sys
import time
from contextlib import suppress

with socket.socket() as free:
    free.bind(("127.0.0.1", 0))
    port = free.getsockname()[1]
commands = {
    "gunicorn": ["gunicorn", "--threads=2", "--keep-alive=60", f"--bind=127.0.0.1:{port}", "app:app"],
    "granian": ["granian", "--interface=wsgi", "--http=1", "--host=127.0.0.1", f"--port={port}", "app:app"],
}
directory, name = sys.argv[1:]
server = subprocess.Popen(
    [f"{directory}/venv/bin/{commands[name][0]}", *commands[name][1:]],
    cwd=directory,
    stdout=subprocess.DEVNULL,
    stderr=subprocess.DEVNULL,
)
try:
    end = time.monotonic() + 20
    while True:
        with suppress(OSError):
            socket.create_connection(("127.0.0.1", port)).close()
            break
        assert time.monotonic() < end
        time.sleep(0.1)
    lost = 0
    for _ in range(20):
        with socket.create_connection(("127.0.0.1", port), timeout=10) as client, suppress(OSError):
            head = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n"
            received = second = b""
            with suppress(OSError):
                client.sendall(head % 300_000 + b"x" * 300_000)
            with suppress(OSError):
                received = client.recv(65_536)
                client.sendall(head % 0)
                while b"401" not in second and (data := client.recv(65_536)):
                    second += data
            lost += b"connection: close" not in received.lower() and b"401" not in second
    print(f"{name}: {lost} of 20 second requests got no response, on connections that no response said to close")
    sys.exit(not lost)
finally:
    server.terminate()
    server.wait(20)
PYTHON
for name in gunicorn granian; do
    "$tmp/venv/bin/python" "$tmp/client.py" "$tmp" "$name"
done
