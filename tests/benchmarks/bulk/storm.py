"""
A storm of alerts: stored calls of 500 become incidents, and then resolved, in the process of the jobs.

The limits are COPY of the same incidents, history and episodes by 500, and one statement that ends 500. What a part
costs in one large call is compared with calls of 1,000. Of 10,000 alerts each; the large call has 20,000.
"""

import json
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple
from uuid import uuid4

from psycopg import Connection

from tests.benchmarks.bulk import Comparison
from tests.benchmarks.fill import SERVICE_BIN, environment, fill_service
from tests.benchmarks.postgres import Postgres
from tests.benchmarks.processes import run_step

ALERTS, CALL, LARGE_CALL = 10_000, 500, 20_000
STARTED_AT = datetime(2026, 1, 15, 10, tzinfo=UTC)
PROCESS = """
import json, time, django
django.setup()
from intake import inbox
started, cpu = time.monotonic(), time.process_time()
while inbox.process_pending():
    pass
print(json.dumps([time.monotonic() - started, time.process_time() - cpu]))
"""
SENDER = """
INSERT INTO intake_sender (name, format, source, secret_hash, sentry_client_secret, is_active, reopen_within_minutes,
  description_path, dedup_path, resolved, has_faults)
VALUES ('alertmanager', 'alertmanager', 'monitoring', ''::bytea, '', true, 0, '', '', '', false) RETURNING id
"""
STORE = """
INSERT INTO intake_delivery (channel, sender_id, external_id, body, content_type, request_id, received_at, state,
  parts_done, faults, warnings, notes)
VALUES ('alertmanager', %s, %s, %s, 'application/json', %s, now(), %s, 0, 0, 0, '') RETURNING id
"""
END = """
WITH ended AS (
  UPDATE intake_episode SET ended_at = now(), closed_at = now(), closed_by_id = %s WHERE id = ANY(%s)
  RETURNING incident_id
), incident AS (
  UPDATE incidents_incident SET status = 'resolved', updated_at = greatest(now(), updated_at + interval '1 microsecond')
  FROM ended WHERE id = incident_id AND status <> 'closed' RETURNING id
)
INSERT INTO incidents_incidentchange (incident_id, at, actor, channel, changes, request_id)
SELECT id, now(), 'alertmanager', 'alertmanager', '{"status": ["open", "resolved"]}', %s FROM incident
"""


class Cost(NamedTuple):
    seconds: float
    cpu_seconds: float  # of Python


class Storm:
    def __init__(self, connection: Connection[Any], environment: dict[str, str]) -> None:
        self.connection = connection
        self.environment = environment
        ((self.sender,),) = connection.execute(SENDER).fetchall()

    def send(self, size: int, count: int, run: str, status: str = "firing") -> Cost:
        """Stores `count` calls of `size` alerts, whose fingerprints begin with `run`, and has them processed."""
        for first in range(0, size * count, size):
            call = {"version": "4", "alerts": [alert(run, first + number, status) for number in range(size)]}
            self._store(json.dumps(call, ensure_ascii=False).encode(), "pending")
        output = run_step([f"{SERVICE_BIN}/python", "-c", PROCESS], self.environment)
        return Cost(*json.loads(output.splitlines()[-1]))

    def fire(self) -> float:
        return ALERTS / self.send(CALL, ALERTS // CALL, uuid4().hex).seconds

    def resolve(self) -> float:
        run = uuid4().hex
        self.send(CALL, ALERTS // CALL, run)
        return ALERTS / self.send(CALL, ALERTS // CALL, run, "resolved").seconds

    def copy(self) -> float:
        return ALERTS / self._copy(self._store(b"", "processed"), uuid4().hex)

    def end(self) -> float:
        run, delivery = uuid4().hex, self._store(b"", "processed")
        self._copy(delivery, run)
        rows = self.connection.execute("SELECT id FROM intake_episode WHERE opened_by_id = %s ORDER BY id", [delivery])
        ids = [pk for (pk,) in rows]
        started = time.monotonic()
        for first in range(0, ALERTS, CALL):
            self.connection.execute(END, [delivery, ids[first : first + CALL], run])
        return ALERTS / (time.monotonic() - started)

    def cpu(self, size: int, count: int, *, repeated: bool = False) -> float:
        run = uuid4().hex
        cost = self.send(size, count, run)
        if repeated:
            cost = self.send(size, count, run)
        return cost.cpu_seconds / size / count * 1e6

    def _store(self, body: bytes, state: str) -> int:
        values = [self.sender, uuid4().hex, body, uuid4().hex, state]
        ((pk,),) = self.connection.execute(STORE, values).fetchall()
        return pk

    def _copy(self, delivery: int, run: str) -> float:
        sql = "SELECT nextval(pg_get_serial_sequence('incidents_incident', 'id')) FROM generate_series(1, %s)"
        incidents, changes, episodes = [], [], []
        for number, (pk,) in enumerate(self.connection.execute(sql, [ALERTS]).fetchall()):
            text = description(alert(run, number, "firing"))
            now = datetime.now(UTC)
            created = {"description": [None, text], "status": [None, "open"], "source": [None, "monitoring"]}
            incidents.append((pk, text, "open", "monitoring", STARTED_AT, now))
            changes.append((pk, STARTED_AT, "alertmanager", "alertmanager", json.dumps(created), run))
            episodes.append((self.sender, f"{run}{number}", pk, delivery, number, STARTED_AT))
        started = time.monotonic()
        for first in range(0, ALERTS, CALL):
            batch = slice(first, first + CALL)
            with self.connection.transaction():
                self._insert(
                    "incidents_incident (id, description, status, source, created_at, updated_at)", incidents[batch]
                )
                table = "incidents_incidentchange (incident_id, at, actor, channel, changes, request_id)"
                self._insert(table, changes[batch])
                table = "intake_episode (sender_id, fingerprint, incident_id, opened_by_id, part, started_at)"
                self._insert(table, episodes[batch])
        return time.monotonic() - started

    def _insert(self, table: str, rows: Sequence[tuple[Any, ...]]) -> None:
        with self.connection.cursor().copy(f"COPY {table} FROM STDIN".encode()) as copy:
            for row in rows:
                copy.write_row(row)


def alert(run: str, number: int, status: str) -> dict[str, Any]:
    return {
        "status": status,
        "labels": {"alertname": "HostOutOfDiskSpace", "instance": f"db{number}:9100", "severity": "critical"},
        "annotations": {
            "summary": f"На сервере db{number} заканчивается место",
            "description": f"Заполнено {number % 100} % раздела /data, осталось {number * 7919 % 1000} МБ.",
        },
        "startsAt": f"{STARTED_AT:%FT%TZ}",
        "endsAt": "2026-01-15T11:00:00Z" if status == "resolved" else "0001-01-01T00:00:00Z",
        "generatorURL": f"http://prometheus:9090/graph?g0.expr=disk{number}",
        "fingerprint": f"{run}{number}",
    }


def description(alert: dict[str, Any]) -> str:
    """Returns what the service makes of it."""
    labels, annotations = alert["labels"], alert["annotations"]
    lines = [f"{labels['alertname']}: {annotations['summary']}", annotations["description"]]
    lines.append(f"generatorURL: {alert['generatorURL']}")
    return "\n".join([*lines, *(f"{key}: {labels[key]}" for key in ("instance", "severity"))])


@contextmanager
def prepare(postgres: Postgres, directory: Path) -> Iterator[list[Comparison]]:
    fill_service(postgres, "storm", 1_000)
    settings = environment(postgres, "storm") | {"DJANGO_SETTINGS_MODULE": "config.settings"}
    with postgres.connect("storm") as connection:
        storm = Storm(connection, settings)

        def per_part(name: str, goal: str, *, repeated: bool) -> Comparison:
            large: Callable[[], float] = lambda: storm.cpu(LARGE_CALL, 1, repeated=repeated)  # noqa: E731
            small: Callable[[], float] = lambda: storm.cpu(1_000, 5, repeated=repeated)  # noqa: E731
            return Comparison(name, "µs", large, small, goal)

        yield [
            Comparison("storm, firing", "alerts/s", storm.fire, storm.copy, "≥ 0.6"),
            Comparison("storm, resolved", "alerts/s", storm.resolve, storm.end, "≥ 0.4"),
            per_part("Python for a part of a large call", "≤ 1.3", repeated=False),
            per_part("Python for a repeated part of a large call", "≤ 2", repeated=True),
        ]
