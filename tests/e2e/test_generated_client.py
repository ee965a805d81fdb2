"""A client made by openapi-python-client from the served document works with the running service."""

import importlib
import subprocess
import sys

import pytest

from tests.helpers.servers import BIN, Gunicorn, Postgres

pytestmark = pytest.mark.e2e

PASSWORD = "correct horse battery"


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    home = tmp_path_factory.mktemp("client")
    postgres = Postgres(home / "data")
    gunicorn = Gunicorn(postgres.port, home / "gunicorn.log", DJANGO_SUPERUSER_PASSWORD=PASSWORD)
    gunicorn.manage("createsuperuser", "--noinput", "--username", "petrova", "--email", "petrova@example.org")
    yield gunicorn
    gunicorn.kill()
    postgres.kill()


@pytest.fixture(scope="module")
def generated(service, tmp_path_factory):
    """Imports a module of the client, which was generated without a warning."""
    home = tmp_path_factory.mktemp("generated")
    (home / "config.yaml").write_text("post_hooks: []")
    command = [BIN / "openapi-python-client", "generate", "--url", f"{service.url}/api/schema/"]
    options = ["--config", home / "config.yaml", "--meta", "none", "--output-path", home / "client_of_incidents"]
    subprocess.run([*command, *options, "--fail-on-warning"], cwd=home, check=True, timeout=120)
    sys.path.insert(0, str(home))
    yield lambda name: importlib.import_module(f"client_of_incidents.{name}".rstrip("."))
    sys.path.remove(str(home))


@pytest.fixture(scope="module")
def models(generated):
    return generated("models")


@pytest.fixture(scope="module")
def tokens(generated, models, service):
    client = generated("client").Client(base_url=service.url, raise_on_unexpected_status=True)
    body = models.TokenObtainRequest(username="petrova", password=PASSWORD)
    return generated("api.jwt.jwt_create_create").sync(client=client, body=body)


@pytest.fixture(scope="module")
def call(generated, service, tokens):
    """Calls an operation with the access token, and returns the parsed response."""
    client = generated("client").AuthenticatedClient(
        base_url=service.url, token=tokens.access, raise_on_unexpected_status=True
    )
    return lambda name, *args, **kwargs: generated(f"api.{name}").sync(*args, client=client, **kwargs)


@pytest.fixture
def incident(call, models):
    body = models.IncidentRequest(description="Самокат номер 875643 не в сети", source=models.SourceEnum.OPERATOR)
    return call("incidents.incidents_create", body=body)


def test_client_logs_in_renews_and_checks_tokens(call, models, tokens):
    renewed = call("jwt.jwt_refresh_create", body=models.TokenRefreshRequest(refresh=tokens.refresh))
    body = models.TokenVerifyRequest(token=renewed.access)
    assert isinstance(call("jwt.jwt_verify_create", body=body), models.JwtVerifyCreateResponse200)


def test_client_records_and_lists(call, models, incident):
    assert (incident.status, incident.source) == (models.StatusEnum.OPEN, models.SourceEnum.OPERATOR)
    page = call(
        "incidents.incidents_list",
        status=[models.StatusEnum.OPEN],
        created_after=incident.created_at,
        search="номер 875643",
        ordering=models.IncidentsListOrdering.DESCENDING_ID,
    )
    assert page.results[0] == incident and page.next_ is None
    assert call("incidents.incidents_retrieve", incident.id) == incident


def test_client_records_once_with_an_idempotency_key(call, models):
    body = models.IncidentRequest(description="Точка не отвечает", source=models.SourceEnum.MONITORING)
    first, second = (call("incidents.incidents_create", body=body, idempotency_key="5f1c0d") for _ in range(2))
    assert first == second


def test_client_changes_and_comments(call, models, incident):
    body = models.PatchedIncidentRequest(status=models.StatusEnum.IN_PROGRESS)
    changed = call("incidents.incidents_partial_update", incident.id, body=body)
    assert (changed.status, changed.description) == (models.StatusEnum.IN_PROGRESS, incident.description)
    entry = call("incidents.incidents_comments_create", incident.id, body=models.CommentRequest(text="Выехал механик"))
    assert entry.changes["comment"] == [None, "Выехал механик"]
    history = call("incidents.incidents_history_list", incident.id)
    assert [sorted(each.changes.additional_keys) for each in history.results] == [
        ["description", "source", "status"],
        ["status"],
        ["comment"],
    ]
    assert {(each.actor, each.channel) for each in history.results} == {("petrova", "api")}


def test_client_reads_errors(call, models, incident):
    missing = call("incidents.incidents_retrieve", incident.id + 1000)
    assert isinstance(missing, models.Error) and missing.errors[0].code == "404 not_found"
    body = models.PatchedIncidentRequest(description=" ")
    fault = call("incidents.incidents_partial_update", incident.id, body=body)
    assert (fault.errors[0].code, fault.errors[0].attr) == ("blank", "description")


def test_client_reads_and_changes_its_user(call, models):
    body = models.PatchedUserRequest(first_name="Анна")
    changed = call("users.users_me_partial_update", body=body)
    assert (changed.username, changed.first_name, changed.email) == ("petrova", "Анна", "petrova@example.org")
    assert call("users.users_list").results == [changed]
