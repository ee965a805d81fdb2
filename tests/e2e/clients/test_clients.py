"""Clients that are made from the served document do the whole job: each is a program of this folder."""

import os
import sys

import pytest

from tests.e2e.clients.conftest import FOLDER, NPM, VENV, run
from tests.e2e.clients.job import walk
from tests.helpers.servers import BIN

pytestmark = pytest.mark.e2e


def openapi_generator(language, document, home):
    """The folder of the client, which was made without an error."""
    command = [VENV / "openapi-generator-cli", "generate", "-i", document, "-g", language, "-o", home / language]
    assert "ERROR" not in run(*command, cwd=home)
    return home / language


def make_openapi_python_client(document, home):
    (home / "config.yaml").write_text("post_hooks: []")
    command = [BIN / "openapi-python-client", "generate", "--path", document, "--config", home / "config.yaml"]
    run(*command, "--meta", "none", "--output-path", home / "openapi_python", "--fail-on-warning", cwd=home)
    return [sys.executable, FOLDER / "openapi_python_client.py"], {"PYTHONPATH": str(home)}


def make_python(document, home):
    made = openapi_generator("python", document, home)
    return [VENV / "python", FOLDER / "openapi_generator_python.py"], {"PYTHONPATH": str(made)}


def make_php(document, home):
    made = openapi_generator("php", document, home)
    strict = ["-d", "error_reporting=E_ALL", "-d", "display_errors=stderr", "-d", "include_path=/usr/share/php"]
    return ["php", *strict, FOLDER / "openapi_generator_php.php"], {"GENERATED": str(made)}


def make_typescript(document, home):
    run(NPM / "openapi-typescript", document, "--output", home / "incidents.d.ts", cwd=home)
    (home / "client.mts").write_text(
        (FOLDER / "openapi_fetch.ts").read_text().replace("./incidents", "./incidents.d.ts")
    )
    (home / "node_modules").symlink_to(NPM.parent)
    strict = ["--strict", "--target", "es2022", "--module", "nodenext", "--skipLibCheck", "--types", "node"]
    run(NPM / "tsc", *strict, home / "client.mts", cwd=home)
    return ["node", home / "client.mjs"], {}


@pytest.mark.parametrize("make", [make_openapi_python_client, make_python, make_php, make_typescript])
def test_client_does_the_whole_job(service, document, start, tmp_path, make):
    command, environment = make(document, tmp_path)
    walk(make.__name__, start(*command, service.url, env=os.environ | environment))
