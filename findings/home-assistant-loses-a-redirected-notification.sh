#!/usr/bin/env bash
# Home Assistant 2025.1.4 (PyPI): notify.rest takes a redirect for a success, and says nothing of it.
#
# Expected: the redirect is followed, or an error as for 4xx and 5xx. Instead httpx follows no redirect by default, and the
# integration logs whatever is below 400 at the level "debug": behind a redirect from http to https each message is lost, the
# action succeeds and the log is empty.
# For us: docs/senders.md asks for the https address.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
python=$("$(dirname "$0")/../docker/find-python") # Home Assistant asks for 3.12
"$python" -m venv "$tmp/venv"
"$tmp/venv/bin/pip" -q --disable-pip-version-check install --no-compile homeassistant==2025.1.4 jsonpath==0.82.2 xmltodict==0.13.0

"$tmp/venv/bin/python" - "$tmp" <<'PYTHON'
import asyncio, logging, sys, threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from homeassistant import loader
from homeassistant.components.rest.notify import RestNotificationService
from homeassistant.const import __version__
from homeassistant.core import HomeAssistant

received, logged = [], []


class Receiver(BaseHTTPRequestHandler):
    def do_POST(self):
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        received.append(self.path)
        self.send_response({"/final": 200, "/moved": 301, "/refused": 404}[self.path])
        self.send_header("Location", "/final")
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_GET = do_POST

    def log_message(self, *args):
        pass


class Kept(logging.Handler):
    def emit(self, record):
        logged.append(record.getMessage())


async def main():
    hass = HomeAssistant(sys.argv[1])
    loader.async_setup(hass)
    logger = logging.getLogger("homeassistant.components.rest")
    logger.addHandler(Kept(logging.INFO))
    logger.propagate = False

    async def send(path):
        """The paths that were called and what was logged; an error of the action is raised."""
        received.clear(), logged.clear()
        url = f"http://127.0.0.1:{server.server_port}/{path}"
        service = RestNotificationService(hass, url, "POST_JSON", None, None, "message", None, None, None, None, None, True)
        await service.async_send_message("down")
        print(f"{path}: called {received}, logged {logged}")
        return list(received), len(logged)

    refused, moved = await send("refused"), await send("moved")
    if refused != (["/refused"], 1):
        sys.exit("404 is not logged either: the script proves nothing")
    if moved != (["/moved"], 0):
        sys.exit("Home Assistant follows the redirect, or tells of it now")


print("Home Assistant", __version__)
with ThreadingHTTPServer(("127.0.0.1", 0), Receiver) as server:
    threading.Thread(target=server.serve_forever, daemon=True).start()
    asyncio.run(main())
    server.shutdown()
PYTHON
