"""gunicorn's configuration, with and without containers. `--bind` and `--workers` override it."""

import json
import os
import re
import shutil
import socket
import tempfile
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from logging import LogRecord
from pathlib import Path
from typing import Any

from gunicorn import util
from gunicorn.workers.gthread import _DEFER, ThreadWorker

HEALTH_CHECK = re.compile(rb"(GET|HEAD) [^ ?]*/api/health[/ ?]")
HEALTH_CHECKS = 4  # at once
PEEK = int(socket.MSG_PEEK | socket.MSG_DONTWAIT)  # To join them costs as much as the call.


class Threads(ThreadPoolExecutor):
    """Has further threads for health checks: all others may be waiting for a database that does not answer."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.health_checks = ThreadPoolExecutor(HEALTH_CHECKS)

    def submit(self, handle: Callable[[Any], Any], connection: Any) -> Future[Any]:  # type: ignore[override]
        try:
            start = connection.sock.recv(256, PEEK)
        except BlockingIOError:
            if not connection.initialized:
                # The request is not there yet: gunicorn calls again when it is. It has no public name for that.
                later = Future[Any]()
                later.set_result(_DEFER)
                return later
            start = b""  # gunicorn has read it together with the one before.
        except OSError:
            start = b""
        if HEALTH_CHECK.match(start):
            return self.health_checks.submit(handle, connection)
        return super().submit(handle, connection)


class Worker(ThreadWorker):
    def get_thread_pool(self) -> Threads:
        return Threads(self.cfg.threads)


bind = "0.0.0.0:8000"
workers = int(os.environ.get("WEB_CONCURRENCY") or max(2, os.cpu_count() or 2))
worker_class = Worker
threads = 2
# Safe, since no database connection is opened before the fork: Django connects on first use.
preload_app = True
# The C parser saves 3 microseconds per request and needs a compiler to install.
http_parser = "python"

# Keep-alive must be longer than the proxy's (nginx: 60 seconds), so that the proxy is the one that closes.
keepalive = 75
# Far below the usual limit of 1024 file descriptors: a worker that runs out of them stops.
worker_connections = 500
backlog = 4096
# A worker whose heartbeat is older is killed (seconds).
timeout = 30
# Longer than nginx's proxy_read_timeout (30 seconds), so that requests in flight are finished.
graceful_timeout = 35

# Django trusts headers by TRUSTED_PROXIES: gunicorn would trust those from 127.0.0.1 and every Unix socket.
forwarded_allow_ips = ""
secure_scheme_headers: dict[str, str] = {}
forwarder_headers = ""

limit_request_line = 8190
limit_request_fields = 100
limit_request_field_size = 8190

# The heartbeat file must not block on a disk.
worker_tmp_dir = "/dev/shm" if os.path.isdir("/dev/shm") else None  # noqa: PTH112, S108
# Request counters of the workers, which /api/metrics sums up; set before the application is loaded.
OWN_METRICS = "incidents-metrics-"
if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = tempfile.mkdtemp(prefix=OWN_METRICS, dir=worker_tmp_dir)
control_socket_disable = True
# The service writes its own access log.
accesslog = None
errorlog = "-"


def on_starting(server: Any) -> None:
    server.log.error_log.addFilter(without_client_input)
    util.write_error = write_error  # gunicorn 27 has no setting for its error page


def pre_request(worker: Any, request: Any) -> None:
    request.body.close_connection = request.force_close  # for core/wsgi.py


def on_exit(server: Any) -> None:
    directory = Path(os.environ["PROMETHEUS_MULTIPROC_DIR"])
    if directory.name.startswith(OWN_METRICS):
        shutil.rmtree(directory, ignore_errors=True)


def without_client_input(record: LogRecord) -> bool:
    """Drops client input, which may contain a token: `Invalid request from ip=ADDRESS: FAULT: INPUT`, and paths."""
    message = record.getMessage()
    if message.startswith("Invalid request"):
        record.msg, record.args = ": ".join(message.split(": ")[:2]), ()
    elif message.startswith("Error handling request"):
        record.msg, record.args = "Error handling request", ()
    return True


ERROR_NAMES = {
    400: "parse_error",
    403: "permission_denied",
    414: "uri_too_long",
    417: "expectation_failed",
    431: "headers_too_large",
    500: "error",
    501: "not_implemented",
}


def write_error(sock: Any, status: int, reason: str, message: str) -> None:
    """Sends gunicorn's own errors, which no proxy sent first, in the error format; `message` quotes the request."""
    kind, detail = (
        ("server_error", "A server error occurred.") if status >= 500 else ("client_error", "Malformed request.")
    )
    code = f"{status} {ERROR_NAMES.get(status, 'error')}"
    body = json.dumps({"type": kind, "errors": [{"code": code, "detail": detail, "attr": None}]}, separators=(",", ":"))
    head = f"HTTP/1.1 {status} {reason}\r\nConnection: close\r\nContent-Type: application/json\r\n"
    util.write_nonblock(sock, f"{head}Content-Length: {len(body)}\r\n\r\n{body}".encode())
