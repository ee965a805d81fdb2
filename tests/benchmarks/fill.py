"""Databases: all contenders start with the same incidents, made by load_sample."""

import secrets
import time
from pathlib import Path

import jwt

from tests.benchmarks.postgres import USER, Postgres
from tests.benchmarks.processes import ROOT, run_step

PEERS = Path(__file__).parent / "peers"
SERVICE_BIN = ROOT / ".venv/bin"
SECRET = secrets.token_hex(32)
COLUMNS = "id, description, status, source, created_at, updated_at"


def environment(postgres: Postgres, database: str) -> dict[str, str]:
    """The environment variables of the service and the peers, as in production."""
    return {
        "PYTHONPATH": str(ROOT),
        "LANG": "C.UTF-8",
        "POSTGRES_HOST": "127.0.0.1",
        "POSTGRES_PORT": str(postgres.port),
        "POSTGRES_DB": database,
        "POSTGRES_USER": USER,
        "POSTGRES_PASSWORD": USER,
        "SECRET_KEY": SECRET,
        "DEBUG": "False",
        "ALLOWED_HOSTS": "127.0.0.1",
        "LOG_FILE": "-",
    }


def fill_service(postgres: Postgres, database: str, rows: int) -> str:
    """Makes the database and returns a token of the service; raises FailedError."""
    postgres.sql(f"CREATE DATABASE {database}")
    superuser = {
        "DJANGO_SUPERUSER_USERNAME": "bench",
        "DJANGO_SUPERUSER_EMAIL": "bench@example.org",
        "DJANGO_SUPERUSER_PASSWORD": secrets.token_hex(16),
    }
    for command in (
        "migrate --noinput",
        "createsuperuser --noinput",
        f"load_sample --count {rows}",
        "issue_token bench --days 1",
    ):
        arguments = [f"{SERVICE_BIN}/python", "manage.py", *command.split()]
        output = run_step(arguments, environment(postgres, database) | superuser)
    return output.split()[-1]


def fill_peers(postgres: Postgres, database: str, source: str) -> str:
    """Makes the database with the incidents of the service's and returns a token of the peers."""
    postgres.sql(f"CREATE DATABASE {database}")
    postgres.sql((PEERS / "schema.sql").read_text(), database=database)
    with postgres.connect(source) as service, postgres.connect(database) as peers:
        with (
            service.cursor().copy(f"COPY incidents_incident ({COLUMNS}) TO STDOUT".encode()) as rows,
            peers.cursor().copy(f"COPY incident ({COLUMNS}) FROM STDIN".encode()) as table,
        ):
            for data in rows:
                table.write(data)
    postgres.sql("SELECT setval('incident_id_seq', max(id)) FROM incident", database=database)
    now = int(time.time())
    claims = {"token_type": "access", "iat": now, "exp": now + 86400, "jti": "1", "user_id": "1", "sub": "1"}
    return jwt.encode(claims, SECRET, "HS256")


def copy_database(postgres: Postgres, template: str, database: str) -> None:
    postgres.sql(f"CREATE DATABASE {database} TEMPLATE {template}")
    # A copy lacks the settings that the service's migrations give its role in the database.
    settings = postgres.sql(
        "SELECT unnest(setconfig) FROM pg_db_role_setting JOIN pg_database ON pg_database.oid = setdatabase"
        f" WHERE datname = '{template}'"
    )
    for name, value in (setting.split("=", 1) for (setting,) in settings):
        postgres.sql(f"ALTER ROLE {USER} IN DATABASE {database} SET {name} = '{value}'")
