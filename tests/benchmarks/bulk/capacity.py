"""
How many requests k processes in front of one PostgreSQL answer: a model of CPU times, beside what is measured.

The limit is the model: `min(processes / w, cores / (w + p + l))`, with the CPU seconds that a request takes of the
service (w), of PostgreSQL (p) and of wrk (l), measured with one process, whose Python code runs on one core at a time.
"""

import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import cache, partial
from pathlib import Path
from typing import NamedTuple

import psutil

from tests.benchmarks.bulk import Comparison
from tests.benchmarks.contenders import CONTENDERS, GUNICORN, PROCESSES, Instance
from tests.benchmarks.fill import SERVICE_BIN, environment, fill_service
from tests.benchmarks.measure import parse_wrk, start_wrk
from tests.benchmarks.postgres import Postgres
from tests.benchmarks.processes import FailedError, cpu_seconds, run_step

ROWS, SECONDS = 1_000, 4
OPERATIONS = ("list", "get", "change", "create", "alert")
NUMBERS = (1, 2, 4)


class Load(NamedTuple):
    """Of a second under full load: requests, and CPU milliseconds of each of them."""

    rate: float
    service: float
    postgres: float
    wrk: float


@contextmanager
def prepare(postgres: Postgres, directory: Path) -> Iterator[list[Comparison]]:
    token = fill_service(postgres, "capacity", ROWS)
    command = [f"{SERVICE_BIN}/python", "manage.py", "add_sender", "bench", "--format", "alertmanager"]
    secret = run_step(command, environment(postgres, "capacity")).split()[-1]
    instances = {}
    try:
        for number in NUMBERS:
            gunicorn = GUNICORN.replace(f"--workers {PROCESSES}", f"--workers {number}")
            contender = replace(CONTENDERS[0], name=f"service_{number}", command=f"{gunicorn} config.wsgi:application")
            instances[number] = Instance(contender, postgres, ROWS, directory / contender.name, token, False)
            instances[number].start("capacity")

        def measured(operation: str, number: int) -> Load:
            instance = instances[number]
            instance.token = secret if operation == "alert" else token
            return load(instance, operation)

        of_one = cache(lambda operation: measured(operation, 1))

        def model(operation: str, number: int) -> float:
            one = of_one(operation)
            all_of_it = one.service + one.postgres + one.wrk
            return 1000 * min(number / one.service, len(os.sched_getaffinity(0)) / all_of_it)

        for operation in OPERATIONS:
            one = of_one(operation)
            print(f"| {operation} | {one.service:.2f} + {one.postgres:.2f} ms | {one.wrk:.2f} ms of wrk |", flush=True)
        yield [
            Comparison(
                f"{operation}, {number} processes",
                "requests/s",
                lambda operation=operation, number=number: measured(operation, number).rate,  # type: ignore[misc]
                partial(model, operation, number),
                "0.8 to 1.2",
            )
            for operation in OPERATIONS
            for number in NUMBERS
        ]
    finally:
        for instance in instances.values():
            instance.stop()


def load(instance: Instance, operation: str) -> Load:
    assert instance.process
    pids = (instance.process.pid, instance.postgres.pid)
    start_wrk(instance, operation, 1).communicate()  # warms up
    before = [cpu_seconds(pid) for pid in pids]
    wrk = start_wrk(instance, operation, SECONDS)
    time.sleep(SECONDS - 0.2)
    generator = sum(psutil.Process(wrk.pid).cpu_times()[:2]) * SECONDS / (SECONDS - 0.2)
    result = parse_wrk(wrk.communicate()[0])
    if result["errors"] or not result["requests"]:
        raise FailedError(f"{operation}: {json.dumps(result)}")
    after = [cpu_seconds(pid) for pid in pids]
    spent = [
        sum(total - first.get(pid, 0) for pid, total in last.items()) for first, last in zip(before, after, strict=True)
    ]
    each = [1000 * seconds / result["requests"] for seconds in (*spent, generator)]
    return Load(result["requests"] / result["seconds"], *each)
