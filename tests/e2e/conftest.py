"""Two deployments: a gunicorn on a PostgreSQL, and the production compose file, which needs Docker and make."""

import pytest
import requests

from tests.helpers.production import Production, run
from tests.helpers.servers import Gunicorn, Postgres


@pytest.fixture(scope="module")
def postgres(tmp_path_factory):
    with Postgres(tmp_path_factory.mktemp("postgres") / "data") as postgres:
        yield postgres


@pytest.fixture(scope="module")
def environment():
    """A module overrides it for the service's settings."""
    return {}


@pytest.fixture(scope="module")
def service(postgres, environment, tmp_path_factory):
    with Gunicorn(postgres.port, tmp_path_factory.mktemp("service") / "gunicorn.log", **environment) as gunicorn:
        yield gunicorn


@pytest.fixture(scope="module")
def api(service):
    with requests.Session() as session:
        session.headers["Authorization"] = f"Bearer {service.token()}"
        yield session


@pytest.fixture(scope="session")
def production(tmp_path_factory):
    """Two replicas; each test restores what it changes."""
    production = Production(tmp_path_factory.mktemp("production"))
    try:
        production.up("--scale", "web=2")
        production.make_user()
        yield production
    finally:
        print(production.compose("logs", "--tail", "30", check=False).stdout)
        production.remove()


@pytest.fixture(scope="session")
def host():
    """The address by which containers reach this machine."""
    return run(
        "docker", "network", "inspect", "bridge", "--format", "{{(index .IPAM.Config 0).Gateway}}"
    ).stdout.strip()


@pytest.fixture
def client(production):
    with requests.Session() as session:
        yield production.log_in(session)
