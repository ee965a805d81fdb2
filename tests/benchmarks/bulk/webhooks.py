"""Webhooks to one quick receiver, beside a loop of `requests` that signs and sends the same bodies."""

import asyncio
import multiprocessing
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.benchmarks.bulk import Comparison
from tests.benchmarks.fill import SERVICE_BIN, environment, fill_service
from tests.benchmarks.postgres import Postgres
from tests.benchmarks.processes import FailedError, run_step, start, stop

DATABASE = "bulk_webhooks"
EVENTS = 3_000
SECONDS = 120.0  # that they may take
# WHSEC_ and 32 bytes in base64, as the service makes them
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8GKYo="
SUBSCRIBE = f"""
INSERT INTO webhooks_subscription
    (name, url, events, statuses, sources, is_active, secret, cursor, failures, rest_reason)
VALUES ('quick', '{{url}}', '["incident.created"]', '[]', '[]', true, '{SECRET}', 0, 0, '')
"""
STATES = "SELECT count(*) FILTER (WHERE state = 'delivered'), count(*) FROM webhooks_event"
TOOK = "SELECT extract(epoch FROM max(attempted_at) - min(created_at)) FROM webhooks_event"
BODIES = """
SELECT json_build_object(
    'type', 'incident.created',
    'timestamp', change.at,
    'data', json_build_object('incident', to_json(incident), 'change', json_build_object(
        'at', change.at, 'actor', change.actor, 'channel', change.channel, 'changes', change.changes)))::text
FROM incidents_incidentchange change JOIN incidents_incident incident ON incident.id = incident_id
WHERE change.changes ? 'description'
"""
LOOP = f"""
import sys, time
from datetime import UTC, datetime
import requests
from standardwebhooks import Webhook
bodies = open(sys.argv[2]).read().splitlines()
session, webhook = requests.Session(), Webhook("{SECRET}")
began = time.monotonic()
for number, body in enumerate(bodies):
    now = datetime.now(UTC)
    headers = {{
        "Content-Type": "application/json",
        "webhook-id": str(number),
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": webhook.sign(str(number), now, body),
    }}
    session.post(sys.argv[1], data=body.encode(), headers=headers, timeout=15).raise_for_status()
print(len(bodies) / (time.monotonic() - began))
"""


class Receiver(asyncio.Protocol):
    """Takes requests on kept connections, and answers each at once."""

    def connection_made(self, transport: Any) -> None:
        self.transport, self.received = transport, b""

    def data_received(self, data: bytes) -> None:
        self.received += data
        head, end, body = self.received.partition(b"\r\n\r\n")
        if end and len(body) == int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0]):
            self.received = b""
            self.transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")


def receive(listener: socket.socket) -> None:
    async def serve() -> None:
        await (await asyncio.get_running_loop().create_server(Receiver, sock=listener)).serve_forever()

    asyncio.run(serve())


@contextmanager
def prepare(postgres: Postgres, directory: Path) -> Iterator[list[Comparison]]:
    fill_service(postgres, DATABASE, EVENTS)
    service = environment(postgres, DATABASE) | {"WEBHOOK_ALLOW_PRIVATE": "True"}
    bodies, listener = directory / "bodies", socket.create_server(("127.0.0.1", 0))
    bodies.write_text("\n".join(body for (body,) in postgres.sql(BODIES, database=DATABASE)))
    url = f"http://127.0.0.1:{listener.getsockname()[1]}/hook"

    def ours() -> float:
        """Counts from the first event's row to the last outcome's."""
        postgres.sql("TRUNCATE webhooks_event, webhooks_subscription", SUBSCRIBE.format(url=url), database=DATABASE)
        until = time.monotonic() + SECONDS
        while time.monotonic() < until:
            time.sleep(0.5)
            delivered, events = postgres.sql(STATES, database=DATABASE)[0]
            if delivered == events == EVENTS:
                return EVENTS / float(postgres.sql(TOOK, database=DATABASE)[0][0])
        raise FailedError(f"{delivered} of {events} events were delivered in {SECONDS:.0f} seconds.")

    def limit() -> float:
        return float(run_step([f"{SERVICE_BIN}/python", "-c", LOOP, url, str(bodies)], service))

    receiver = multiprocessing.get_context("spawn").Process(target=receive, args=[listener], daemon=True)
    receiver.start()
    jobs = start([f"{SERVICE_BIN}/python", "manage.py", "run_jobs"], directory / "jobs.log", service)
    try:
        yield [Comparison("webhooks, one quick receiver", "events/s", ours, limit, "≥ 0.7")]
    finally:
        stop(jobs)
        receiver.kill()
