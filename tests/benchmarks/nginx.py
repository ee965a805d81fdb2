"""The nginx of a deployment: the repository's template, filled in for loopback."""

import os
import re
import shutil
import subprocess
from pathlib import Path

from tests.benchmarks.processes import ROOT, start

TEMPLATE = ROOT / "nginx/nginx.conf.template"
# Distributions install it in root's PATH only.
PROGRAM = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin")


def version() -> str:
    """Such as "nginx/1.28.0"."""
    return subprocess.run([PROGRAM or "nginx", "-v"], capture_output=True, text=True).stderr.split()[-1]


def start_nginx(home: Path, port: int, server: str) -> subprocess.Popen[bytes]:
    """Listens on the port of 127.0.0.1 and passes requests on to the server; its access log goes to home/log."""
    home.mkdir()
    (home / "cache").mkdir()
    (home / "nginx.conf").write_text(configuration(home, port, server))
    command = [PROGRAM or "nginx", "-c", str(home / "nginx.conf"), "-g", "daemon off;"]
    return start(command, home / "log", {"PATH": os.environ["PATH"]})


def configuration(home: Path, port: int, server: str) -> str:
    values = {
        "WEB": server,
        "HTTPS": "off",
        "REAL_IP_FROM": "127.0.0.1",
        "NGINX_LOCAL_RESOLVERS": "127.0.0.1",
    }
    text = TEMPLATE.read_text().replace("/tmp/", f"{home}/").replace("/var/cache/nginx", f"{home}/cache")
    # Not every contender can listen on Unix sockets.
    text = re.sub(r"(?:server unix:[^;]+;\s*)+", f"server {server};\n", text)
    text = text.replace("listen 8080", f"listen 127.0.0.1:{port}")
    # nginx knows it from 1.25.1 on, distributions have older ones, and the load is HTTP/1.1.
    text = text.replace("http2 on;", "")
    return re.sub(r"\$\{(\w+)\}", lambda match: values[match[1]], text)
