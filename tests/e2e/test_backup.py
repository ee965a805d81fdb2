"""Backup and restore of the production database."""

import pytest
import requests

from tests.helpers.production import run, until

pytestmark = pytest.mark.e2e


def everything(production):
    """Every row of every table but the heartbeats, which the jobs go on writing."""
    query = "SELECT relname FROM pg_stat_user_tables WHERE relname <> 'core_heartbeat' ORDER BY 1"
    tables = production.sql(query).split()
    return {table: sorted(production.sql(f'SELECT t FROM "{table}" t').split("\n")) for table in tables}


def test_restore_brings_every_row_back(production, client):
    report = {"description": "before the backup", "source": "operator"}
    assert client.post(production.incidents, json=report).status_code == 201
    file = production.run("make", "backup").stdout.split()[-1]
    before = everything(production)
    assert before["incidents_incident"] != [""]
    refused = production.run("make", "restore", f"FILE={file}", check=False)
    assert refused.returncode and "FORCE=1 replaces them" in refused.stdout

    production.compose("rm", "--stop", "--force", "db")
    run("docker", "volume", "rm", f"{production.name}_db")
    production.run("make", "restore", f"FILE={file}")
    assert everything(production) == before

    production.sql("DELETE FROM django_session; DROP TABLE django_session")
    production.run("make", "restore", f"FILE={file}", "FORCE=1")
    assert everything(production) == before
    damaged = production.run("make", "restore", "FILE=nothing.dump", "FORCE=1", check=False)
    assert damaged.returncode and file in damaged.stdout
    until(lambda: requests.get(f"{production.url}/api/health/").status_code == 200)
