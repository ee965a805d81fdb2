"""
What requests, folding and vacuum cost among thirty million incidents, beside one million: `SCALE_ROWS` says how many.

`load_sample` makes 100,000 incidents with their histories, which are multiplied in SQL, with other numbers in their
texts and evenly over a year. Thirty million take 55 GB and most of an hour.
"""

import http.client
import json
import os
import statistics
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

from psycopg import Connection

from tests.benchmarks.bulk import Comparison
from tests.benchmarks.contenders import CONTENDERS, GUNICORN, Instance
from tests.benchmarks.fill import SERVICE_BIN, environment, fill_service
from tests.benchmarks.postgres import Postgres
from tests.benchmarks.processes import run_step, start

FEW, MANY = 1_000_000, int(os.environ.get("SCALE_ROWS", 30_000_000))
BASE = 100_000
REQUESTS = 100  # sequential, of which the median counts
MARK, MARKED = "Шлагбаум 17", 20
GOAL = "≤ 1.5"

PREPARE = """
CREATE TABLE base AS SELECT row_number() OVER (ORDER BY id) - 1 AS n, * FROM incidents_incident;
CREATE TABLE base_change AS
  SELECT n, change.id, at - created_at AS after, actor, channel, changes
  FROM incidents_incidentchange AS change JOIN base ON base.id = incident_id;
CREATE INDEX ON base_change (n, id);
ANALYZE base, base_change;
TRUNCATE incidents_incident, incidents_incidentchange, incidents_search, incidents_count, incidents_countdelta CASCADE
"""
INCIDENTS = f"""
INSERT INTO incidents_incident (id, description, status, source, created_at, updated_at)
SELECT %(k)s * {BASE} + n + 1,
  regexp_replace(description, '[0-9]{{6}}', (100000 + floor(random() * 900000))::int::text), status, source, began,
  began + coalesce((SELECT max(after) FROM base_change WHERE base_change.n = base.n), '0')
FROM base, LATERAL (
  SELECT now() - interval '365 days' + interval '361 days' * ((%(k)s::float8 * {BASE} + n) / %(rows)s) AS began
) AS times ORDER BY n
"""
CHANGES = f"""
INSERT INTO incidents_incidentchange (incident_id, at, actor, channel, changes)
SELECT incident.id, created_at + after, actor, channel, CASE WHEN changes ? 'description'
  THEN jsonb_set(changes, '{{description,1}}', to_jsonb(description)) ELSE changes END
FROM incidents_incident AS incident JOIN base_change AS change ON n = incident.id - 1 - %(k)s * {BASE}
WHERE incident.id > %(k)s * {BASE} AND incident.id <= (%(k)s + 1) * {BASE} ORDER BY incident.id, change.id
"""
TEXTS = f"""
INSERT INTO incidents_search SELECT id, incidents_fold(description) FROM incidents_incident
WHERE id > %(k)s * {BASE} AND id <= (%(k)s + 1) * {BASE} ORDER BY id
"""
COUNTS = """
INSERT INTO incidents_countdelta
  SELECT (created_at AT TIME ZONE 'UTC')::date, status, source, count(*) FROM incidents_incident GROUP BY 1, 2, 3;
SELECT incidents_count_fold();
DROP TABLE base, base_change;
SELECT setval(pg_get_serial_sequence('incidents_incident', 'id'), max(id)) FROM incidents_incident
"""
TABLES = "('incidents_incident', 'incidents_incidentchange', 'incidents_search')"
INDEXES = f"""
SELECT indexrelid::regclass::text, pg_get_indexdef(indexrelid) FROM pg_index
WHERE indrelid::regclass::text IN {TABLES} AND NOT indisprimary
"""
SIZES = f"""
SELECT relname, pg_relation_size(pg_class.oid), CASE WHEN amname = 'btree' THEN (bt_metap(relname)).level END
FROM pg_class LEFT JOIN pg_am ON pg_am.oid = relam
WHERE relname IN {TABLES} OR pg_class.oid IN (
  SELECT indexrelid FROM pg_index WHERE indrelid::regclass::text IN {TABLES}
) ORDER BY relkind DESC, relname
"""


def fill(postgres: Postgres, database: str, rows: int) -> None:
    """Makes the database. Raises FailedError."""
    fill_service(postgres, database, BASE)
    with connect(postgres, database) as connection:
        for statement in PREPARE.split(";"):
            connection.execute(statement.encode())
        indexes = connection.execute(INDEXES).fetchall()
        for name, _ in indexes:
            connection.execute(f"DROP INDEX {name}".encode())
        insert(postgres, database, rows, INCIDENTS)
        with ThreadPoolExecutor() as pool:
            for done in [pool.submit(insert, postgres, database, rows, sql) for sql in (CHANGES, TEXTS)]:
                done.result()
        for statement in COUNTS.split(";"):
            connection.execute(statement.encode())
        for _, definition in indexes:
            connection.execute(definition.encode())
        connection.execute("VACUUM ANALYZE")


def insert(postgres: Postgres, database: str, rows: int, sql: str) -> None:
    with connect(postgres, database) as connection:
        for k in range(rows // BASE):
            connection.execute(sql.encode(), {"k": k, "rows": rows})


def connect(postgres: Postgres, database: str) -> Connection[tuple[Any, ...]]:
    connection = postgres.connect(database)
    for setting in ("session_replication_role = replica", "maintenance_work_mem = '1GB'", "jit = off"):
        connection.execute(f"SET {setting}".encode())
    return connection


class Side:
    """A service with that many incidents."""

    def __init__(self, postgres: Postgres, directory: Path, rows: int) -> None:
        self.postgres, self.rows, self.database = postgres, rows, f"scale_{rows}"
        if not postgres.sql(f"SELECT 1 FROM pg_database WHERE datname = '{self.database}'"):
            fill(postgres, self.database, rows)
        settings = environment(postgres, self.database)
        run_step([f"{SERVICE_BIN}/python", "manage.py", "migrate", "--noinput"], settings)
        token = run_step([f"{SERVICE_BIN}/python", "manage.py", "issue_token", "bench", "--days", "1"], settings)
        self.random = Random(rows)
        self.mark()
        self.instance = Instance(CONTENDERS[0], postgres, rows, directory / str(rows), token.split()[-1], False)
        command = f"{GUNICORN} --workers 1 config.wsgi:application"
        arguments = command.format(port=self.instance.port).split()
        self.instance.environment |= {"POSTGRES_DB": self.database}
        self.instance.process = start(
            [f"{SERVICE_BIN}/{arguments[0]}", *arguments[1:]], self.instance.home / "log", self.instance.environment
        )
        self.instance.wait_until_serving()
        self.last_page = self.instance.request("GET", "?page_size=1")[1]["count"] // 100

    def mark(self) -> None:
        """Gives a text to as many incidents in each database: what a search costs depends on how often it is found."""
        step = self.rows // MARKED
        self.postgres.sql(
            f"UPDATE incidents_incident SET description = '{MARK}' WHERE id IN"
            f" (SELECT generate_series({step // 2}, {self.rows}, {step})) AND description <> '{MARK}'",
            database=self.database,
        )

    def sizes(self) -> dict[str, tuple[int, int | None]]:
        """Bytes of each table and index, and the height of the tree over its leaves."""
        self.postgres.sql("CREATE EXTENSION IF NOT EXISTS pageinspect", database=self.database)
        return {name: (size, level) for name, size, level in self.postgres.sql(SIZES, database=self.database)}

    def request(self, method: str, path: Callable[[], str], fields: Callable[[], Any] = lambda: None) -> float:
        """Returns the median of milliseconds, on one connection."""
        connection = http.client.HTTPConnection("127.0.0.1", self.instance.port, timeout=120)
        headers = {"Content-Type": "application/json", "Authorization": f"Bearer {self.instance.token}"}
        taken = []
        for _ in range(REQUESTS):
            body = json.dumps(fields()) if fields() else None
            began = time.perf_counter()
            connection.request(method, f"/api/v1/incidents/{path()}", body, headers)
            response = connection.getresponse()
            response.read()
            taken.append((time.perf_counter() - began) * 1000)
            assert response.status in (200, 201), response.status
        connection.close()
        return statistics.median(taken)

    def any_id(self) -> str:
        return f"{self.random.randrange(1, self.rows)}/"

    def any_page(self) -> str:
        return f"?page={self.random.randrange(1, self.last_page)}"

    def any_number(self) -> str:
        return f"?search={self.random.randrange(100_000, 1_000_000)}"

    def fold(self) -> float:
        """Returns the median milliseconds of merging fifty deltas, as about every fiftieth writer does."""
        deltas = "SELECT day, status, source, {} FROM incidents_count WHERE day IS NOT NULL ORDER BY day DESC LIMIT 50"
        taken = []
        for number in range(REQUESTS):
            self.postgres.sql(
                "INSERT INTO incidents_countdelta " + deltas.format(1 if number % 2 else -1), database=self.database
            )
            with self.postgres.connect(self.database) as connection:
                began = time.perf_counter()
                connection.execute("SELECT incidents_count_fold()")
                taken.append((time.perf_counter() - began) * 1000)
        return statistics.median(taken)

    def vacuum(self) -> float:
        """Returns the seconds for the table and its indexes, after a change of a thousandth of the rows."""
        change = "UPDATE incidents_incident SET updated_at = updated_at + interval '1 microsecond' WHERE id % 1000 = 0"
        self.postgres.sql(change, database=self.database)
        began = time.perf_counter()
        self.postgres.sql("VACUUM (INDEX_CLEANUP ON, PARALLEL 0) incidents_incident", database=self.database)
        return time.perf_counter() - began


def print_sizes(few: Side, many: Side) -> None:
    print(f"\n| table or index | {few.rows:,} | {many.rows:,} | levels |\n|---|---|---|---|")
    sizes = many.sizes()
    for name, (size, level) in few.sizes().items():
        larger, deeper = sizes[name]
        levels = "" if level is None else f"{level + 1} / {(deeper or 0) + 1}"
        print(f"| {name} | {size / 2**20:,.0f} MB | {larger / 2**20:,.0f} MB | {levels} |")
    print(flush=True)


@contextmanager
def prepare(postgres: Postgres, directory: Path) -> Iterator[list[Comparison]]:
    with ExitStack() as stack:
        few, many = Side(postgres, directory, FEW), Side(postgres, directory, MANY)
        for side in (few, many):
            stack.callback(side.instance.stop)
        print_sizes(few, many)
        body = {"description": "Самокат номер 471100 не в сети", "source": "operator"}
        operations: dict[str, Callable[[Side], float]] = {
            "first page": lambda side: side.request("GET", str),
            "first page of open ones": lambda side: side.request("GET", lambda: "?status=open"),
            "last page": lambda side: side.request("GET", lambda: f"?page={side.last_page}"),
            "any page": lambda side: side.request("GET", side.any_page),
            "any incident": lambda side: side.request("GET", side.any_id),
            f"search that finds {MARKED}": lambda side: side.request("GET", lambda: "?search=%D0%A8%D0%BB%D0%B0%D0%B3"),
            "search for a number": lambda side: side.request("GET", side.any_number),
            "POST": lambda side: side.request("POST", str, lambda: body),
            "PATCH of any": lambda side: side.request(
                "PATCH", side.any_id, lambda: {"status": side.random.choice(("open", "in_progress", "resolved"))}
            ),
            "merging of counts": Side.fold,
        }
        yield [
            *(
                Comparison(f"{name}, {MANY:,} against {FEW:,}", "ms", partial(run, many), partial(run, few), GOAL)
                for name, run in operations.items()
            ),
            Comparison(f"vacuum, {MANY:,} against {FEW:,}", "s", many.vacuum, few.vacuum, f"≤ {1.5 * MANY / FEW:g}"),
        ]
