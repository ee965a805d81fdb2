"""Linters, validators and a validating proxy find nothing in the served document, and running it harms nothing."""

import json
import os
import subprocess

import pytest
import requests

from tests.e2e.clients.conftest import FOLDER, NPM, run
from tests.e2e.clients.job import walk
from tests.e2e.clients.test_clients import make_python
from tests.helpers.servers import free_port, wait_until

pytestmark = pytest.mark.e2e

ENVIRONMENT = os.environ | {"NO_COLOR": "1", "REDOCLY_TELEMETRY": "off", "REDOCLY_SUPPRESS_UPDATE_NOTICE": "true"}


@pytest.fixture(scope="module")
def prism(service, document, tmp_path_factory):
    """The address of a proxy, with an error of its own where a request or response does not match the document."""
    address = f"http://127.0.0.1:{free_port()}"
    command = [NPM / "prism", "proxy", document, service.url, "--errors", "--port", address.rpartition(":")[2]]
    with (tmp_path_factory.mktemp("prism") / "log").open("w") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)

    def is_up():
        try:
            return requests.get(f"{address}/api/v1/incidents/", timeout=5).status_code == 401
        except requests.ConnectionError:
            return False

    wait_until(is_up, 60)
    yield address
    process.terminate()
    process.wait(30)


def test_spectral_finds_nothing(document):
    run(
        NPM / "spectral", "lint", "--fail-severity", "hint", "--ruleset", FOLDER / "spectral.yaml", document, cwd=FOLDER
    )


def test_redocly_finds_nothing(document):
    options = ["--config", FOLDER / "redocly.yaml", "--format", "json"]
    found = subprocess.run(
        [NPM / "redocly", "lint", document, *options], capture_output=True, text=True, timeout=300, env=ENVIRONMENT
    )
    assert json.loads(found.stdout)["totals"] == {"errors": 0, "warnings": 0, "ignored": 0}, found.stdout


def test_validators_of_zod_are_imported_and_accept_an_incident(service, document, tmp_path):
    run(NPM / "openapi-ts", "-i", document, "-o", tmp_path / "made", "-p", "zod", cwd=tmp_path)
    (tmp_path / "node_modules").symlink_to(NPM.parent)
    options = ["--target", "es2022", "--module", "commonjs", "--skipLibCheck", "--types", "node"]
    run(NPM / "tsc", *options, tmp_path / "made/zod.gen.ts", cwd=tmp_path)
    emoji = "👍" * 20_000  # twice as many for JavaScript
    incident = {
        "id": 2**40,
        "description": emoji,
        "status": "open",
        "source": "partner",
        "created_at": "2024-01-15T10:30:00Z",
    }
    script = "require('./made/zod.gen.js').zIncident.parse(JSON.parse(require('fs').readFileSync(0)))"
    run(
        "node",
        "-e",
        script,
        cwd=tmp_path,
        input=json.dumps(incident | {"updated_at": incident["created_at"], "later": 1}),
    )


def test_proxy_that_validates_passes_the_whole_job(prism, document, start, tmp_path):
    command, environment = make_python(document, tmp_path)
    walk("prism", start(*command, prism, env=os.environ | environment))


@pytest.mark.parametrize(
    ("query", "status"), [("status=open,in_progress", 200), ("status=open&status=closed", 200), ("status=bogus", 422)]
)
def test_proxy_passes_what_the_service_takes(service, prism, query, status):
    headers = {"Authorization": f"Bearer {service.manage('issue_token', 'petrova')}"}
    assert requests.get(f"{prism}/api/v1/incidents/?{query}", headers=headers, timeout=30).status_code == status
    if status == 200:
        body = {"description": "x", "source": "partner", "id": 1, "created_at": "2024-01-15T10:30:00Z"}
        assert requests.post(f"{prism}/api/v1/incidents/", json=body, headers=headers, timeout=30).status_code == 201


def leave_out_uploads(collection):
    """The collection names no file to send."""

    def rest(items):
        for item in items:
            if "item" in item:
                item["item"] = list(rest(item["item"]))
            if (item.get("request", {}).get("body") or {}).get("mode") != "formdata":
                yield item

    content = json.loads(collection.read_text())
    content["item"] = list(rest(content["item"]))
    collection.write_text(json.dumps(content))


def test_collection_runs_from_its_import_through_the_proxy_and_deletes_no_user(service, prism, document, tmp_path):
    options = ["-O", "parametersResolution=Example,folderStrategy=Tags"]
    run(NPM / "openapi2postmanv2", "-s", document, "-o", tmp_path / "collection.json", *options, cwd=tmp_path)
    assert json.loads((tmp_path / "collection.json").read_text())["variable"] == [
        {"key": "baseUrl", "value": service.url}
    ]
    leave_out_uploads(tmp_path / "collection.json")
    values = {"baseUrl": prism, "bearerToken": service.manage("issue_token", "petrova")}
    given = [option for name, value in values.items() for option in ("--env-var", f"{name}={value}")]
    reporter = ["--reporters", "json", "--reporter-json-export", tmp_path / "report.json"]
    run(NPM / "newman", "run", tmp_path / "collection.json", *given, *reporter, cwd=tmp_path)

    statuses = {}
    for execution in json.loads((tmp_path / "report.json").read_text())["run"]["executions"]:
        body = bytes(execution["response"]["stream"]["data"]).decode()
        assert "stoplight.io/prism" not in body, body
        path = "/".join(execution["request"]["url"]["path"])
        statuses[execution["request"]["method"], path] = execution["response"]["code"]
    assert {path: code for path, code in statuses.items() if "incidents" in path[1]} == {
        ("GET", "api/v1/incidents/"): 200,
        ("POST", "api/v1/incidents/"): 201,
        ("GET", "api/v1/incidents/1/"): 200,
        ("PATCH", "api/v1/incidents/1/"): 200,
        ("POST", "api/v1/incidents/1/comments/"): 201,
        ("GET", "api/v1/incidents/1/history/"): 200,
        ("GET", "api/v1/incidents/1/urgent/"): 200,
        ("PUT", "api/v1/incidents/1/urgent/"): 200,
        ("GET", "api/v1/incidents/1/attachments/"): 200,
        ("GET", "api/v1/incidents/1/attachments/1/"): 404,
    }
    deleted = {path: code for path, code in statuses.items() if path[0] == "DELETE"}
    assert deleted == {
        ("DELETE", "api/identity/auth/users/me/"): 400,
        ("DELETE", "api/identity/auth/users/999999999/"): 404,
    }
    assert service.manage("shell", "-v0", "-c", "from identity.models import User; print(User.objects.count())") == "1"
