"""Deployments of the working tree in containers, under names and on ports of their own."""

import io
import json
import os
import secrets
import shutil
import socket
import subprocess
import threading
from contextlib import suppress
from pathlib import Path
from time import monotonic, sleep
from uuid import uuid4

import pytest
import requests

from tests.helpers.servers import free_port

ROOT = Path(__file__).resolve().parents[2]


def run(*command, check=True, **options):
    """The finished process. Raises AssertionError with its output if it failed, unless `check` is false."""
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **options)
    assert not check or done.returncode == 0, f"{command}\n{done.stdout[-4000:]}"
    return done


def until(condition, seconds=60):
    """Waits for `condition` to hold."""
    deadline = monotonic() + seconds
    while not condition():
        assert monotonic() < deadline, f"not within {seconds} s"
        sleep(0.2)


def connect(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), timeout=20)


def send(port: int, request: bytes) -> bytes:
    """The bytes received until the connection is closed, or idle for two seconds."""
    response = b""
    with connect(port) as client, suppress(OSError):
        client.sendall(request)
        client.settimeout(2)
        while data := client.recv(65_536):
            response += data
    return response


def parse(response: bytes) -> requests.Response:
    """The first response of `response`, which is not compressed."""
    head, _, body = response.partition(b"\r\n\r\n")
    parsed = requests.Response()
    parsed.status_code = int(head.split()[1])
    for line in head.decode().split("\r\n")[1:]:
        name, _, value = line.partition(": ")
        parsed.headers[name] = value
    parsed.raw = io.BytesIO(body[: int(parsed.headers.get("Content-Length", len(body)))])
    return parsed


class Project:
    """A copy of the working tree, and its containers."""

    file = "docker-compose.prod.yml"

    def __init__(self, path: Path, **environment: str) -> None:
        self.path = path
        self.name = f"incidents-e2e-{free_port()}"
        # Under `make e2e` a nested make would print the directories that it enters. Compose prefers these to .env.prod.
        inner = ("MAKEFLAGS", "MAKELEVEL", "MFLAGS", "POSTGRES_")
        outer = {name: value for name, value in os.environ.items() if not name.startswith(inner)}
        self.environment = outer | {"COMPOSE_PROJECT_NAME": self.name, "TAG": self.name} | environment
        files = run("git", "ls-files", "--cached", "--others", "--exclude-standard", "--deduplicate", cwd=ROOT).stdout
        for file in files.splitlines():
            if (ROOT / file).is_file():
                (path / file).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(ROOT / file, path / file)

    def run(self, *command, check=True, **environment):
        return run(*command, cwd=self.path, env=self.environment | environment, check=check)

    def compose(self, *arguments, check=True, **environment):
        return self.run("docker", "compose", "-f", self.file, *arguments, check=check, **environment)

    def containers(self, *services):
        """`docker inspect` of each running container."""
        ids = self.compose("ps", "--quiet", *services).stdout.split()
        return json.loads(run("docker", "inspect", *ids).stdout)

    def remove(self) -> None:
        self.compose("down", "--volumes", "--remove-orphans", "--timeout", "5")
        ours = f"--filter=label=com.docker.compose.project={self.name}"
        run(
            "docker",
            "volume",
            "rm",
            "--force",
            *run("docker", "volume", "ls", "--quiet", ours).stdout.split(),
            check=False,
        )
        images = (f"--filter=reference={pattern}" for pattern in (f"incidents*:{self.name}", f"{self.name}-*"))
        run(
            "docker",
            "image",
            "rm",
            "--force",
            *run("docker", "image", "ls", "--quiet", *images).stdout.split(),
            check=False,
        )


class Production(Project):
    def __init__(self, path: Path) -> None:
        self.port, self.https_port = free_port(), free_port()
        super().__init__(path, HTTP_PORT=str(self.port), HTTPS_PORT=str(self.https_port))
        self.url = f"http://127.0.0.1:{self.port}"
        self.incidents = f"{self.url}/api/v1/incidents/"
        self.password, self.secret_key = secrets.token_hex(16), secrets.token_hex(32)
        self.set()

    def set(self, **variables: str) -> None:
        """Writes .env.prod: the template with what an operator must set, and `variables`."""
        variables = {
            "SECRET_KEY": self.secret_key,
            "POSTGRES_PASSWORD": self.password,
            "ALLOWED_HOSTS": "127.0.0.1",
            "DEBUG": "False",
        } | variables
        lines = (self.path / ".env.template").read_text().splitlines()
        lines = [line for line in lines if line.split("=")[0] not in variables]
        (self.path / ".env.prod").write_text("\n".join([*lines, *(f"{k}={v}" for k, v in variables.items()), ""]))

    def up(self, *arguments: str) -> None:
        self.compose("up", "--build", "--detach", "--wait", *arguments)

    def sql(self, query: str, *options: str) -> str:
        """The output of psql in the container `db`."""
        # In a cluster the server asks for it.
        password = ("--env", f"PGPASSWORD={self.password}")
        command = ("psql", "-AtX", *options, "-U", "incidents", "-c", query, "incidents")
        return self.compose("exec", "-T", *password, "db", *command).stdout.strip()

    def make_user(self) -> None:
        name = ("--env", "DJANGO_SUPERUSER_PASSWORD=only-for-the-tests", "-T", "web")
        create = ("python", "manage.py", "createsuperuser", "--noinput", "--username=operator", "--email=o@example.org")
        self.compose("exec", *name, *create)

    def log_in(self, session: requests.Session) -> requests.Session:
        """Retries a 503, which each connection that was lost with the database causes."""
        url = f"{self.url}/api/identity/auth/jwt/create/"
        account = {"username": "operator", "password": "only-for-the-tests"}
        for _ in range(20):
            response = session.post(url, json=account, timeout=30)
            if response.status_code != 503:
                break
            sleep(0.2)
        assert response.status_code == 200, response.text
        session.headers["Authorization"] = f"Bearer {response.json()['access']}"
        return session

    def all_healthy(self) -> bool:
        states = [container["State"] for container in self.containers()]
        return all(state.get("Health", {"Status": "healthy"})["Status"] == "healthy" for state in states)


class Operated(Production):
    """A deployment by the operators' commands, which read .env.prod; `settings` are variables of it."""

    def __init__(self, path: Path, **settings: str) -> None:
        self.settings = settings
        super().__init__(path)

    def set(self, **variables: str) -> None:
        super().set(**self.settings | variables)

    def compose(self, *arguments, check=True, **environment):
        return self.run("docker/compose", *arguments, check=check, **environment)


def kill(container):
    """Crashes a container: Docker does not restart one that it stopped or killed itself."""
    pid = str(container["State"]["Pid"])
    run("docker", "run", "--rm", "--privileged", "--pid=host", "--entrypoint=kill", "postgres:17", "-9", pid)
    until(lambda: json.loads(run("docker", "inspect", container["Id"]).stdout)[0]["RestartCount"] > 0)


class Load:
    """Requests without a pause until the block ends: each report must be recorded once, no request may fail."""

    def __init__(self, production):
        self.production, self.sent, self.failed, self.ends = production, [], [], threading.Event()
        self.name = f"load {uuid4().hex}"
        self.threads = [threading.Thread(target=self.work) for _ in range(4)]

    def work(self):
        with requests.Session() as session:
            self.production.log_in(session)
            while not self.ends.is_set():
                report = {"description": f"{self.name} {uuid4().hex}", "source": "monitoring"}
                try:
                    made = session.post(self.production.incidents, json=report, timeout=40)
                    assert made.status_code == 201, made.text
                    self.sent.append(report["description"])
                    one = f"{self.production.incidents}{made.json()['id']}/"
                    assert session.patch(one, json={"status": "closed"}, timeout=40).status_code == 200
                    assert session.get(one, timeout=40).json()["status"] == "closed"
                except (OSError, AssertionError, LookupError) as exc:
                    self.failed.append(repr(exc))

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        try:
            until(lambda: len(self.sent) > 20)
        except AssertionError:
            self.__exit__()
            pytest.fail(f"only {len(self.sent)} reports were sent: {self.failed[:3]}")
        return self

    def __exit__(self, *args):
        self.ends.set()
        for thread in self.threads:
            thread.join()

    def recorded(self):
        query = f"SELECT description FROM incidents_incident WHERE description LIKE '{self.name} %'"
        return sorted(self.production.sql(query).split("\n"))
