"""Apprise (PyPI): its JSON, form and XML services."""

import shlex
import subprocess

import pytest

pytestmark = pytest.mark.e2e

TEXT = """Диск "sda" полон: C:\\temp, 100% & 'всё' {{ mustache }}"""


@pytest.fixture
def apprise(recipe, tmp_path, programs):
    """The recipe, and a function that runs a command of it with another address or text."""
    apprise = recipe("Apprise")
    config = tmp_path / "apprise.yml"
    address = apprise.service.url.removeprefix("http://")
    text = apprise.block("yaml").replace("jsons://incidents.example.org", f"json://{address}")
    config.write_text(text)

    def run(kind, scheme, *arguments):
        config.write_text(text.replace("json://", f"{scheme}://"))
        (command,) = (line for line in apprise.block("sh", 1).splitlines() if kind in line)
        program, *options = shlex.split(command)
        options[options.index("--body") + 1] = TEXT
        command = [programs / program, "--config", config, *options, *arguments]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60)

    return apprise, run


@pytest.mark.parametrize("scheme", ["json", "form"])
def test_failure_and_success(apprise, tmp_path, scheme):
    apprise, run = apprise
    picture = tmp_path / "a.txt"
    picture.write_text("attached")
    assert run("failure", scheme).returncode == 0
    assert apprise.wait_for("open") == [TEXT]
    assert run("failure", scheme, "--attach", picture).returncode == 0
    apprise.wait_for("open")
    assert run("success", scheme).returncode == 0
    apprise.wait_for("resolved")
    done = run("failure", scheme, "--attach", picture)
    assert done.returncode == 0, done
    assert apprise.wait_for("resolved", "open")[1] == TEXT
    run("success", scheme)


def test_xml_is_refused(apprise):
    apprise, run = apprise
    assert run("failure", "xml").returncode != 0
    assert apprise.incidents() == []
