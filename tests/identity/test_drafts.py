"""What was typed at the desk is kept through a log-in and shown again, and saved by no one unseen."""

from datetime import timedelta

import pytest
from django.contrib.auth.models import Group
from django.contrib.sessions.models import Session
from django.core import signing
from django.test import Client
from django.utils import timezone

from desk import drafts
from identity.models import User
from incidents.actors import Named
from incidents.models import Incident
from incidents.services import change_incident
from tests.helpers.admin import INCIDENTS, form_of, told
from tests.helpers.identity import PASSWORD
from tests.helpers.incidents import make_incident

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]

LOGIN = "/api/admin/login/"
HERE = {"origin": "http://testserver"}
KEPT = "Вы вышли из системы. Введённое сохраняется"
NOT_SAVED = "Введённое ещё не сохранено"


def make_user(name):
    user = User.objects.create_user(name, password=PASSWORD, is_staff=True)
    user.groups.add(Group.objects.get(name="operators"))
    return user


@pytest.fixture
def browser():
    """Logged in by its log-in page, with the check of the CSRF token."""
    make_user("petrova")
    make_user("sidorov")
    browser = Client(enforce_csrf_checks=True, headers={"accept-language": "ru"})
    log_in(browser, browser.get(LOGIN))
    return browser


def log_in(browser, page, username="petrova", password=PASSWORD):
    form = form_of(page, "login-form") | {"username": username, "password": password}
    draft = page.context.get("draft")
    return browser.post(LOGIN, form | ({"draft": draft} if draft else {}), headers=HERE)


def log_out(browser):
    Session.objects.all().delete()


def change_password(browser):
    user = User.objects.get(username="petrova")
    user.set_password("a new long password")
    user.save()
    user.set_password(PASSWORD)
    user.save()


def wait_two_weeks(browser):
    del browser.cookies["sessionid"]


def log_in_in_another_tab(browser):
    log_in(browser, Client.get(browser, f"{LOGIN}?next=/api/admin/"))


FORMS = [
    ("add/", "incident_form", "description"),
    ("{pk}/change/", "incident_form", "description"),
    ("{pk}/change/?_changelist_filters=q%3Dx", "incident_form", "description"),
    ("{pk}/comment/", "comment_form", "text"),
]


def open_form(browser, path, form):
    page = browser.get(INCIDENTS + path.replace("comment/", "change/"))
    return form_of(page, form) | ({"source": "operator"} if form == "incident_form" else {})


def typed_in(page, form, field):
    assert page.status_code == 200
    return form_of(page, form)[field]


@pytest.mark.parametrize(("path", "form", "field"), FORMS)
@pytest.mark.parametrize("end", [log_out, change_password, wait_two_weeks])
def test_it_is_shown_again_after_the_log_in(browser, end, path, form, field):
    path = path.format(pk=make_incident().pk)
    before = Incident.objects.count()
    text = 'Насос «3» течёт\r\n<b>&amp;"'
    sent = open_form(browser, path, form) | {field: text}
    end(browser)
    page = browser.post(INCIDENTS + path, sent, headers=HERE)
    assert page.status_code == 200 and KEPT in page.content.decode()
    page = log_in(browser, page, password="wrong")
    assert page.status_code == 200 and KEPT in page.content.decode()
    response = log_in(browser, page)
    assert (response.status_code, response["Location"]) == (302, INCIDENTS + path)
    page = browser.get(response["Location"])
    assert NOT_SAVED in page.content.decode() and "data-unsaved" in page.content.decode()
    assert Incident.objects.count() == before
    sent = form_of(page, form)
    assert sent[field].replace("\r\n", "\n") == text.replace("\r\n", "\n")
    assert browser.post(INCIDENTS + path, sent, headers=HERE).status_code == 302
    incident = Incident.objects.latest("id")
    stored = incident.changes.latest("id").changes["comment"][1] if field == "text" else incident.description
    assert stored == text.replace("\r\n", "\n")
    assert not drafts_of_sessions()


def drafts_of_sessions():
    return [session for session in Session.objects.all() if drafts.SESSION_KEY in session.get_decoded()]


@pytest.mark.parametrize(("path", "form", "field"), FORMS)
def test_it_is_shown_again_after_a_log_in_in_another_tab(browser, path, form, field):
    path = path.format(pk=make_incident().pk)
    sent = open_form(browser, path, form) | {field: "Насос 3 течёт"}
    log_out(browser)
    log_in(browser, browser.get(LOGIN), "sidorov")
    response = browser.post(INCIDENTS + path, sent, headers=HERE)
    assert (response.status_code, response["Location"]) == (302, INCIDENTS + path)
    page = browser.get(response["Location"])
    assert typed_in(page, form, field) == "Насос 3 течёт" and NOT_SAVED in page.content.decode()
    assert browser.post(INCIDENTS + path, form_of(page, form), headers=HERE).status_code == 302
    assert Incident.objects.latest("id").changes.latest("id").actor == "sidorov"


def test_another_tab_logs_in_while_the_log_in_page_waits(browser):
    sent = open_form(browser, "add/", "incident_form") | {"description": "Насос 3 течёт"}
    log_out(browser)
    page = browser.post(f"{INCIDENTS}add/", sent, headers=HERE)
    log_in(browser, browser.get(LOGIN))
    response = log_in(browser, page)
    assert response["Location"] == f"{INCIDENTS}add/"
    assert typed_in(browser.get(response["Location"]), "incident_form", "description") == "Насос 3 течёт"


def test_it_is_shown_once(browser):
    sent = open_form(browser, "add/", "incident_form") | {"description": "Насос 3 течёт"}
    log_out(browser)
    log_in(browser, browser.post(f"{INCIDENTS}add/", sent, headers=HERE))
    assert [typed_in(browser.get(f"{INCIDENTS}add/"), "incident_form", "description") for _ in range(2)] == [
        "Насос 3 течёт",
        "",
    ]


def test_what_others_changed_meanwhile_is_compared(browser):
    incident = make_incident()
    sent = open_form(browser, f"{incident.pk}/change/", "incident_form") | {"description": "моё"}
    log_out(browser)
    change_incident(incident, values={"description": "их"}, actor=Named("boris"), channel="api")
    response = log_in(browser, browser.post(f"{INCIDENTS}{incident.pk}/change/", sent, headers=HERE))
    page = browser.get(response["Location"]).content.decode()
    assert "theirs" in page and "их" in page and "моё" in page and "boris" in page
    incident.refresh_from_db()
    assert incident.description == "их"


def test_what_was_recorded_already_is_recorded_once(browser):
    sent = open_form(browser, "add/", "incident_form") | {"description": "Насос 3 течёт"}
    browser.post(f"{INCIDENTS}add/", sent, headers=HERE)
    log_out(browser)
    response = log_in(browser, browser.post(f"{INCIDENTS}add/", sent, headers=HERE))
    browser.post(f"{INCIDENTS}add/", form_of(browser.get(response["Location"])), headers=HERE)
    assert Incident.objects.count() == 1


@pytest.mark.parametrize(
    "headers", [{"origin": "https://evil.example"}, {"origin": "null"}, {}, {"referer": "http://evil.example/"}]
)
def test_another_site_fills_no_form(browser, headers):
    form = {"description": "Чужое", "status": "open", "source": "operator"}
    for data in (form, form | {drafts.TOKEN: "x" * 64}):
        response = browser.post(f"{INCIDENTS}add/", data, headers=headers)
        assert response.status_code == 403 and "Чужое" not in response.content.decode()
    browser.cookies.clear()
    assert browser.post(f"{INCIDENTS}add/", form, headers=headers).status_code == 403
    assert not drafts_of_sessions()


@pytest.mark.parametrize(
    "draft",
    ["x", "\0", signing.dumps([f"{INCIDENTS}add/", "description=x"], salt="other")],
    ids=["text", "NUL", "other salt"],
)
def test_a_draft_that_was_not_signed_here_is_no_draft(browser, draft):
    page = browser.get(LOGIN)
    log_out(browser)
    page = browser.get(LOGIN)
    form = form_of(page, "login-form") | {"username": "petrova", "password": PASSWORD, "draft": draft}
    assert browser.post(LOGIN, form, headers=HERE)["Location"] == "/api/admin/"
    assert not drafts_of_sessions()


def test_a_text_of_any_length_is_answered(browser):
    sent = open_form(browser, "add/", "incident_form") | {"description": "ж" * (drafts.MAX_CHARACTERS + 1)}
    log_out(browser)
    response = browser.post(f"{INCIDENTS}add/", sent, headers=HERE)
    assert response["Location"].startswith(LOGIN)


def test_a_press_leads_back_and_says_that_it_changed_nothing(browser):
    incident = make_incident()
    page = browser.get(f"{INCIDENTS}?status__in=open")
    sent = {
        drafts.TOKEN: form_of(page, "changelist-form")[drafts.TOKEN],
        "status": "closed",
        "next": f"{INCIDENTS}?status__in=open",
    }
    log_out(browser)
    response = browser.post(f"{INCIDENTS}{incident.pk}/status/?shown=open", sent, headers=HERE)
    assert told(response) == ["Ничего не изменено: вы вышли из системы."]
    page = browser.get(response["Location"])
    assert log_in(browser, page)["Location"] == f"{INCIDENTS}?status__in=open"


@pytest.mark.parametrize("path", ["intake/delivery/1/retry/", "identity/user/1/telegram-code/"])
def test_a_press_without_an_address_leads_back_to_its_page(browser, path):
    page = "http://testserver/api/admin/intake/delivery/?state=faulty"
    sent = {drafts.TOKEN: browser.get("/api/admin/").context["csrf_token"]}
    log_out(browser)
    response = browser.post(f"/api/admin/{path}", sent, headers=HERE | {"referer": page})
    assert log_in(browser, browser.get(response["Location"]))["Location"] == page


def test_a_press_leads_to_no_other_site(browser):
    sent = {drafts.TOKEN: browser.get("/api/admin/").context["csrf_token"], "next": "//evil.example"}
    log_out(browser)
    response = browser.post("/api/admin/", sent, headers=HERE | {"referer": "https://evil.example/"})
    assert "evil" not in response["Location"]


def test_passwords_are_never_kept(browser):
    page = browser.get("/api/admin/password_change/")
    sent = {drafts.TOKEN: page.context["csrf_token"], "old_password": "secret word", "new_password1": "secret word"}
    log_out(browser)
    response = browser.post("/api/admin/password_change/", sent, headers=HERE)
    assert response.status_code == 302 and "secret" not in response["Location"]


@pytest.mark.parametrize(
    ("path", "prolongs"),
    [
        ("", True),
        ("incidents/incident/", True),
        ("password_change/", True),
        ("board/", False),
        ("news/", False),
        ("jsi18n/", False),
    ],
)
def test_work_prolongs_the_session_and_the_boards_script_does_not(browser, path, prolongs):
    soon = timezone.now() + timedelta(hours=1)
    Session.objects.update(expire_date=soon)
    response = browser.get(f"/api/admin/{path}")
    assert response.status_code == 200
    assert (Session.objects.get().expire_date > soon + timedelta(days=13)) == prolongs
    assert ("sessionid" in response.cookies) == prolongs
