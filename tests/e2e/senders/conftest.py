"""One service for all the programs whose recipes docs/senders.md has."""

import os
import shutil
import tempfile
from functools import cache
from pathlib import Path

import pytest
import requests

from tests.helpers.recipes import Recipe
from tests.helpers.servers import ROOT, Gunicorn, Postgres


@pytest.fixture(scope="session")
def postgres(tmp_path_factory):
    with Postgres(tmp_path_factory.mktemp("senders") / "data") as postgres:
        yield postgres


@pytest.fixture(scope="session")
def service(postgres, tmp_path_factory):
    with Gunicorn(postgres.port, tmp_path_factory.mktemp("log") / "gunicorn.log") as gunicorn:
        yield gunicorn


@pytest.fixture(scope="session")
def api(service):
    with requests.Session() as session:
        session.headers["Authorization"] = f"Bearer {service.token()}"
        yield session


@pytest.fixture(scope="session")
def set_up(service, api):
    """Each sender is set up once."""
    return cache(lambda heading: Recipe(service, api, heading))


@pytest.fixture
def recipe(set_up):
    def recipe(heading):
        one = set_up(heading)
        one.begin()
        return one

    return recipe


@pytest.fixture
def home():
    """A directory of a program, which is `nobody` where the tests run as root."""
    with tempfile.TemporaryDirectory(prefix="sender-") as path:
        if os.geteuid() == 0:
            shutil.chown(path, "nobody", "nogroup")
        yield Path(path)


@pytest.fixture(scope="session")
def programs():
    """Where the programs from PyPI are (`make .venv-senders/complete`)."""
    return ROOT / ".venv-senders/bin"
