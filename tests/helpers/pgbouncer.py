"""Real PgBouncers before a PostgreSQL of the tests: the host's, and a newer one in a container."""

import os
import pwd
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import Any

import psycopg

from tests.helpers.production import run
from tests.helpers.servers import Postgres, free_port, wait_until

# As in the image of PostgreSQL that the production compose file names: Debian 13 has PgBouncer 1.24.
DOCKERFILE = "FROM postgres:17\nRUN apt-get update && apt-get install --yes --no-install-recommends pgbouncer\n"
IMAGE = "incidents-e2e-pgbouncer"


class PgBouncer:
    """Pools transactions, unless `settings` say otherwise."""

    keeps_statements_apart: bool

    def __init__(self, home: Path, postgres: Postgres, *, container: bool = False, **settings: str) -> None:
        self.port = free_port()
        self.name = f"{IMAGE}-{self.port}"
        home.mkdir()
        values = {
            "listen_addr": "127.0.0.1",
            "listen_port": str(self.port),
            "unix_socket_dir": "",
            "auth_type": "any",
            "pool_mode": "transaction",
            "default_pool_size": "4",
        } | settings
        lines = [
            "[databases]",
            f"* = host=127.0.0.1 port={postgres.port} user=postgres",
            "[pgbouncer]",
            *(f"{name} = {value}" for name, value in values.items()),
        ]
        (home / "pgbouncer.ini").write_text("\n".join([*lines, ""]))
        command: list[Any] = ["pgbouncer", home / "pgbouncer.ini"]
        owner: dict[str, Any] = {}
        if container:
            run("docker", "build", "--tag", IMAGE, "-", input=DOCKERFILE)
            options = ["--rm", "--network=host", "--user=postgres", f"--name={self.name}", f"--volume={home}:{home}:ro"]
            command = ["docker", "run", *options, "--entrypoint=pgbouncer", IMAGE, home / "pgbouncer.ini"]
        elif os.geteuid() == 0:  # it refuses to run as root
            nobody = pwd.getpwnam("nobody")
            owner = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
        with (home / "log").open("w") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log, **owner)
        wait_until(self.is_up, 60)

    def connect(self) -> psycopg.Connection[Any]:
        return psycopg.connect(host="127.0.0.1", port=self.port, user="postgres", dbname="postgres", autocommit=True)

    def is_up(self) -> bool:
        with suppress(psycopg.OperationalError):
            self.connect().close()
            return True
        return False

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(30)
