import json
import logging
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from queue import Queue

import pytest
from django.test import override_settings

from core import bot_api
from core.log.telegram import TelegramHandler

TOKEN = "110201543:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw1"
OK = (200, {"ok": True, "result": {"message_id": 7}})


class BotAPI(ThreadingHTTPServer):
    """A Bot API server that fails as it is told to: `faults` go first, one for each call, then all is well."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), BotAPIHandler)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.faults = []
        self.calls = Queue()
        self.released = threading.Event()

    def message(self):
        """The text of the next message that arrives."""
        return self.calls.get(timeout=10)[1]["text"]


class BotAPIHandler(BaseHTTPRequestHandler):
    server: BotAPI

    def do_POST(self):
        params = json.loads(self.rfile.read(int(self.headers["Content-Length"] or 0)) or "null")
        fault = self.server.faults.pop(0) if self.server.faults else OK
        self.server.calls.put((self.path, params))
        if fault == "hang":
            self.server.released.wait(60)
            return
        status, body = fault
        self.send_response(status)
        if status == 302:
            self.send_header("Location", self.server.url)
        self.end_headers()
        self.wfile.write(body if isinstance(body, bytes) else json.dumps(body).encode())

    def do_GET(self):
        self.do_POST()

    def log_message(self, *args):
        pass


def refusal(status, description="", **parameters):
    return status, {"ok": False, "error_code": status, "description": description, "parameters": parameters}


@pytest.fixture
def telegram():
    with BotAPI() as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        with override_settings(
            TELEGRAM_API_URL=server.url, TELEGRAM_BOT_TOKEN=TOKEN, TELEGRAM_LOGGING_CHAT="-1001234567890"
        ):
            yield server
        server.released.set()
        server.shutdown()


@pytest.fixture
def alerts(telegram, monkeypatch):
    """The Bot API server, and a handler of the root logger that waits less than production's."""
    for name in ("DEBOUNCE_SECONDS", "FIRST_BACKOFF"):
        monkeypatch.setattr(TelegramHandler, name, 0.1)
    monkeypatch.setattr(TelegramHandler, "SHUTDOWN_SECONDS", 0.5)
    monkeypatch.setattr(bot_api.limiter, "free_at", lambda chat: 0.0)
    others = [handler for handler in logging.getLogger().handlers if not isinstance(handler, TelegramHandler)]
    telegram.handler = TelegramHandler()
    monkeypatch.setattr(logging.getLogger(), "handlers", [*others, telegram.handler])
    yield telegram
    telegram.released.set()
    telegram.handler.close()
