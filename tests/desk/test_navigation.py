"""The navigation of the admin marks the page that is open, and no other."""

import re

import pytest

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]

PAGES = ["", "identity/user/settings/", "identity/user/", "identity/user/add/", "incidents/incident/", "auth/group/"]
MARKED = ["", "identity/user/settings/", "identity/user/", "identity/user/", "incidents/incident/", "auth/group/"]


@pytest.mark.parametrize(("path", "marked"), list(zip(PAGES, MARKED, strict=True)))
def test_one_is_marked(admin_client, path, marked):
    header = admin_client.get(f"/api/admin/{path}").text.partition("</header>")[0]
    assert re.findall(r'<a\s+href="/api/admin/([\w/]*)"\s+aria-current="page"', header) == [marked]
