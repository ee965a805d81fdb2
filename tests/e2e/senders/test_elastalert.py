"""ElastAlert 2 (PyPI) queries a stub of Elasticsearch: no registry has the real one."""

import json
import threading
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

pytestmark = pytest.mark.e2e

CONFIG = """
rules_folder: {home}/rules
run_every: {{seconds: 1}}
buffer_time: {{minutes: 15}}
es_host: 127.0.0.1
es_port: {port}
writeback_index: elastalert
alert_time_limit: {{days: 1}}
"""
RULE = """
name: failed log-ins
type: any
index: logs
"""
TEXT = """Диск "sda" полон: C:\\temp, 100% & 'всё' {{ mustache }}"""


class Elasticsearch(BaseHTTPRequestHandler):
    """A stub: the documents of one index; what is written is forgotten."""

    documents: list[dict[str, str]] = []
    searches = 0

    def do_GET(self):
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        hits: list[dict[str, object]] = []
        if self.path.startswith("/logs/_search"):
            type(self).searches += 1
            hits = [{"_index": "logs", "_id": one["id"], "_source": one} for one in self.documents]
        found = {"hits": {"total": {"value": len(hits)}, "hits": hits}, "_id": "1", "version": {"number": "8.9.0"}}
        body = json.dumps(found).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(b"" if self.command == "HEAD" else body)

    do_HEAD = do_POST = do_PUT = do_GET  # noqa: N815

    def log_message(self, *args):
        pass

    @classmethod
    def add(cls, name):
        cls.documents.append({"id": name, "@timestamp": datetime.now(UTC).isoformat(), "message": TEXT})


def test_matches(recipe, tmp_path, programs):
    elastalert = recipe("ElastAlert 2")
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules/rule.yaml").write_text(RULE + elastalert.block("yaml").replace("hours: 1", "seconds: 0"))
    with ThreadingHTTPServer(("127.0.0.1", 0), Elasticsearch) as stub:
        threading.Thread(target=stub.serve_forever, daemon=True).start()
        (tmp_path / "config.yaml").write_text(CONFIG.format(home=tmp_path, port=stub.server_port))
        Elasticsearch.add("first")
        with elastalert.running(tmp_path, programs / "elastalert", "--config", tmp_path / "config.yaml", "--verbose"):
            assert elastalert.wait_for("open") == [f"Failed log-ins: {TEXT}"]
            seen = Elasticsearch.searches
            elastalert.wait(lambda: Elasticsearch.searches > seen + 1)
            Elasticsearch.add("second")
            elastalert.wait_for("open", "open")
        stub.shutdown()
