"""The operators' desk of a service, for the parts that measure its pages."""

import http.client
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks.contenders import CONTENDERS, Instance
from tests.benchmarks.fill import SERVICE_BIN, fill_service
from tests.benchmarks.postgres import Postgres
from tests.benchmarks.processes import cpu_seconds, run_step

SESSION = """
from django.test import Client
from identity.models import User
client = Client()
client.force_login(User.objects.get(username="bench"))
print(client.cookies["sessionid"].value)
"""


@dataclass(frozen=True)
class Desk:
    instance: Instance
    session: str

    @property
    def database(self) -> str:
        return self.instance.database

    def get(self, path: str) -> None:
        """Reads a page to its end, as who is logged in; raises AssertionError unless it is there."""
        connection = http.client.HTTPConnection("127.0.0.1", self.instance.port, timeout=120)
        connection.request("GET", path, headers={"Cookie": f"sessionid={self.session}", "Accept-Language": "ru"})
        response = connection.getresponse()
        assert response.status == 200, response.status
        while response.read(1 << 20):
            pass
        connection.close()

    def cpu_seconds(self) -> float:
        """Of the service and PostgreSQL until now."""
        assert self.instance.process
        pids = (self.instance.process.pid, self.instance.postgres.pid)
        return sum(sum(cpu_seconds(pid).values()) for pid in pids)


@contextmanager
def served(postgres: Postgres, directory: Path, rows: int) -> Iterator[Desk]:
    """Serves that many incidents; raises FailedError."""
    template = f"desk_{directory.name}_{rows}"
    token = fill_service(postgres, template, rows)
    instance = Instance(CONTENDERS[0], postgres, rows, directory / f"service_{rows}", token, through_nginx=False)
    try:
        instance.start(template)
        settings = instance.environment | {"PATH": os.environ["PATH"]}
        output = run_step([f"{SERVICE_BIN}/python", "manage.py", "shell", "--no-imports", "-c", SESSION], settings)
        yield Desk(instance, output.split()[-1])
    finally:
        instance.stop()
        # Other parts serve databases of the same names.
        postgres.sql(
            *(f"DROP DATABASE IF EXISTS {database} WITH (FORCE)" for database in (instance.database, template))
        )
