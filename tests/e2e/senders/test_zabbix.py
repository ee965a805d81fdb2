"""Zabbix 6.0 (Debian) on a PostgreSQL: its server runs the recipe's script for a trigger that fires and recovers."""

import gzip
import json
import socket
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import psycopg
import pytest

from tests.helpers.servers import free_port

pytestmark = pytest.mark.e2e

SCHEMA = Path("/usr/share/zabbix-server-pgsql")
SETTINGS = """
DBHost=127.0.0.1
DBPort={database}
DBName=zabbix
DBUser=postgres
AllowUnsupportedDBVersions=1
ListenIP=127.0.0.1
ListenPort={port}
LogType=console
PidFile={home}/pid
SocketDir={home}
StartPollers=1
StartPollersUnreachable=1
StartPingers=0
StartDiscoverers=0
StartHTTPPollers=0
StartODBCPollers=0
StartTrappers=1
StartEscalators=1
FpingLocation=/bin/false
"""
# What a person sets up in the frontend: a host, its item and trigger, media of Admin and an action that sends there
SET_UP = """
UPDATE hosts SET status = 1;
INSERT INTO hosts (hostid, host, name, status) VALUES (90001, 'db1', 'db1', 0);
INSERT INTO items (itemid, hostid, type, name, key_, value_type, params, description, posts, headers)
    VALUES (90001, 90001, 2, 'disk', 'disk', 3, '', '', '', '');
INSERT INTO item_rtdata (itemid) VALUES (90001);
INSERT INTO triggers (triggerid, expression, description, priority, comments)
    VALUES (90001, '{90001}>80', %(trigger)s, 4, '');
INSERT INTO functions (functionid, itemid, triggerid, name, parameter) VALUES (90001, 90001, 90001, 'last', '$');
INSERT INTO media_type (mediatypeid, name, type, script, maxattempts, attempt_interval, description)
    VALUES (90001, 'incidents', 4, %(script)s, 5, '5s', '');
INSERT INTO media_type_message (mediatype_messageid, mediatypeid, eventsource, recovery, subject, message) VALUES
    (90001, 90001, 0, 0, 'Problem: {EVENT.NAME}', E'Host: {HOST.NAME}\nOriginal problem ID: {EVENT.ID}\n{TRIGGER.URL}'),
    (90002, 90001, 0, 1, 'Resolved: {EVENT.NAME}', 'Problem has been resolved');
INSERT INTO media (mediaid, userid, mediatypeid, sendto) VALUES (90001, 1, 90001, 'incidents');
UPDATE actions SET status = 0 WHERE name = 'Report problems to Zabbix administrators';
"""
TRIGGER = """Диск "sda" на {HOST.NAME} полон: C:\\temp, 100% & 'всё'"""


@pytest.fixture
def script(recipe, home):
    """The recipe, its script in a file, and its parameters."""
    zabbix = recipe("Zabbix")
    path = home / "script.js"
    path.write_text(zabbix.block("javascript"))
    return zabbix, path, zabbix.table()


@pytest.fixture
def server(postgres, home, script):
    zabbix, path, parameters = script
    with postgres.connect() as connection:
        connection.execute("CREATE DATABASE zabbix")
    where = {"host": "127.0.0.1", "port": postgres.port, "user": "postgres", "dbname": "zabbix"}
    with psycopg.connect(**where, cursor_factory=psycopg.ClientCursor) as connection:
        for name in ("schema", "images", "data"):
            connection.execute(gzip.decompress((SCHEMA / f"{name}.sql.gz").read_bytes()))
        connection.execute(SET_UP, {"trigger": TRIGGER, "script": path.read_text()})
        for number, (name, value) in enumerate(parameters.items()):
            connection.execute("INSERT INTO media_type_param VALUES (%s, 90001, %s, %s)", [90001 + number, name, value])
    port = free_port()
    config = home / "zabbix_server.conf"
    config.write_text(SETTINGS.format(database=postgres.port, port=port, home=home))
    with zabbix.running(home, "zabbix_server", "-f", "-c", config):
        yield zabbix, port


def send(port, value):
    """Sends a value as zabbix_sender does; says whether the server took it."""
    body = json.dumps(
        {"request": "sender data", "data": [{"host": "db1", "key": "disk", "value": str(value)}]}
    ).encode()
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
            connection.sendall(b"ZBXD\x01" + len(body).to_bytes(8, "little") + body)
            return b"processed: 1" in connection.makefile("rb").read()
    except OSError:
        return False


def test_trigger_fires_and_recovers(server):
    zabbix, port = server
    zabbix.wait(lambda: send(port, 90))
    (description,) = zabbix.wait_for("open")
    assert description.startswith("""Problem: Диск "sda" на db1 полон: C:\\temp, 100% & 'всё'\nHost: db1""")
    assert send(port, 95)
    assert send(port, 10)
    assert zabbix.wait_for("resolved") == [description]
    assert send(port, 90)
    zabbix.wait_for("resolved", "open")


def zabbix_js(path, parameters):
    """Zabbix's own interpreter of such scripts."""
    command = ["zabbix_js", "-s", path, "-p", json.dumps(parameters), "-t", "20"]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_script_throws_where_the_call_was_not_stored(script):
    zabbix, path, parameters = script
    parameters |= {"event_id": "7", "event_value": "1", "subject": "s", "message": "m"}
    assert zabbix_js(path, parameters).stdout.strip() == "OK"
    assert "HTTP 401" in zabbix_js(path, parameters | {"secret": "wrong"}).stdout
    assert [status for status, _ in zabbix.incidents()] == ["open"]


def test_redirect_to_https_is_no_success(script):
    """Zabbix follows a redirect with a POST that has no body."""
    zabbix, path, parameters = script

    class Redirect(BaseHTTPRequestHandler):
        def do_POST(self):
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(301)
            self.send_header("Location", zabbix.service.url + self.path)
            self.send_header("Content-Length", "0")
            self.end_headers()

    with ThreadingHTTPServer(("127.0.0.1", 0), Redirect) as redirect:
        threading.Thread(target=redirect.serve_forever, daemon=True).start()
        url = parameters["url"].replace(zabbix.service.url, f"http://127.0.0.1:{redirect.server_port}")
        by_header = zabbix_js(path, parameters | {"url": url})
        by_address = zabbix_js(path, parameters | {"url": f"{url}{zabbix.secret}/"})
        redirect.shutdown()
    assert "HTTP 401" in by_header.stdout  # libcurl sends no password to another port
    assert "HTTP 400" in by_address.stdout
    assert zabbix.incidents() == []
