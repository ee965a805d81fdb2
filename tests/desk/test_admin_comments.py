"""Comments that operators write beside an incident's history."""

import pytest
from django.test import Client

from identity.models import User
from incidents.models import IncidentChange
from tests.helpers.admin import INCIDENTS, form_of, open_form
from tests.helpers.incidents import make_incident

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]


@pytest.fixture
def incident(db):
    return make_incident()


@pytest.fixture
def form(site, incident):
    return open_form(site, f"{incident.pk}/change/", "comment_form")


def send(site, incident, form, **typed):
    return site.post(f"{INCIDENTS}{incident.pk}/comment/", form | typed)


def comments():
    return [entry.changes["comment"] for entry in IncidentChange.objects.filter(changes__has_key="comment")]


def test_a_comment_is_an_entry_of_the_history(site, incident, form):
    response = send(site, incident, form, text=" Выехал техник\r\nбудет через час ")
    assert (response.status_code, response["Location"]) == (302, f"{INCIDENTS}{incident.pk}/change/")
    entry = IncidentChange.objects.order_by("-id")[0]
    assert (entry.actor, entry.channel) == ("petrova", "admin")
    assert entry.changes == {"comment": [None, "Выехал техник\nбудет через час"]}
    assert "Выехал техник\nбудет через час" in site.get(response["Location"]).text


def test_the_longest_comment(site, incident, form):
    text = "я\n" * 10_000
    send(site, incident, form, text="ю" + text[1:-1] + "ю")
    assert len(comments()[0][1]) == 20_000


@pytest.mark.parametrize("text", ["", " \r\n", "\u200b\ufeff", "x" * 20_001, "a\0b"])
def test_a_refused_comment_keeps_what_was_typed_and_records_nothing(site, incident, form, text):
    refused = send(site, incident, form, text=text)
    assert (refused.status_code, comments()) == (200, [])
    assert refused.context["comment_form"].errors.keys() == {"text"}
    assert form_of(refused, "comment_form")["text"].strip() == text.replace("\r\n", "\n").strip()
    assert form_of(refused)["description"] == incident.description


def test_the_button_pressed_twice_records_one_comment(site, incident, form):
    first, again = (send(site, incident, form, text="Выехал техник") for _ in range(2))
    assert (first.status_code, again.status_code, again["Location"]) == (302, 302, first["Location"])
    assert comments() == [[None, "Выехал техник"]]


def test_the_same_words_on_a_new_page_are_another_comment(site, incident, form):
    send(site, incident, form, text="Звонил: не отвечает")
    send(site, incident, open_form(site, f"{incident.pk}/change/", "comment_form"), text="Звонил: не отвечает")
    assert len(comments()) == 2


def test_a_sent_page_with_another_text_asks_first(site, incident, form):
    send(site, incident, form, text="Выехал")
    asked = send(site, incident, form, text="Выехал техник")
    assert (asked.status_code, comments()) == (200, [[None, "Выехал"]])
    assert "Отправьте ещё раз" in asked.text and " data-unsaved" in asked.text
    again = form_of(asked, "comment_form")
    assert again["text"] == "Выехал техник"
    assert send(site, incident, again).status_code == 302
    assert len(comments()) == 2


def test_the_address_of_a_refused_comment_leads_to_the_incident(site, incident):
    response = site.get(f"{INCIDENTS}{incident.pk}/comment/")
    assert (response.status_code, response["Location"]) == (302, f"{INCIDENTS}{incident.pk}/change/")


def test_who_may_only_look_writes_none(viewer, incident):
    assert viewer.post(f"{INCIDENTS}{incident.pk}/comment/", {"text": "x"}).status_code == 403
    assert comments() == []


def test_who_is_not_logged_in_is_sent_to_the_log_in(db, incident):
    response = Client().post(f"{INCIDENTS}{incident.pk}/comment/", {"text": "x"})
    assert response["Location"].startswith("/api/admin/login/")
    assert comments() == []


def test_without_a_csrf_token_nothing_is_recorded(incident):
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(User.objects.create_superuser("root"))
    assert strict.post(f"{INCIDENTS}{incident.pk}/comment/", {"text": "x"}).status_code == 403
    assert comments() == []
