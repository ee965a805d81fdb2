"""A receiver of webhooks: an HTTP server, on the loopback interface unless a test says otherwise."""

import json
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from incidents.models import Incident
from webhooks.jobs import Sender
from webhooks.models import Event, Subscription


@dataclass
class Receiver:
    port: int = 0
    # Of the next responses, and then of all others
    statuses: list[int] = field(default_factory=list)
    status: int = 204
    status_of: dict[int, int] = field(default_factory=dict)  # by the incident's id
    location: str = ""
    retry_after: str = ""
    before_response: Callable[[Any], Any] = lambda body: None
    connections: int = 0
    requests: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://localhost:{self.port}/hook"

    @property
    def bodies(self) -> list[Any]:
        return [json.loads(body) for _, _, body in self.requests]

    @property
    def events(self) -> list[tuple[str, int]]:
        """The part of each type after `incident.`, and the incident's id."""
        return [(body["type"].removeprefix("incident."), body["data"]["incident"]["id"]) for body in self.bodies]

    def ids(self) -> list[str]:
        return [headers["webhook-id"] for _, headers, _ in self.requests]


@contextmanager
def serve(receiver: Receiver, tls: ssl.SSLContext | None = None, *, host: str = "127.0.0.1") -> Iterator[Receiver]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def setup(self) -> None:
            receiver.connections += 1
            super().setup()

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            receiver.requests.append((self.path, {name.lower(): value for name, value in self.headers.items()}, body))
            content = json.loads(body)
            receiver.before_response(content)
            status = receiver.statuses.pop(0) if receiver.statuses else receiver.status
            number = content["data"]["incident"]["id"] if content else 0
            self.send_response(receiver.status_of.get(number, status))
            if receiver.location:
                self.send_header("Location", receiver.location)
            if receiver.retry_after:
                self.send_header("Retry-After", receiver.retry_after)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *args: Any) -> None:
            pass

    with ThreadingHTTPServer((host, 0), Handler) as server:
        if tls:
            server.socket = tls.wrap_socket(server.socket, server_side=True)
        receiver.port = server.server_port
        threading.Thread(target=server.serve_forever, args=[0.01], daemon=True).start()
        yield receiver
        server.shutdown()


def run() -> None:
    """The job, as long as it finds work."""
    sender = Sender()
    while sender.step():
        pass


def subscribe(url: str, **fields: Any) -> Subscription:
    return Subscription.objects.create(name="billing", url=url, **fields)


def event_of(incident: Incident) -> Event:
    return Event.objects.get(incident=incident)
