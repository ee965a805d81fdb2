"""What a description may be, and its line breaks, whichever way it comes in."""

import re
import unicodedata

import pytest

from incidents.models import Incident, IncidentChange
from incidents.text import INVISIBLE
from tests.helpers.api import errors
from tests.helpers.incidents import make_incident

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]

URL = "/api/v1/incidents/"
ADMIN = "/api/admin/incidents/incident/"
LINES = "строка\n" * 199 + "ы" * (20_000 - 7 * 199 - 1)  # 199 line breaks and 19,999 characters


def post(api, description, **headers):
    return api.post(URL, {"description": description, "source": "operator"}, "application/json", headers=headers)


@pytest.mark.parametrize(
    "description",
    [
        *"\u200b\ufeff\u2060\u00ad\u180e\u061c\u3164\u2800\u115f\ufe0f\u034f\u0301\u00a0\u3000\u2028\x85\x7f\x01",
        "\u200b \n\u2060\t\ufeff",
        "\u202e\u202c\u2066\u2069",
        "\U000e0020\U000e007f",
        "\U000e0100",
        "",
        " \r\n ",
    ],
)
def test_nothing_visible_is_blank(api, description):
    assert errors(post(api, description)) == [("blank", "description")]
    assert errors(post(api, description, **{"idempotency-key": "k"})) == [("blank", "description")]
    pk = make_incident(description="x").pk
    patch = api.patch(f"{URL}{pk}/", {"description": description}, "application/json")
    assert errors(patch) == [("blank", "description")]
    comment = api.post(f"{URL}{pk}/comments/", {"text": description}, "application/json")
    assert errors(comment) == [("blank", "text")]


@pytest.mark.parametrize(
    "description", ["👨\u200d👩\u200d👧", "❤\ufe0f", "и\u0306", "\ufeffсамокат\u200b", "-", "е", "\ue000"]
)
def test_what_is_visible_is_kept_as_it_is(api, description):
    assert post(api, description).json()["description"] == description


def test_nothing_visible_is_blank_in_the_admin(site):
    page = site.post(ADMIN + "add/", {"description": "\u200b\ufeff", "status": "open", "source": "partner"})
    assert page.context["adminform"].form.errors.keys() == {"description"}


def test_invisible_are_the_categories_that_show_nothing():
    invisible = re.compile(f"[{INVISIBLE}]")
    characters = [chr(point) for point in range(0x110000) if not 0xD800 <= point < 0xE000]
    shows_nothing = [c for c in characters if unicodedata.category(c) in ("Cc", "Cf", "Zs", "Zl", "Zp") or c.isspace()]
    assert [c for c in shows_nothing if not invisible.match(c)] == []
    assert [c for c in characters if invisible.match(c) and unicodedata.category(c)[0] in "LNP"] == [
        *"\u115f\u1160\u3164\uffa0"
    ]


def test_rule_is_in_the_document_in_words(client):
    components = client.get("/api/schema/").json()["components"]["schemas"]
    for field in (
        components["IncidentRequest"]["properties"]["description"],
        components["CommentRequest"]["properties"]["text"],
    ):
        assert "at least one visible character" in field["description"] and "pattern" not in field


@pytest.mark.parametrize("line_break", ["\n", "\r\n", "\r"])
def test_line_breaks_are_one_thing(api, line_break):
    response = post(api, LINES.replace("\n", line_break))
    assert (response.status_code, response.json()["description"]) == (201, LINES)
    pk = response.json()["id"]
    patch = api.patch(f"{URL}{pk}/", {"description": LINES.replace("\n", line_break)}, "application/json")
    assert patch["ETag"] == response["ETag"]
    comment = api.post(f"{URL}{pk}/comments/", {"text": f"раз{line_break}два"}, "application/json")
    assert comment.json()["changes"] == {"comment": [None, "раз\nдва"]}
    search = f"строка{line_break}строка"
    assert api.get(URL, {"search": search}).json()["count"] == 1


def test_a_line_break_of_two_characters_is_one_of_three(api):
    assert errors(api.get(URL, {"search": "a\r\n"})) == [("min_length", "search")]


def test_a_form_that_sends_its_own_line_breaks_changes_nothing_else(site):
    incident = make_incident(description=LINES)
    sent = LINES.replace("\n", "\r\n")
    data = {"description": sent, "initial-description": sent, "status": "closed", "initial-status": "open"}
    data |= {"source": "operator", "initial-source": "operator"}
    assert site.post(f"{ADMIN}{incident.pk}/change/", data).status_code == 302
    assert IncidentChange.objects.order_by("-id")[0].changes == {"status": ["open", "closed"]}
    assert Incident.objects.get().description == LINES


def test_an_edited_text_is_stored_with_plain_line_breaks(site, api):
    incident = make_incident(description="a")
    data = {"description": "раз\r\nдва\rтри", "initial-description": "a", "status": "open", "source": "operator"}
    site.post(f"{ADMIN}{incident.pk}/change/", data)
    assert Incident.objects.get().description == "раз\nдва\nтри"
    assert site.get(ADMIN, {"q": "два\r\nтри"}).context["cl"].result_count == 1
