from pathlib import Path

import pytest
from django.contrib.staticfiles import finders

from tests.helpers.api import errors

CSS = "/static/admin/css/base.css"


pytestmark = pytest.mark.both_databases


@pytest.fixture(scope="module")
def css():
    return Path(finders.find("admin/css/base.css")).read_bytes()


@pytest.mark.parametrize(
    ("given", "start", "end"),
    [("0-9", 0, 10), ("-5", -5, None), ("0-99999999", 0, None), ("0-", 0, None)],
)
def test_range_is_206(client, css, given, start, end):
    response = client.get(CSS, headers={"range": f"bytes={given}"})
    assert (response.status_code, b"".join(response)) == (206, css[start:end])
    first, after, _ = slice(start, end).indices(len(css))
    assert response["Content-Range"] == f"bytes {first}-{after - 1}/{len(css)}"
    assert response["Content-Length"] == str(after - first)


@pytest.mark.parametrize("given", ["5-2", "99999999-", "99999999-99999999"])
def test_range_beyond_the_end_is_416(client, css, given):
    response = client.get(CSS, headers={"range": f"bytes={given}"})
    assert (response.status_code, errors(response)) == (416, [("416 range_not_satisfiable", None)])
    assert response["Content-Range"] == f"bytes */{len(css)}"


@pytest.mark.parametrize(
    "given", ["bytes=a-b", "bytes=", "bytes=-", "bytes=0-1,4-5", "items=0-1", "x", f"bytes={'9' * 5000}-"]
)
def test_malformed_range_is_ignored(client, css, given):
    response = client.get(CSS, headers={"range": given})
    assert (response.status_code, b"".join(response)) == (200, css)


@pytest.mark.parametrize("method", ["post", "put", "delete", "options"])
def test_other_methods_are_405(client, method):
    response = getattr(client, method)(CSS)
    assert (response.status_code, errors(response)) == (405, [("405 method_not_allowed", None)])
    assert response["Allow"] == "GET, HEAD"
    assert response.json()["errors"][0]["detail"] == f'Method "{method.upper()}" not allowed.'


def test_head_of_a_range(client):
    response = client.head(CSS, headers={"range": "bytes=3-4"})
    assert (response.status_code, response["Content-Length"], b"".join(response)) == (206, "2", b"")
