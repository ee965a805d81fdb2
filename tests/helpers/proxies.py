"""The service by docker/serve, and the proxies of Debian in front of it."""

import os
import shutil
import signal
import socket
import subprocess
from contextlib import suppress
from pathlib import Path

from tests.helpers.servers import BIN, ROOT, free_port, manage, service_environment, wait_until

NGINX = """
daemon off;
pid {home}/nginx.pid;
error_log {home}/error.log;
events {{}}
http {{
    client_body_temp_path {home}/body;
    proxy_temp_path {home}/proxy;
    fastcgi_temp_path {home}/fastcgi;
    uwsgi_temp_path {home}/uwsgi;
    scgi_temp_path {home}/scgi;
    include {home}/site.conf;
}}
"""
CADDY = """
{{
    admin off
    auto_https off
}}
http://127.0.0.1:{port} {{
    {directives}
    reverse_proxy {upstream}
}}
"""
APACHE = """
ServerRoot {home}
ServerName 127.0.0.1
PidFile {home}/apache.pid
DefaultRuntimeDir {home}
Listen 127.0.0.1:{port}
ErrorLog {home}/error.log
{modules}
ProxyPreserveHost On
{directives}
ProxyPass / {upstream}
"""
APACHE_MODULES = ("mpm_event", "authz_core", "filter", "deflate", "headers", "proxy", "proxy_http")
HAPROXY = """
defaults
    mode http
    timeout connect 2s
    timeout client 30s
    timeout server 30s
    http-reuse always
frontend all
    bind 127.0.0.1:{port}
    {directives}
    default_backend service
backend service
    server one {upstream}
"""


def is_open(address: int | Path, host: str = "127.0.0.1") -> bool:
    """Whether something listens on the port of the host, or on the Unix socket."""
    with suppress(OSError):
        if isinstance(address, Path):
            with socket.socket(socket.AF_UNIX) as client:
                client.connect(str(address))
        else:
            socket.create_connection((host, address)).close()
        return True
    return False


class Process:
    def __init__(
        self, command: list[str | Path], address: int | Path, log: Path, host: str = "127.0.0.1", **options: object
    ) -> None:
        with log.open("a") as out:
            self.process = subprocess.Popen(
                command, cwd=ROOT, stdout=out, stderr=out, start_new_session=True, **options
            )  # type: ignore[call-overload]

        def ready() -> bool:
            assert self.process.poll() is None, log.read_text()
            return is_open(address, host)

        wait_until(ready)

    def close(self) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(30)


class Server(Process):
    """gunicorn or granian, on a port or on a Unix socket: `address` is one or the other."""

    def __init__(self, name: str, transport: str, database_url: str, home: Path, **environment: str) -> None:
        self.env = service_environment(database_url, home / "service") | {
            "PATH": f"{BIN}:{os.environ['PATH']}",
            "WEB_SERVER": name,
            "WEB_CONCURRENCY": "2",
            "TRUSTED_PROXIES": "1",
            **environment,
        }
        self.address: int | Path
        if transport == "unix":
            sockets = home / "sockets"
            sockets.mkdir()
            let_others_in(home)
            self.address = sockets / "1.socket"
            self.env["SOCKETS"] = str(sockets)
        else:
            self.address = free_port()
            bind = f"--bind=127.0.0.1:{self.address}"
            self.env |= {"GUNICORN_CMD_ARGS": bind, "GRANIAN_PORT": str(self.address)}
        manage(self.env, "migrate", "--noinput")
        super().__init__(["docker/serve"], self.address, home / f"{name}.log", env=self.env)

    def close(self) -> None:
        super().close()
        link = Path("/tmp/socket")  # made by docker/serve, for the health check of its container
        if link.is_symlink() and link.readlink() == self.address:
            link.unlink()

    def token(self) -> str:
        account = ("--username", "operator", "--email", "operator@example.org")
        manage(self.env | {"DJANGO_SUPERUSER_PASSWORD": "only-for-the-tests"}, "createsuperuser", "--noinput", *account)
        return manage(self.env, "issue_token", "operator", "--days", "1")


def let_others_in(home: Path) -> None:
    """pytest's folders are closed to other users, which the workers of nginx and Apache are."""
    for folder in (home, *home.parents[:2]):
        folder.chmod(0o755)


def program(name: str) -> str:
    found = shutil.which(name, path="/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin")
    assert found, f"{name} is not installed"
    return found


def proxy(name: str, home: Path, address: int | Path, directives: str = "") -> tuple[Process, int]:
    """A running proxy in front of the service at `address`, and its port. `directives` are added to its site."""
    port, tcp = free_port(), f"127.0.0.1:{address}"
    command: list[str | Path]
    unix = isinstance(address, Path)
    log = home / f"{name}.log"
    let_others_in(home)
    if name == "nginx":
        site = (ROOT / "nginx" / "site.conf.example").read_text().replace("listen 80 ", f"listen 127.0.0.1:{port} ")
        site = site.replace("server 127.0.0.1:8000", f"server {f'unix:{address}' if unix else tcp}")
        (home / "site.conf").write_text(site.replace("/var/log/nginx", str(home)))
        (home / "nginx.conf").write_text(NGINX.format(home=home))
        command = [program("nginx"), "-c", home / "nginx.conf", "-e", home / "error.log"]
    elif name == "caddy":
        upstream = f"unix/{address}" if unix else tcp
        (home / "Caddyfile").write_text(CADDY.format(port=port, upstream=upstream, directives=directives))
        command = [program("caddy"), "run", "--config", home / "Caddyfile", "--adapter", "caddyfile"]
    elif name == "apache":
        upstream = f"unix:{address}|http://127.0.0.1/" if unix else f"http://{tcp}/"
        modules = "\n".join(f"LoadModule {it}_module /usr/lib/apache2/modules/mod_{it}.so" for it in APACHE_MODULES)
        settings = {"home": home, "port": port, "modules": modules, "directives": directives, "upstream": upstream}
        (home / "apache.conf").write_text(APACHE.format(**settings))
        command = [program("apache2"), "-f", home / "apache.conf", "-D", "FOREGROUND"]
    else:
        upstream = f"unix@{address}" if unix else tcp
        (home / "haproxy.cfg").write_text(HAPROXY.format(port=port, upstream=upstream, directives=directives))
        command = [program("haproxy"), "-f", home / "haproxy.cfg"]
    return Process(command, port, log), port
