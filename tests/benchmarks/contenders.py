"""The contenders, and how each is filled, started and called."""

import http.client
import json
import os
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.benchmarks.fill import PEERS, SERVICE_BIN, copy_database, environment
from tests.benchmarks.nginx import start_nginx
from tests.benchmarks.postgres import Postgres
from tests.benchmarks.processes import FailedError, free_port, last_lines, run_step, start, stop

PROCESSES = 2
PATH = "/api/v1/incidents/"
PEERS_BIN = Path(sys.prefix) / "bin"
# All WSGI applications run under the service's configuration.
GUNICORN = f"gunicorn --config docker/gunicorn.conf.py --workers {PROCESSES} --bind 127.0.0.1:{{port}}"
# As in docker/serve.
GRANIAN = (
    f"granian --host 127.0.0.1 --port {{port}} --interface wsgi --http 1 --no-ws --workers {PROCESSES}"
    " --blocking-threads 2 --backlog 4096 --backpressure 500 --log-level warning"
)
DJANGO = f"{GUNICORN} django.core.wsgi:get_wsgi_application()"


@dataclass(frozen=True)
class Contender:
    name: str
    title: str
    command: str
    server: str = ""  # processes x threads; empty: gunicorn, as its configuration has it
    bin: Path = PEERS_BIN
    module: str = ""  # below peers/, the root URL configuration of Django's
    schema: str = ""  # below peers/, SQL in addition to the peers' tables


CONTENDERS = [
    Contender("service", "**this service**", f"{GUNICORN} config.wsgi:application", bin=SERVICE_BIN),
    Contender(
        "service_granian",
        "**this service**",
        f"{GRANIAN} config.wsgi:application",
        server=f"granian {PROCESSES}x2",
        bin=SERVICE_BIN,
    ),
    Contender(
        "bare",
        "bare WSGI function",
        f"{GUNICORN} tests.benchmarks.peers.bare:application",
        bin=SERVICE_BIN,
        schema="bare.sql",
    ),
    Contender(
        "django_bolt",
        "django-bolt",
        f"python -m django runbolt --host 127.0.0.1 --port {{port}} --processes {PROCESSES} --no-admin",
        server=f"runbolt, {PROCESSES} processes",
        module="bolt_api",
    ),
    Contender(
        "fastapi",
        "FastAPI, SQLAlchemy, asyncpg",
        f"uvicorn tests.benchmarks.peers.fastapi_api:app --port {{port}} --workers {PROCESSES} --no-access-log",
        server=f"uvicorn, {PROCESSES} processes",
    ),
    Contender("django_ninja", "django-ninja", DJANGO, module="ninja_api"),
    Contender("plain_drf", "REST framework, plain", DJANGO, bin=SERVICE_BIN, module="drf_api"),
]


@dataclass
class Instance:
    """A contender with its own database, and optionally its own nginx."""

    contender: Contender
    postgres: Postgres
    rows: int
    home: Path
    token: str
    through_nginx: bool
    port: int = field(default_factory=free_port)
    server: str = ""
    process: subprocess.Popen[bytes] | None = None
    nginx: subprocess.Popen[bytes] | None = None

    def __post_init__(self) -> None:
        self.home.mkdir()
        self.name = self.contender.name
        self.database = f"{self.name}_{self.rows}"
        self.client_port = self.port
        self.environment = environment(self.postgres, self.database) | {
            "PATH": f"{self.contender.bin}:{os.environ['PATH']}",
            "TRUSTED_PROXIES": "1" if self.through_nginx else "0",
            "PEER": self.contender.module,
        }
        if self.contender.module:
            self.environment["DJANGO_SETTINGS_MODULE"] = "tests.benchmarks.peers.settings"

    def start(self, template: str) -> None:
        """Serves from a copy of the template; raises FailedError."""
        copy_database(self.postgres, template, self.database)
        if self.contender.schema:
            self.postgres.sql((PEERS / self.contender.schema).read_text(), database=self.database)
        self.postgres.sql("VACUUM ANALYZE", "CHECKPOINT", database=self.database)
        self.server = self.contender.server or gunicorn_server(self.environment)
        command = self.contender.command.format(port=self.port).split()
        self.process = start([str(self.contender.bin / command[0]), *command[1:]], self.home / "log", self.environment)
        self.wait_until_serving()
        if self.through_nginx:
            self.client_port = free_port()
            self.nginx = start_nginx(self.home / "nginx", self.client_port, f"127.0.0.1:{self.port}")
            self.wait_until_serving()

    def wait_until_serving(self) -> None:
        processes = [process for process in (self.process, self.nginx) if process]
        for _ in range(300):
            with suppress(OSError, http.client.HTTPException):
                if self.request("GET")[0] == 200:
                    return
            if any(process.poll() is not None for process in processes):
                break
            time.sleep(0.1)
        log = self.home / ("nginx/log" if self.nginx else "log")
        raise FailedError(f"it does not serve:\n{last_lines(log.read_text())}")

    def request(self, method: str, path: str = "", fields: Any = None, token: bool = True) -> tuple[int, Any, int]:
        """The response's status, its JSON and its size in bytes."""
        connection = http.client.HTTPConnection("127.0.0.1", self.client_port, timeout=60)
        headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {self.token}"} if token else {})
        connection.request(method, PATH + path, json.dumps(fields) if fields else None, headers)
        response = connection.getresponse()
        body = response.read()
        connection.close()
        try:
            return response.status, json.loads(body), len(body)
        except ValueError:
            raise FailedError(f"{method} {path}: {response.status} {body[:300]!r} is no JSON") from None

    def stop(self) -> None:
        for process in (self.nginx, self.process):
            if process:
                stop(process)


def gunicorn_server(variables: dict[str, str]) -> str:
    """Such as "gunicorn gthread 2x2": processes by threads."""
    command = [*GUNICORN.format(port=0).split(), "--print-config", "tests.benchmarks.peers.bare:application"]
    return describe_gunicorn(run_step([str(SERVICE_BIN / command[0]), *command[1:]], variables))


def describe_gunicorn(printed: str) -> str:
    settings = {}
    for line in printed.splitlines():
        name, _, value = line.partition("=")
        settings[name.strip()] = value.strip()
    return f"gunicorn gthread {settings['workers']}x{settings['threads']}"
