#!/usr/bin/env bash
# requests 2.34.2 and urllib3 2.8.0 return 103 Early Hints as the response, and requests calls it ok, though 500 follows.
#
# Expected: 500, as httpx (h11) returns it. RFC 9110, 15.2: a client must be able to parse one or more 1xx responses before
# the final one, even if it does not expect any. Both lean on Python's http.client, which skips 100 alone, and leaves what
# follows 103 unread: its headers and status are lost, and `ok`, which is true below 400, says that the request succeeded.
# For us: what a receiver of webhooks answers is read by webhooks/http.py up to the final response; a client of the Bot API or
# a script by requests would take a failure for a success behind a proxy that sends 103.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

python3 -m venv "$tmp/venv"
"$tmp/venv/bin/pip" install -q --disable-pip-version-check requests==2.34.2 urllib3==2.8.0 httpx==0.28.1 h11==0.16.0

"$tmp/venv/bin/python" - <<'PYTHON'
import socket
import sys
import threading

import httpx
import requests
import urllib3

EARLY = b"HTTP/1.1 103 Early Hints\r\nLink: </style.css>; rel=preload\r\n\r\n"
FINAL = b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


def serve(listener):
    while True:
        connected, _ = listener.accept()
        with connected:
            received = b""
            while not received.endswith(b"{}"):
                received += connected.recv(65536)
            connected.sendall(EARLY + FINAL)


listener = socket.create_server(("127.0.0.1", 0))
threading.Thread(target=serve, args=[listener], daemon=True).start()
url = f"http://127.0.0.1:{listener.getsockname()[1]}/"
response = requests.post(url, data=b"{}")
seen = {
    "requests": (response.status_code, response.ok),
    "urllib3": urllib3.request("POST", url, body=b"{}", retries=False).status,
    "httpx": httpx.post(url, content=b"{}").status_code,
}
print(f"Python {sys.version.split()[0]}, requests {requests.__version__}, urllib3 {urllib3.__version__}")
print("sent 103, then 500; seen:", seen)
sys.exit(seen != {"requests": (103, True), "urllib3": 103, "httpx": 500})
PYTHON
