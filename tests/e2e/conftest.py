"""A deployment by the production compose file: needs Docker with Compose, and make."""

import pytest
import requests

from tests.helpers.production import Production


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


@pytest.fixture
def client(production):
    with requests.Session() as session:
        yield production.log_in(session)
