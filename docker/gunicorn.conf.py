"""gunicorn as the service runs it, in a container and out of one. `--bind` and `--workers` on the command line win."""

import json
import os
from logging import LogRecord
from typing import Any

from gunicorn import util

bind = "0.0.0.0:8000"
workers = int(os.environ.get("WEB_CONCURRENCY") or max(2, os.cpu_count() or 2))
worker_class = "gthread"
threads = 2
# No connection is opened before the fork: Django's are made on first use.
preload_app = True
# The one in C takes 3 microseconds off a request, and needs a compiler where it is installed.
http_parser = "python"

# The server must not be the first to close: a proxy keeps an idle connection for 60 seconds at most (nginx).
keepalive = 75
# Far below the usual limit of 1024 file descriptors: a worker that cannot accept for want of one stops.
worker_connections = 500
backlog = 4096
# A worker that gives no sign of life for so long is killed.
timeout = 30
# Longer than nginx waits for a response (30 seconds): a request that is still waited for is finished.
graceful_timeout = 35

# Django decides by TRUSTED_PROXIES whose headers are believed: gunicorn would believe 127.0.0.1 and every Unix socket.
forwarded_allow_ips = ""
secure_scheme_headers: dict[str, str] = {}
forwarder_headers = ""

limit_request_line = 8190
limit_request_fields = 100
limit_request_field_size = 8190

# The heartbeat file must never wait for a disk.
worker_tmp_dir = "/dev/shm" if os.path.isdir("/dev/shm") else None  # noqa: PTH112, S108
control_socket_disable = True
# The service writes one line for each request itself.
accesslog = None
errorlog = "-"


def on_starting(server: Any) -> None:
    server.log.error_log.addFilter(without_quotes)
    util.write_error = write_error  # gunicorn 27 has no setting for its page


def without_quotes(record: LogRecord) -> bool:
    """Drops what a client sent, which may hold a token: `Invalid request from ip=ADDRESS: FAULT: QUOTE` and paths."""
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
    """What gunicorn refuses before the service sees it, in the service's error format; `message` quotes the request."""
    kind, detail = (
        ("server_error", "A server error occurred.") if status >= 500 else ("client_error", "Malformed request.")
    )
    code = f"{status} {ERROR_NAMES.get(status, 'error')}"
    body = json.dumps({"type": kind, "errors": [{"code": code, "detail": detail, "attr": None}]}, separators=(",", ":"))
    head = f"HTTP/1.1 {status} {reason}\r\nConnection: close\r\nContent-Type: application/json\r\n"
    util.write_nonblock(sock, f"{head}Content-Length: {len(body)}\r\n\r\n{body}".encode())
