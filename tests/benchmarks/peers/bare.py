"""
A WSGI function without a framework: psycopg with prepared binary statements, orjson, PyJWT.

Exact counts come from incident_count (kept by triggers, folded here), and each write has one history row: see bare.sql.
"""

import threading
from os import environ
from urllib.parse import parse_qs

import jwt
import orjson
import psycopg

DSN = psycopg.conninfo.make_conninfo(
    host=environ["POSTGRES_HOST"],
    port=environ["POSTGRES_PORT"],
    dbname=environ["POSTGRES_DB"],
    user=environ["POSTGRES_USER"],
    password=environ["POSTGRES_PASSWORD"],
    options="-c timezone=UTC",
)
FIELDS = ("id", "description", "status", "source", "created_at", "updated_at")
COLS = ", ".join(FIELDS)
STATUSES, SOURCES = {"open", "in_progress", "resolved", "closed"}, {"operator", "monitoring", "partner"}
HISTORY = "INSERT INTO incident_change (incident_id, at, actor, channel, changes)"
CREATE = f"""WITH i AS (INSERT INTO incident (description, status, source) VALUES (%s, %s, %s) RETURNING {COLS}),
 h AS ({HISTORY} SELECT id, now(), %s, 'api', jsonb_build_object('status', jsonb_build_array(NULL, status)) FROM i)
 SELECT {COLS} FROM i"""
CHANGE = f"""WITH o AS (SELECT id AS oid, status AS old FROM incident WHERE id = %s FOR UPDATE),
 u AS (UPDATE incident SET status = %s, updated_at = now() FROM o WHERE id = oid RETURNING {COLS}, old),
 h AS ({HISTORY} SELECT id, now(), %s, 'api', jsonb_build_object('status', jsonb_build_array(old, status)) FROM u)
 SELECT {COLS} FROM u"""
local = threading.local()


def application(env, start):
    try:
        status, data = handle(env)
    except jwt.InvalidTokenError:
        status, data = "401 Unauthorized", {"detail": "Invalid token"}
    body = orjson.dumps(data, option=orjson.OPT_UTC_Z | orjson.OPT_OMIT_MICROSECONDS)
    start(status, [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
    return [body]


def handle(env):
    token = env.get("HTTP_AUTHORIZATION", "").removeprefix("Bearer ")
    user_id = int(jwt.decode(token, environ["SECRET_KEY"], algorithms=["HS256"])["user_id"])
    if not hasattr(local, "db"):  # one kept connection for each thread
        local.db = psycopg.connect(DSN, autocommit=True, prepare_threshold=0).cursor(binary=True)
    db = local.db
    user = db.execute("SELECT is_active, username FROM auth_user WHERE id = %s", (user_id,)).fetchone()
    if not user or not user[0]:
        return "401 Unauthorized", {"detail": "User is inactive"}
    key, method = env["PATH_INFO"].removeprefix("/api/v1/incidents/").rstrip("/"), env["REQUEST_METHOD"]
    if method == "GET":
        return one(db.execute(f"SELECT {COLS} FROM incident WHERE id = %s", (int(key),))) if key else page(db, env)
    body = orjson.loads(env["wsgi.input"].read(int(env["CONTENT_LENGTH"])))
    text, status, source = body.get("description"), body.get("status", "open"), body.get("source")
    if key and body.get("status") in STATUSES:
        return one(db.execute(CHANGE, (int(key), status, user[1])))
    if key or not isinstance(text, str) or not 0 < len(text) <= 5000 or status not in STATUSES or source not in SOURCES:
        return "400 Bad Request", {"detail": "Not an incident"}
    return one(db.execute(CREATE, (text, status, source, user[1])), "201 Created")


def one(found, status="200 OK"):
    row = found.fetchone()
    return (status, dict(zip(FIELDS, row, strict=True))) if row else ("404 Not Found", {"detail": "Not found"})


def page(db, env):
    query = parse_qs(env["QUERY_STRING"])
    status, n = query.get("status", [None])[0], int(query.get("page", ["1"])[0])
    where, args = (" WHERE status = %s", (status,)) if status else ("", ())
    count, deltas = db.execute(
        f"SELECT coalesce(sum(n), 0)::bigint, count(*) FROM incident_count{where}", args
    ).fetchone()
    if deltas > 1000:
        db.execute("SELECT incident_count_fold()")
    rows = db.execute(
        f"SELECT {COLS} FROM incident{where} ORDER BY created_at DESC, id DESC LIMIT 100 OFFSET %s",
        (*args, (n - 1) * 100),
    ).fetchall()
    url = f"http://{env['HTTP_HOST']}/api/v1/incidents/?" + (f"status={status}&page=" if status else "page=")
    return "200 OK", {
        "count": count,
        "next": f"{url}{n + 1}" if n * 100 < count else None,
        "previous": f"{url}{n - 1}" if n > 1 else None,
        "results": [dict(zip(FIELDS, row, strict=True)) for row in rows],
    }
