"""One comment on many incidents of the list: asked for once, signed, bounded, written on all of them or on none."""

import pytest
from django.core import signing
from django.db import IntegrityError
from django.test import Client

from desk import shared_comment
from desk.change_list import MAX_AT_ONCE
from identity.models import User
from incidents.models import Incident, IncidentChange
from tests.helpers.admin import INCIDENTS, form_of, told
from tests.helpers.incidents import make_incident

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]

COMMENTS = f"{INCIDENTS}comments/"


def choose(site, incidents, **data):
    data |= {"action": "comment", "_selected_action": [incident.pk for incident in incidents], "index": 0}
    return site.post(INCIDENTS, data)


@pytest.fixture
def incidents(db):
    return [make_incident(), make_incident(status="closed"), make_incident()]


@pytest.fixture
def form(site, incidents):
    return form_of(choose(site, incidents[:2]), "comment_form")


def comments():
    found = IncidentChange.objects.filter(changes__has_key="comment").order_by("incident")
    return [(entry.incident_id, entry.changes["comment"][1]) for entry in found]


def test_it_is_written_on_each(site, incidents, form):
    etags = [incident.etag for incident in incidents]
    response = site.post(COMMENTS, form | {"text": " Ждём\r\nпоставку "})
    assert (response.status_code, response["Location"]) == (302, INCIDENTS)
    assert comments() == [(incident.pk, "Ждём\nпоставку") for incident in incidents[:2]]
    entry = IncidentChange.objects.order_by("-id")[0]
    assert (entry.actor, entry.channel) == ("petrova", "admin") and entry.request_id
    assert told(response) == [f"Комментарий добавлен: {incidents[0]}, {incidents[1]}."]
    assert [incident.etag for incident in Incident.objects.order_by("pk")] == etags
    assert "Ждём\nпоставку" in site.get(f"{INCIDENTS}{incidents[0].pk}/change/").text


def test_it_says_how_many_and_which(site, incidents):
    page = choose(site, [*incidents, Incident(pk=999_999)]).text
    assert "Комментарий получат 3 инцидента." in page and "1 больше нет в этом списке." in page
    assert all(f">{incident}</a>" in page for incident in incidents)


def test_two_presses_write_it_once(site, form):
    for _ in range(2):
        assert site.post(COMMENTS, form | {"text": "Ждём"}).status_code == 302
    assert len(comments()) == 2


def test_another_text_by_the_same_page_asks_first(site, form):
    site.post(COMMENTS, form | {"text": "Ждём"})
    asked = site.post(COMMENTS, form | {"text": "Ждём поставку"})
    assert (asked.status_code, len(comments())) == (200, 2) and "Отправьте ещё раз" in asked.text
    assert site.post(COMMENTS, form_of(asked, "comment_form")).status_code == 302
    assert len(comments()) == 4


@pytest.mark.parametrize("text", ["", " \u200b", "x" * 20_001, "a\0b"])
def test_a_refused_text_keeps_the_choice_and_writes_nothing(site, incidents, form, text):
    refused = site.post(COMMENTS, form | {"text": text})
    assert (refused.status_code, comments()) == (200, []) and " data-unsaved" in refused.text
    site.post(COMMENTS, form_of(refused, "comment_form") | {"text": "Ждём"})
    assert [pk for pk, _ in comments()] == [incident.pk for incident in incidents[:2]]


def test_all_or_none(site, form, monkeypatch):
    def fail(written, text, **kwargs):
        add(list(written)[:1], text, **kwargs)
        raise IntegrityError

    add = shared_comment.add_comments
    monkeypatch.setattr(shared_comment, "add_comments", fail)
    with pytest.raises(IntegrityError):
        site.post(COMMENTS, form | {"text": "Ждём"})
    assert comments() == []


def test_what_was_archived_meanwhile_is_passed_over(site, incidents, form):
    chosen = signing.dumps([incidents[0].pk, 999_999], salt=shared_comment.SALT)
    assert site.post(COMMENTS, form | {"text": "Ждём", "chosen": chosen}).status_code == 302
    assert comments() == [(incidents[0].pk, "Ждём")]
    gone = signing.dumps([999_999], salt=shared_comment.SALT)
    assert site.post(COMMENTS, form | {"text": "Ждём", "once": "", "chosen": gone}).status_code == 404


@pytest.mark.parametrize("count", [1, 60])
def test_queries_are_as_many_for_sixty_as_for_one(site, count, django_assert_max_num_queries):
    chosen = [make_incident() for _ in range(count)]
    form = form_of(choose(site, chosen), "comment_form") | {"text": "Ждём"}
    with django_assert_max_num_queries(16):  # on PostgreSQL
        site.post(COMMENTS, form)


def test_five_hundred_at_most(site):
    Incident.objects.bulk_create(Incident(description="x", source="operator") for _ in range(MAX_AT_ONCE + 1))
    response = choose(site, Incident.objects.all()[:1], select_across=1)
    assert response.status_code == 302 and "не больше 500" in told(response)[0]
    Incident.objects.first().delete()
    page = choose(site, Incident.objects.all()[:1], select_across=1)
    site.post(COMMENTS, form_of(page, "comment_form") | {"text": "Ждём"})
    assert len(comments()) == MAX_AT_ONCE


@pytest.mark.parametrize(
    "chosen",
    ["", "x", "\0", signing.dumps([1]), signing.dumps([[1, "open", "closed"]])],
    ids=["empty", "text", "NUL", "other salt", "moves"],
)
def test_what_the_service_did_not_sign_is_refused(site, incidents, chosen):
    response = site.post(COMMENTS, {"chosen": chosen, "text": "x"})
    assert (response.status_code, told(response)) == (302, ["Страница устарела: ничего не изменено."])
    assert comments() == []


def test_nothing_that_is_left_to_comment_on_is_said(site):
    response = choose(site, [Incident(pk=999_999)])
    assert told(response) == ["Ничего не изменилось. 1 больше нет в этом списке."]


def test_who_may_only_look_writes_none(viewer, form):
    assert viewer.post(COMMENTS, form | {"text": "x"}).status_code == 403
    assert "Добавить комментарий" not in viewer.get(INCIDENTS).text
    assert comments() == []


def test_an_address_that_is_opened_leads_to_the_list(site):
    response = site.get(COMMENTS)
    assert (response.status_code, response["Location"]) == (302, INCIDENTS)


def test_the_words_outlive_a_log_out(form):
    User.objects.create_superuser("root", password="correct horse battery")
    client = Client()
    log_in = client.post(COMMENTS, form | {"text": "Ждём", "csrfmiddlewaretoken": "x"})
    fields = {"username": "root", "password": "correct horse battery"}
    response = client.post("/api/admin/login/", fields | {"draft": log_in.context["draft"]})
    page = client.get(response["Location"])
    shown = form_of(page, "comment_form")
    assert (shown["text"], comments()) == ("Ждём", [])
    client.post(COMMENTS, shown)
    assert len(comments()) == 2
