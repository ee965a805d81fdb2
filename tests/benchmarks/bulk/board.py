"""
The board: at five times the incidents, and open in fifty windows instead of one; and what two hundred windows cost that
ask for news.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.benchmarks.bulk import Comparison
from tests.benchmarks.bulk.desk import Desk, served
from tests.benchmarks.postgres import Postgres

FEW, MANY = 200_000, 1_000_000
WINDOWS = 50
PERIOD = 30  # seconds, of desk/static/desk/board.js
SHARED = 20  # seconds, of desk/board.py
PAGES = 10
COMMENT = """
INSERT INTO incidents_incidentchange (incident_id, at, actor, channel, changes)
SELECT max(id), now(), 'bench', 'command', '{"comment": [null, "a"]}' FROM incidents_incident
"""
NEWS_WINDOWS = 200
NEWS_PERIOD = 20  # seconds, of desk/static/desk/news.js


@contextmanager
def prepare(postgres: Postgres, directory: Path) -> Iterator[list[Comparison]]:
    with served(postgres, directory, FEW) as few, served(postgres, directory, MANY) as many:
        unit = "ms of CPU"
        yield [
            Comparison(
                f"board opened, {MANY:,} incidents against {FEW:,}",
                unit,
                lambda: _opened(many, "SELECT"),
                lambda: _opened(few, "SELECT"),
                "≤ 2",
            ),
            Comparison(
                f"board opened after a change, {MANY:,} incidents against {FEW:,}",
                unit,
                lambda: _opened(many, COMMENT),
                lambda: _opened(few, COMMENT),
                "≤ 2",
            ),
            Comparison(
                f"board in {WINDOWS} windows for {PERIOD} s, {MANY:,} incidents against {FEW:,}",
                unit,
                lambda: _windows(many, WINDOWS),
                lambda: _windows(few, WINDOWS),
                "≤ 2",
            ),
            Comparison(
                f"board in {WINDOWS} windows against one for {PERIOD} s, {MANY:,} incidents",
                unit,
                lambda: _windows(many, WINDOWS),
                lambda: _windows(many, 1),
                "1",
            ),
            Comparison(
                f"news in {NEWS_WINDOWS} windows, against a tenth of a CPU",
                "ms of CPU a second",
                lambda: _windows(many, NEWS_WINDOWS, "news", NEWS_PERIOD) / NEWS_PERIOD,
                lambda: 100,
                "≤ 1",
            ),
        ]


def _opened(desk: Desk, statement: str) -> float:
    """Returns the milliseconds of CPU that a page takes which a person opens, after a statement."""
    with desk.instance.postgres.connect(desk.database) as connection:
        before = desk.cpu_seconds()
        for _ in range(PAGES):
            connection.execute(statement.encode())
            desk.get("/api/admin/")
        return (desk.cpu_seconds() - before) * 1000 / PAGES


def _windows(desk: Desk, windows: int, asked: str = "board", period: float = PERIOD) -> float:
    """Returns the milliseconds of CPU that as many windows take in one period, evenly spread."""
    time.sleep(SHARED)  # nothing is shared from before
    before, start = desk.cpu_seconds(), time.monotonic()
    for number in range(windows):
        desk.get(f"/api/admin/{asked}/")
        time.sleep(max(0, start + (number + 1) * period / windows - time.monotonic()))
    return (desk.cpu_seconds() - before) * 1000
