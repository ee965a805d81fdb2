"""Benchmark of the service and of the same API on other frameworks. See README.md."""

import argparse
import json
import os
import platform
import shutil
import signal
import sys
import tempfile
from collections.abc import Collection
from dataclasses import asdict
from datetime import date
from operator import attrgetter
from pathlib import Path

import psutil

from tests.benchmarks import bulk, nginx, report
from tests.benchmarks.contenders import CONTENDERS, PROCESSES, Instance
from tests.benchmarks.fill import fill_peers, fill_service
from tests.benchmarks.measure import CONNECTIONS, OPERATIONS, Sample, measure
from tests.benchmarks.postgres import Postgres
from tests.benchmarks.processes import FailedError
from tests.benchmarks.verify import verify


def parse_arguments() -> argparse.Namespace:
    def names(known: Collection[str]):
        def parse(text: str) -> list[str]:
            chosen = text.split(",")
            if unknown := set(chosen) - set(known):
                raise argparse.ArgumentTypeError(f"unknown: {', '.join(unknown)}; known: {', '.join(known)}")
            return [name for name in known if name in chosen]

        return parse

    def rows(text: str) -> list[int]:
        return [int(number) for number in text.split(",")]

    all_contenders = [contender.name for contender in CONTENDERS]
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--rows", type=rows, default=[1000], help="how many incidents, such as 1000,1000000 (1000)")
    parser.add_argument("--only", type=names(all_contenders), default=all_contenders, help=",".join(all_contenders))
    parser.add_argument("--ops", type=names(OPERATIONS), default=list(OPERATIONS), help=",".join(OPERATIONS))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--secs", type=int, default=4, help="of each sample (4)")
    parser.add_argument("--nginx", action="store_true", help="measure through nginx, as deployed")
    parser.add_argument("--bulk", action="store_true", help="measure work in bulk beside its limits, and nothing else")
    parts = bulk.PARTS + bulk.LONG_PARTS
    parser.add_argument("--parts", type=names(parts), default=list(bulk.PARTS), help=",".join(parts))
    parser.add_argument("--markdown", action="store_true", help="print the tables for the README")
    parser.add_argument("--json", metavar="FILE", type=Path, help="write every sample")
    parser.add_argument("--plot", metavar="FILE.png", type=Path, help="draw the medians")
    return parser.parse_args()


def main() -> None:
    options = parse_arguments()
    programs = {"wrk": shutil.which("wrk")} | ({"nginx": nginx.PROGRAM} if options.nginx or options.bulk else {})
    if missing := [name for name, found in programs.items() if not found]:
        sys.exit(f"Install {' and '.join(missing)} first (on Debian and Ubuntu: apt-get install {' '.join(missing)}).")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("terminated"))  # stops what was started

    samples: list[Sample] = []
    servers: dict[str, str] = {}
    with tempfile.TemporaryDirectory(prefix="incidents-benchmark-", ignore_cleanup_errors=True) as directory:
        postgres = Postgres(Path(directory) / "postgres")
        heading = (
            f"{date.today():%-d %B %Y}, {os.cpu_count()} CPUs ({cpu_model()}), "
            f"{psutil.virtual_memory().total / 2**30:.0f} GB, PostgreSQL {postgres.version.split()[0]} with fsync, "
            f"Python {platform.python_version()}, {PROCESSES} worker processes, {CONNECTIONS} connections, "
            + (f"through {nginx.version()}" if options.nginx or options.bulk else "without nginx")
        )
        print(heading, flush=True)
        try:
            if options.bulk:
                bulk.run(postgres, Path(directory), options.parts, options.rounds)
                return
            for rows in options.rows:
                measure_all(options, postgres, rows, Path(directory), samples, servers)
        finally:
            postgres.stop()
    if not samples:
        sys.exit("Nothing was measured.")
    if options.markdown:
        print_markdown(samples, servers, heading, options.rows)
    if options.json:
        options.json.write_text(json.dumps({"heading": heading, "samples": list(map(asdict, samples))}, indent=1))
    if options.plot:
        report.plot(samples, servers, heading, options.plot)


def measure_all(
    options: argparse.Namespace,
    postgres: Postgres,
    rows: int,
    directory: Path,
    samples: list[Sample],
    servers: dict[str, str],
) -> None:
    """
    Adds to the samples, and to the servers by contender.

    All contenders run at once; only the one that is measured is under load.
    """
    service, peers = f"service_data_{rows}", f"peers_data_{rows}"
    tokens = {service: fill_service(postgres, service, rows), peers: fill_peers(postgres, peers, service)}
    instances: list[Instance] = []
    own: list[Sample] = []
    try:
        for contender in [contender for contender in CONTENDERS if contender.name in options.only]:
            template = service if contender.name.startswith("service") else peers
            home = directory / f"{contender.name}_{rows}"
            instance = Instance(contender, postgres, rows, home, tokens[template], options.nginx)
            if started(instance, template):
                instances.append(instance)
                servers[contender.name] = instance.server
        for operation in options.ops if instances else []:
            if operation == "deep" and rows < 1_000_000:
                continue
            taken = list(measure(instances, operation, options.rounds, options.secs))
            print(
                f"\n{rows:,} rows, {operation}: median of {options.rounds} x {options.secs} s\n{report.details(taken)}"
            )
            sys.stdout.flush()
            own += taken
    finally:
        for instance in instances:
            instance.stop()
    samples += own
    if len(instances) > 1:
        print(f"\n{rows:,} rows: {instances[0].name}, times faster than\n{report.ratios(own)}", flush=True)


def started(instance: Instance, template: str) -> bool:
    """Whether it started with correct responses; otherwise prints why not."""
    try:
        instance.start(template)
        size = verify(instance)
    except (FailedError, OSError) as error:
        print(f"{instance.name} is left out: {error}", flush=True)
        instance.stop()
        return False
    except BaseException:
        instance.stop()
        raise
    print(f"{instance.name}: {instance.server}; its responses are right, a page has {size:,} bytes", flush=True)
    return True


def print_markdown(samples: list[Sample], servers: dict[str, str], heading: str, rows: list[int]) -> None:
    among = " / ".join(f"{number:,}" for number in sorted(rows))
    print(f"\nMeasured on {heading}: requests per second among {among} incidents.\n")
    print(report.markdown(samples, servers, attrgetter("rate"), ",.0f"))
    print("\nCPU milliseconds per request, of the server's processes:\n")
    print(report.markdown(samples, servers, attrgetter("server_cpu"), ".2f"))


def cpu_model() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.machine()


if __name__ == "__main__":
    main()
