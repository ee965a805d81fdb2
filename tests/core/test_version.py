"""CHANGELOG.md is the one source of the version."""

import tomllib
from pathlib import Path


def newest_version():
    lines = Path("CHANGELOG.md").read_text("utf-8").splitlines()
    heading = next(line for line in lines if line.startswith("## [") and line != "## [Unreleased]")
    return heading.removeprefix("## [").partition("]")[0]


def test_openapi_document_has_the_newest_version_of_the_changelog(client):
    assert client.get("/api/schema/").json()["info"]["version"] == newest_version()


def test_no_other_file_has_a_version():
    assert "version" not in tomllib.loads(Path("pyproject.toml").read_text("utf-8"))["project"]
    assert "VERSION" not in Path("docker/Dockerfile").read_text("utf-8")


def test_the_image_has_the_changelog():
    assert "!CHANGELOG.md" in Path(".dockerignore").read_text("utf-8").splitlines()
