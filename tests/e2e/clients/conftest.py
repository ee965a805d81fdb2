import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.e2e.clients.job import PASSWORD
from tests.helpers.servers import ROOT, Gunicorn, Postgres

FOLDER = Path(__file__).parent
NPM = ROOT / "tests/e2e/node_modules/.bin"
VENV = ROOT / ".venv-e2e/bin"


def run(*command: Any, cwd: Path, **kwargs: Any) -> str:
    """The output of a program that must succeed."""
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=300, **kwargs)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.fixture(scope="package")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gunicorn]:
    home = tmp_path_factory.mktemp("service")
    with (
        Postgres(home / "data") as postgres,
        Gunicorn(postgres.port, home / "gunicorn.log", DJANGO_SUPERUSER_PASSWORD=PASSWORD) as gunicorn,
    ):
        gunicorn.manage("createsuperuser", "--noinput", "--username", "petrova", "--email", "petrova@example.org")
        yield gunicorn


@pytest.fixture(scope="package")
def document(service: Gunicorn, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The served document, as a file."""
    path = tmp_path_factory.mktemp("document") / "openapi.json"
    path.write_bytes(requests.get(f"{service.url}/api/schema/", timeout=30).content)
    return path


@pytest.fixture
def start() -> Iterator[Callable[..., Callable[..., Any]]]:
    """Starts a client as a process, and returns its call."""
    started = []

    def start(*command: Any, **kwargs: Any) -> Callable[..., Any]:
        pipe = subprocess.PIPE
        process = subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, **kwargs)
        started.append(process)

        def call(name: str, **arguments: Any) -> Any:
            assert process.stdin and process.stdout
            process.stdin.write(json.dumps({"call": name, "arguments": arguments}) + "\n")
            process.stdin.flush()
            return json.loads(process.stdout.readline())

        return call

    yield start
    for process in started:
        process.kill()
        process.communicate()
