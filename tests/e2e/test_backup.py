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


def files(production):
    """The attachments, by their digests, with what they may be read and written by."""
    command = "cd /attachments && find . -type f -exec sha256sum {} + -exec stat -c '%n %a %u:%g' {} + | sort"
    return production.compose("exec", "-T", "web", "sh", "-c", command).stdout


def attach(production, incident, name, content):
    """Stores a file as the API does."""
    code = f"""
from django.core.files.base import ContentFile
from incidents.actors import Named
from incidents.attachments.services import add_attachment, save_file
stored = save_file(ContentFile({content!r}))
add_attachment(incident_id={incident}, stored=stored, name={name!r}, actor=Named("operator"), channel="api")
"""
    production.compose("exec", "-T", "web", "python", "manage.py", "shell", "--no-imports", "-c", code)


def test_restore_brings_every_row_back(production, client):
    report = {"description": "before the backup", "source": "operator"}
    made = client.post(production.incidents, json=report)
    assert made.status_code == 201
    incident = made.json()["id"]
    attach(production, incident, "a.jpg", b"photo")
    attach(production, incident, "b.bin", bytes(range(256)) * 100)
    said = production.run("make", "backup").stdout
    file = said.split()[-1]
    assert f"{file.removesuffix('.dump')}.attachments.tar: 2 attachments" in said
    before, attached = everything(production), files(production)
    assert attached.count(" 640 10001:10001") == 2
    assert before["incidents_incident"] != [""]
    refused = production.run("make", "restore", f"FILE={file}", check=False)
    assert refused.returncode and "FORCE=1 replaces them" in refused.stdout

    production.compose("rm", "--stop", "--force", "db")
    run("docker", "volume", "rm", f"{production.name}_db")
    production.compose("exec", "-T", "web", "find", "/attachments", "-mindepth", "1", "-delete")
    restored = production.run("make", "restore", f"FILE={file}").stdout
    assert f"Restored {file.removesuffix('.dump')}.attachments.tar." in restored
    assert everything(production) == before
    assert files(production) == attached
    # The service goes on writing into folders that were restored.
    attach(production, incident, "c.bin", b"later")
    assert files(production).count(" 640 10001:10001") == 3

    production.sql("DELETE FROM django_session; DROP TABLE django_session")
    production.run("make", "restore", f"FILE={file}", "FORCE=1")
    assert everything(production) == before
    damaged = production.run("make", "restore", "FILE=nothing.dump", "FORCE=1", check=False)
    assert damaged.returncode and file in damaged.stdout
    until(lambda: requests.get(f"{production.url}/api/health/").status_code == 200)
