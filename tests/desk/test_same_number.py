"""A new incident is offered to the unresolved ones that name the same number, where it can be a comment instead."""

import re

import pytest
from django.contrib.auth.models import Permission
from django.test import Client

from identity.models import User
from incidents.models import Incident, IncidentChange
from tests.helpers.admin import INCIDENTS, form_of, open_form, told
from tests.helpers.incidents import make_incident

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]

ADD = f"{INCIDENTS}add/"
SAME = f"{INCIDENTS}same-number/"
TEXT = "Самокат 875643 лежит на дороге"


@pytest.fixture
def incident(db):
    return make_incident(description="Самокат 875643 не в сети")


@pytest.fixture
def report(site):
    return open_form(site, "add/") | {"description": TEXT}


def offered(page):
    return [int(pk) for pk in re.findall(r'name="instead" value="(\d+)"', page.text)]


def comments():
    return [
        (entry.incident_id, entry.actor, entry.channel, entry.changes["comment"])
        for entry in IncidentChange.objects.filter(changes__has_key="comment")
    ]


def test_the_source_is_the_operator_and_the_focus_in_the_text(site):
    page = site.get(ADD)
    assert form_of(page)["source"] == "operator"
    assert re.search(r'<textarea [^>]*name="description"[^>]* autofocus', page.text)
    assert form_of(site.get(f"{ADD}?source=partner"))["source"] == "partner"


def test_every_page_leads_to_a_new_incident(site, viewer, incident):
    link = f'href="{ADD}"'
    for path in ("", "incidents/incident/", f"incidents/incident/{incident.pk}/change/", "password_change/"):
        assert site.get(f"/api/admin/{path}").text.count(link) == 1
    assert link not in viewer.get("/api/admin/").text


def test_the_unresolved_ones_are_shown_newest_first_with_status_age_and_words(site, incident):
    taken = make_incident(description="875643 перевёрнут", status="in_progress")
    for status in ("resolved", "closed"):
        make_incident(description="875643", status=status)
    make_incident(description="Самокат 8756431")
    page = site.get(SAME, {"text": TEXT})
    assert page.status_code == 200 and offered(page) == [taken.pk, incident.pk]
    words = " ".join(re.sub("<[^>]+>", " ", page.text).split())
    assert f"В работе только что №{taken.pk} 875643 перевёрнут Дописать туда №{taken.pk}" in words


@pytest.mark.parametrize("text", ["", "Самокат не в сети", "1234", "999999", "\ufffd", "٨٧٥٦٤٣", "9" * 3000])
def test_nothing_is_shown_without_such_a_number(site, incident, text):
    page = site.get(SAME, {"text": text})
    assert (page.status_code, page.text.strip()) == (200, "")


def test_five_at_most_are_shown(site):
    pks = [make_incident(description=f"875643 раз {number}").pk for number in range(7)]
    assert offered(site.get(SAME, {"text": TEXT})) == pks[:1:-1]


def test_hostile_words_are_inert(site):
    make_incident(description="<script>alert(1)</script> 875643")
    assert "&lt;script&gt;" in site.get(SAME, {"text": TEXT}).text


def test_a_nul_is_refused_and_a_press_is_no_way_to_ask(site):
    assert site.get(f"{SAME}?text=875643%00").status_code == 302
    assert site.post(SAME, {"text": TEXT}).status_code == 405


@pytest.mark.parametrize("count", [1, 50])
def test_queries_are_as_many_for_fifty_as_for_one(site, count, django_assert_num_queries):
    for _ in range(count):
        make_incident(description="875643")
    site.get(SAME, {"text": TEXT})
    with django_assert_num_queries(8):
        site.get(SAME, {"text": f"{TEXT} 11111 22222 33333"})
    with django_assert_num_queries(8):
        site.get(ADD)


def test_one_press_comments_there_instead(site, incident, report):
    response = site.post(ADD, report | {"instead": incident.pk})
    assert (response.status_code, response["Location"]) == (302, f"{INCIDENTS}{incident.pk}/change/")
    assert comments() == [(incident.pk, "petrova", "admin", [None, TEXT])]
    assert told(response) == [f"Ваш текст записан комментарием к {incident}."]
    assert Incident.objects.count() == 1


def test_two_presses_write_it_once(site, incident, report):
    for _ in range(2):
        assert site.post(ADD, report | {"instead": incident.pk}).status_code == 302
    assert len(comments()) == 1


def test_a_form_that_was_recorded_asks_before_it_is_a_comment_too(site, incident, report):
    site.post(ADD, report)
    asked = site.post(ADD, report | {"instead": incident.pk})
    assert (asked.status_code, comments()) == (200, []) and "Отправьте ещё раз" in asked.text
    assert site.post(ADD, form_of(asked) | {"instead": incident.pk}).status_code == 302
    assert len(comments()) == 1


def test_one_that_was_resolved_meanwhile_gets_it_and_is_said(site, incident, report):
    Incident.objects.update(status="resolved")
    response = site.post(ADD, report | {"instead": incident.pk})
    assert len(comments()) == 1
    assert told(response)[1] == f"{incident} уже не открыт: откройте заново, если проблема осталась."


@pytest.mark.parametrize("pk", ["", "x", "\0", "999999", f"{2**63}", "9" * 5000])
def test_one_that_is_not_there_gets_nothing(site, report, pk):
    assert site.post(ADD, report | {"instead": pk}).status_code == 404
    assert not IncidentChange.objects.exists()


@pytest.mark.parametrize("text", ["", "\u200b", "x" * 20_001, "875643 \0"])
def test_a_refused_text_is_no_comment(site, incident, report, text):
    refused = site.post(ADD, report | {"description": text, "instead": incident.pk})
    assert (refused.status_code, comments()) == (200, [])


def test_without_scripts_a_button_looks_for_them(site, incident, report):
    assert "<noscript>" in site.get(ADD).text
    page = site.post(ADD, report | {"_look": ""})
    assert (page.status_code, Incident.objects.count(), offered(page)) == (200, 1, [incident.pk])
    shown = form_of(page)
    assert (shown["description"], shown["once"]) == (TEXT, report["once"]) and " data-unsaved" in page.text
    for _ in range(2):
        site.post(ADD, shown | {"instead": incident.pk})
    assert len(comments()) == 1


def test_who_may_not_change_incidents_sees_them_without_a_press(incident):
    user = User.objects.create_user("adder", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=["add_incident", "view_incident"]))
    client = Client()
    client.force_login(user)
    page = client.get(SAME, {"text": TEXT})
    assert f"№{incident.pk}" in page.text and offered(page) == []
    assert "desk/same_number" in client.get(ADD).text
    form = open_form(client, "add/") | {"description": TEXT, "instead": incident.pk}
    assert client.post(ADD, form).status_code == 403
    user.user_permissions.set([Permission.objects.get(codename="add_incident")])
    assert client.get(SAME, {"text": TEXT}).status_code == 403
    assert "desk/same_number" not in client.get(ADD).text  # which would be refused at each number
    assert f"№{incident.pk}" not in client.post(ADD, form | {"_look": ""}).text
    assert Client().get(SAME, {"text": TEXT}).status_code == 302
    assert comments() == []
