"""Links, make targets and routes in the documentation exist; both languages show the same commands."""

import re
from pathlib import Path

import pytest
from django.urls import resolve

PAGES = [*Path().glob("*.md"), *Path("docs").glob("*.md")]


def anchors(page):
    """The anchors that GitHub makes of a page's headings."""
    headings = re.findall(r"^#+ (.+)$", page.read_text("utf-8"), re.M)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def commands(page):
    blocks = re.findall(r"```bash\n(.*?)```", Path(page).read_text("utf-8"), re.S)
    return [re.sub(r" +# .*", "", line) for line in "".join(blocks).splitlines()]


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_link_targets_exist(page):
    for path, anchor in re.findall(r"\]\((?!https?:)([^)#]*)#?([^)]*)\)", page.read_text("utf-8")):
        target = page.parent / path if path else page
        assert target.exists(), path
        assert not anchor or anchor in anchors(target), f"{path}#{anchor}"


@pytest.mark.parametrize("page", [page for page in PAGES if page.name != "CHANGELOG.md"], ids=str)
def test_make_targets_exist(page):
    targets = re.findall(r"^([a-z0-9-]+):", Path("Makefile").read_text("utf-8"), re.M)
    assert set(re.findall(r"(?:^|`)make ([a-z0-9-]+)", page.read_text("utf-8"), re.M)) <= {*targets}


@pytest.mark.parametrize("page", ["README.md", "docs/api.md"])
def test_routes_exist(page):
    paths = set(re.findall(r"(/api/[a-z0-9_/{}-]+/)", Path(page).read_text("utf-8")))
    assert len(paths) > 5
    for path in paths - {"/api/health/", "/api/health/live/", "/api/health/ready/", "/api/identity/auth/"}:
        assert resolve(re.sub(r"{\w+}", "1", path)), path


@pytest.mark.parametrize("page", ["README{}.md", "docs/operations{}.md", "docs/telegram{}.md"])
def test_both_languages_show_the_same_commands(page):
    assert commands(page.format("")) == commands(page.format(".ru"))
