"""The processes of a run: starting, stopping, and the CPU time they take."""

import os
import signal
import socket
import subprocess
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import psutil

ROOT = Path(__file__).resolve().parents[2]


class FailedError(Exception):
    """A contender cannot be measured: the step that failed, and the end of its output."""


class SystemTimes(NamedTuple):
    total: float  # CPU seconds of the whole machine since it started
    idle: float
    load_generator: float  # of this process and the children that it has waited for


def run_step(command: list[str], environment: dict[str, str]) -> str:
    """The output of a command in the repository's root; raises FailedError."""
    done = subprocess.run(command, cwd=ROOT, env=environment, text=True, stdout=-1, stderr=subprocess.STDOUT)
    if done.returncode:
        raise FailedError(f"{' '.join(command)} failed with {done.returncode}:\n{last_lines(done.stdout)}")
    return done.stdout


def start(command: list[str], log: Path, environment: dict[str, str]) -> subprocess.Popen[bytes]:
    """A process group of its own, in the repository's root."""
    with log.open("wb") as file:
        return subprocess.Popen(
            command, cwd=ROOT, env=environment, stdout=file, stderr=subprocess.STDOUT, start_new_session=True
        )


def stop(process: subprocess.Popen[bytes]) -> None:
    for number in (signal.SIGTERM, signal.SIGKILL):
        with suppress(ProcessLookupError, subprocess.TimeoutExpired):
            os.killpg(process.pid, number)
            process.wait(15)


def last_lines(text: str) -> str:
    return "\n".join(text.splitlines()[-12:])


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def cpu_seconds(pid: int) -> dict[int, float]:
    """Of the process, with the children that it has waited for, and of each of its descendants; empty if it is gone."""
    seconds: dict[int, float] = {}
    with suppress(psutil.NoSuchProcess):
        process = psutil.Process(pid)
        seconds[pid] = sum(process.cpu_times()[:4])
        for child in process.children(recursive=True):
            with suppress(psutil.NoSuchProcess):
                seconds[child.pid] = sum(child.cpu_times()[:2])
    return seconds


def system_times() -> SystemTimes:
    times = psutil.cpu_times()
    # The first eight: what guests take is part of "user" already.
    return SystemTimes(sum(times[:8]), times.idle + times.iowait, sum(os.times()[:4]))


def connections(pids: Iterable[int], port: int) -> list[int]:
    """How many connections of clients to the port each process holds, the most first."""

    def held(pid: int) -> int:
        with suppress(psutil.NoSuchProcess):
            found: list[Any] = psutil.Process(pid).net_connections("tcp")
            return sum(c.status == psutil.CONN_ESTABLISHED and c.laddr.port == port for c in found)
        return 0

    return sorted(map(held, pids), reverse=True)
