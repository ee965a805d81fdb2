"""gunicorn as the service runs it, in a container and out of one. `--bind` and `--workers` on the command line win."""

import os
import resource

_open_files = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
resource.setrlimit(resource.RLIMIT_NOFILE, (_open_files, _open_files))

bind = "0.0.0.0:8000"
# At least two: one serves while the other is renewed.
workers = int(os.environ.get("WEB_CONCURRENCY") or max(2, os.cpu_count() or 2))
worker_class = "core.worker.Worker"
threads = 2
# Each worker listens for itself: from a shared socket one worker takes most of the kept connections.
reuse_port = True
# A worker that is renewed serves at once. No connection is opened before the fork: Django's are made on first use.
preload_app = True
# The one in C takes 3 microseconds off a request, and needs a compiler where it is installed.
http_parser = "python"

# Longer than nginx keeps an idle connection (60 seconds): the server must not be the first to close.
keepalive = 75
worker_connections = min(10_000, _open_files - 100)
backlog = 4096
# A request must have arrived within it.
timeout = 30
# Longer than nginx waits for an answer (30 seconds): whoever is still waited for is answered.
graceful_timeout = 35
max_requests = 100_000
max_requests_jitter = 20_000

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
# core/logging.py writes one line for each request.
accesslog = None
errorlog = "-"
