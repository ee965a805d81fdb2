"""A local server in place of Telegram's Bot API, which fails on demand."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from queue import Queue

TOKEN = "110201543:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw1"
OK = (200, {"ok": True, "result": {"message_id": 7}})


class BotAPI(ThreadingHTTPServer):
    """A local Bot API server: the first calls get the responses in `faults`, one each; all others succeed."""

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
