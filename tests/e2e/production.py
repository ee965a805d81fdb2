"""A production deployment of the working tree in containers, under a name and on ports of its own."""

import json
import os
import secrets
import shutil
import socket
import subprocess
from pathlib import Path

import requests

ROOT = Path(__file__).resolve().parents[2]


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def run(*command, check=True, **options):
    """The finished process; an AssertionError with its output where it failed and should not have."""
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **options)
    assert not check or done.returncode == 0, f"{command}\n{done.stdout[-4000:]}"
    return done


class Project:
    """A copy of the working tree, and its containers."""

    file = "docker-compose.prod.yml"

    def __init__(self, path: Path, name: str, **environment: str) -> None:
        self.path = path
        self.environment = os.environ | {"COMPOSE_PROJECT_NAME": name, "TAG": name} | environment
        files = run("git", "ls-files", "--cached", "--others", "--exclude-standard", "--deduplicate", cwd=ROOT).stdout
        for file in files.splitlines():
            if (ROOT / file).is_file():
                (path / file).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(ROOT / file, path / file)

    def run(self, *command, check=True, **environment):
        return run(*command, cwd=self.path, env=self.environment | environment, check=check)

    def compose(self, *arguments, check=True, **environment):
        return self.run("docker", "compose", "-f", self.file, *arguments, check=check, **environment)

    def containers(self, service=""):
        """What docker knows of each running container."""
        ids = self.compose("ps", "--quiet", *filter(None, [service])).stdout.split()
        return json.loads(run("docker", "inspect", *ids).stdout)

    def sql(self, query: str) -> str:
        command = ("psql", "-AtX", "-U", "incidents", "-c", query, "incidents")
        return self.compose("exec", "-T", "db", *command).stdout.strip()

    def remove(self) -> None:
        self.compose("down", "--volumes", "--remove-orphans", "--rmi", "local", "--timeout", "5")


class Production(Project):
    def __init__(self, path: Path, name: str = "incidents-e2e") -> None:
        self.port, self.https_port = free_port(), free_port()
        super().__init__(path, name, HTTP_PORT=str(self.port), HTTPS_PORT=str(self.https_port))
        self.url = f"http://127.0.0.1:{self.port}"
        self.incidents = f"{self.url}/api/v1/incidents/"
        self.password = secrets.token_hex(16)
        self.set()

    def set(self, **variables: str) -> None:
        """Writes .env.prod: the template with what an operator must set, and `variables`."""
        variables = {
            "SECRET_KEY": secrets.token_hex(32),
            "POSTGRES_PASSWORD": self.password,
            "ALLOWED_HOSTS": "127.0.0.1",
            "DEBUG": "False",
        } | variables
        lines = (self.path / ".env.template").read_text().splitlines()
        lines = [line for line in lines if line.split("=")[0] not in variables]
        (self.path / ".env.prod").write_text("\n".join([*lines, *(f"{k}={v}" for k, v in variables.items()), ""]))

    def up(self, *arguments: str) -> None:
        self.compose("up", "--build", "--detach", "--wait", *arguments)

    def make_user(self) -> None:
        name = ("--env", "DJANGO_SUPERUSER_PASSWORD=only-for-the-tests", "-T", "web")
        create = ("python", "manage.py", "createsuperuser", "--noinput", "--username=operator", "--email=o@example.org")
        self.compose("exec", *name, *create)

    def log_in(self, session: requests.Session) -> requests.Session:
        answer = session.post(
            f"{self.url}/api/identity/auth/jwt/create/",
            json={"username": "operator", "password": "only-for-the-tests"},
            timeout=30,
        )
        assert answer.status_code == 200, answer.text
        session.headers["Authorization"] = f"Bearer {answer.json()['access']}"
        return session
