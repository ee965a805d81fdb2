"""The memory that a web worker has kept after the calls of a sender."""

import http.client
import json
from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path

import psutil

from tests.benchmarks.bulk import Comparison
from tests.benchmarks.contenders import CONTENDERS, Instance
from tests.benchmarks.fill import SERVICE_BIN, environment, fill_service
from tests.benchmarks.postgres import Postgres
from tests.benchmarks.processes import run_step

CALLS = 250
MOST = 120.0  # MB
SENDER = "memory"
# The largest of those that Django's own statement stores, and one that is stored apart.
SIZES = (1.0, 2.4)  # MB


@contextmanager
def prepare(postgres: Postgres, directory: Path) -> Iterator[list[Comparison]]:
    template = "memory_data"
    token = fill_service(postgres, template, 1)
    command = [f"{SERVICE_BIN}/python", "manage.py", "add_sender", SENDER, "--format", "alertmanager"]
    secret = run_step(command, environment(postgres, template)).split()[-1]
    (service,) = (contender for contender in CONTENDERS if contender.name == "service")
    instance = Instance(service, postgres, 1, directory / "service", token, through_nginx=False)
    try:
        instance.start(template)
        send(instance, secret, 0, 1)
        before = largest_worker(instance)
        yield [
            Comparison(
                f"memory of a web worker after {CALLS} calls of {size} MB",
                "MB",
                partial(growth, instance, secret, size, before),
                lambda: MOST,
                "≤ 1",
            )
            for size in SIZES
        ]
    finally:
        instance.stop()


def growth(instance: Instance, secret: str, size: float, before: float) -> float:
    send(instance, secret, size, CALLS)
    return largest_worker(instance) - before


def send(instance: Instance, secret: str, size: float, calls: int) -> None:
    """Sends calls of `size` MB on one connection, which one worker keeps."""
    headers = {"Authorization": f"Bearer {secret}", "Content-Type": "application/json"}
    with closing(http.client.HTTPConnection("127.0.0.1", instance.port, timeout=60)) as client:
        for number in range(calls):
            alerts = [alert(number, part) for part in range(max(1, round(size * 1_000_000 / 1_200)))]
            body = json.dumps({"version": "4", "alerts": alerts})
            client.request("POST", f"/api/v1/intake/{SENDER}/", body, headers)
            response = client.getresponse()
            if response.status != 200:
                raise RuntimeError(f"{response.status}: {response.read()!r}")
            response.read()


def alert(call: int, part: int) -> dict[str, object]:
    return {
        "status": "firing",
        "labels": {"alertname": f"Disk {part:05}", "instance": f"host{call:05}"},
        "annotations": {"description": "x" * 1_035},
        "startsAt": "2026-01-15T10:30:00Z",
    }


def largest_worker(instance: Instance) -> float:
    """MB of resident memory."""
    assert instance.process
    return max(worker.memory_info().rss for worker in psutil.Process(instance.process.pid).children()) / 1_000_000
