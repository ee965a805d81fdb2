"""Samples of throughput, latency and CPU time."""

import json
import os
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.benchmarks.contenders import PATH, PROCESSES, Instance
from tests.benchmarks.processes import connections, cpu_seconds, system_times

CONNECTIONS = 16
# Reads come first, on the data as they were filled in.
OPERATIONS = {
    "list": "",
    "list_open": "?status=open",
    "get": "",
    "deep": "?page=5000",
    "change": "",
    "create": "",
}


@dataclass(frozen=True)
class Sample:
    rows: int
    operation: str
    contender: str
    round: int
    rate: float  # requests per second
    p50: float  # milliseconds under full load
    p99: float
    errors: int
    # CPU milliseconds per request
    server_cpu: float
    postgres_cpu: float
    nginx_cpu: float
    # Shares of the machine's CPU time
    idle: float
    other: float  # used by other programs
    held: list[int]  # connections by process, most first
    fair: bool


def measure(instances: list[Instance], operation: str, rounds: int, seconds: int) -> Iterator[Sample]:
    """
    Rounds in which each is measured once, in rotating order.

    A sample that is not fair (errors, uneven workers, others on the CPU) is taken again, at most twice.
    """
    for instance in instances:
        take_sample(instance, operation, 0, 1)  # warms up
    for number in range(rounds):
        first = number % len(instances)
        for instance in instances[first:] + instances[:first]:
            for _ in range(3):
                sample = take_sample(instance, operation, number, seconds)
                if sample.fair:
                    break
            yield sample
    if operation in ("change", "create"):
        for instance in instances:
            instance.postgres.sql("VACUUM", "CHECKPOINT", database=instance.database)


def take_sample(instance: Instance, operation: str, number: int, seconds: int) -> Sample:
    assert instance.process
    pids = {"server": instance.process.pid, "postgres": instance.postgres.pid}
    if instance.nginx:
        pids["nginx"] = instance.nginx.pid
    # A socket that the workers share may give most connections to one of them: the clients connect anew until each
    # worker holds a fair part. nginx opens connections of its own.
    for attempt in range(40):
        instance.postgres.wait_until_idle()
        before, system = {name: cpu_seconds(pid) for name, pid in pids.items()}, system_times()
        wrk = start_wrk(instance, operation, seconds)
        try:
            time.sleep(0.15)
            held = connections(before["server"], instance.port)[:PROCESSES]
            keeps_connections = sum(held) >= CONNECTIONS * 0.75
            if instance.nginx or not keeps_connections or held[-1] >= CONNECTIONS * 0.3 or attempt == 39:
                output = wrk.communicate()[0]
                break
        finally:
            wrk.kill()
            wrk.wait()
    after, system_after = {name: cpu_seconds(pid) for name, pid in pids.items()}, system_times()

    result = parse_wrk(output)
    # A process that ended meanwhile is left out.
    spent = {
        name: [total - before[name].get(pid, 0) for pid, total in processes.items()]
        for name, processes in after.items()
    }
    workers = sorted([*spent["server"], 0, 0], reverse=True)
    elapsed = max(system_after.total - system.total, 0.01)
    idle = system_after.idle - system.idle
    known = idle + system_after.load_generator - system.load_generator + sum(map(sum, spent.values()))
    other = max(0, elapsed - known) / elapsed
    # A server that is not what limits the rate may leave a worker idle; how nginx spreads its connections is part of a
    # deployment.
    balanced = bool(instance.nginx) or workers[1] > workers[0] / 2 or sum(workers) < 0.3 * seconds

    def milliseconds(name: str) -> float:
        return 1000 * sum(spent.get(name, [])) / max(result["requests"], 1)

    return Sample(
        rows=instance.rows,
        operation=operation,
        contender=instance.name,
        round=number,
        rate=result["requests"] / result["seconds"],
        p50=result["p50"],
        p99=result["p99"],
        errors=result["errors"],
        server_cpu=milliseconds("server"),
        postgres_cpu=milliseconds("postgres"),
        nginx_cpu=milliseconds("nginx"),
        idle=idle / elapsed,
        other=other,
        held=held,
        fair=balanced and other < 0.1 and not result["errors"],
    )


def start_wrk(instance: Instance, operation: str, seconds: int) -> subprocess.Popen[str]:
    url = f"http://127.0.0.1:{instance.client_port}{PATH}{OPERATIONS.get(operation, '')}"
    script = str(Path(__file__).parent / "wrk.lua")
    return subprocess.Popen(
        ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", "--timeout", "60s", "-s", script, url],
        env=os.environ | {"OPERATION": operation, "TOKEN": instance.token, "ROWS": str(instance.rows)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def parse_wrk(output: str) -> dict[str, Any]:
    """The result of wrk.lua; an error where there is none, as when the server is gone."""
    for line in output.splitlines():
        if line.startswith("RESULT "):
            return json.loads(line.removeprefix("RESULT "))
    return {"requests": 0, "seconds": 1, "p50": 0, "p99": 0, "errors": 1}
