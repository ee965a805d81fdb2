"""The page of an incident in the admin, and the form of a new one."""

import re
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from django.contrib.auth.models import Permission
from django.utils import timezone

from desk.templatetags.incident_page import difference
from identity.models import User
from incidents.actors import Named
from incidents.models import Incident, IncidentChange
from incidents.services import add_comment, change_incident
from tests.helpers.admin import INCIDENTS, form_of, open_form
from tests.helpers.incidents import make_incident

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]

HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(1)>\"'>{{ 7|add:7 }}"


def page_of(client, incident):
    page = client.get(f"{INCIDENTS}{incident.pk}/change/")
    assert page.status_code == 200
    return page


def record_of(page):
    """The words of the record, without the form."""
    text = page.text.split('<article class="card record">')[1].partition("<details")[0].partition("</article>")[0]
    return " ".join(re.sub(r"<[^>]+>", " ", text).split())


def test_the_head_says_status_age_and_who_took_it(site):
    incident = make_incident()
    change_incident(incident, values={"status": "in_progress"}, actor=Named("Анна"), channel="telegram")
    head = page_of(site, incident).text.split('class="incident-head"')[1].split("</form>")[0]
    assert f"<h1>№{incident.pk}</h1>" in head and "Возраст: <time" in head
    assert 'class="pill pill-in_progress">В работе<' in head
    assert re.search(r"Кто взял: <b>Анна</b>", head)


def test_it_reads_as_a_record(site, viewer):
    at = datetime(2024, 1, 15, 10, 30, tzinfo=UTC)
    incident = make_incident(description="Самокат не в сети", created_at=at)
    created = "Создан: 15.01.2024 13:30"
    shown = [record_of(page_of(client, incident)) for client in (site, viewer)]
    assert shown == [f"Самокат не в сети Оператор · {created}"] * 2
    change_incident(incident, values={"source": "partner"}, actor=Named("a"), channel="api")
    changed = timezone.localtime(incident.updated_at, ZoneInfo("Europe/Moscow"))
    assert record_of(page_of(site, incident)) == (
        f"Самокат не в сети Партнёр · {created} · Последняя запись: {changed:%d.%m.%Y %H:%M}"
    )


def is_open(page):
    """Whether the form is shown without a press."""
    (attributes,) = re.findall(r'<details\s+id="edit"([^>]*)>', page.text)
    return "open" in attributes.split()


def test_the_form_is_a_press_away_and_open_once_something_was_typed(site):
    incident = make_incident(description="Самокат не в сети")
    page = page_of(site, incident)
    assert not is_open(page)
    form = form_of(page)
    assert is_open(site.post(f"{INCIDENTS}{incident.pk}/change/", form | {"description": " "}))
    change_incident(incident, values={"description": "Самокат найден"}, actor=Named("a"), channel="api")
    assert is_open(site.post(f"{INCIDENTS}{incident.pk}/change/", form | {"description": "Самокат утонул"}))
    comment = form_of(page, "comment_form")
    assert not is_open(site.post(f"{INCIDENTS}{incident.pk}/comment/", comment | {"text": " "}))


@pytest.mark.parametrize(
    ("status", "following"), [("open", "in_progress"), ("in_progress", "resolved"), ("resolved", "closed")]
)
def test_the_next_status_is_the_one_primary_button(site, status, following):
    page = page_of(site, make_incident(status=status))
    buttons = re.findall(r'<button([^>]*"desk-button primary"[^>]*)>', page.text)
    assert [re.findall(r'value="(\w+)"', button) for button in buttons] == [[following]]


@pytest.mark.parametrize(
    ("status", "buttons"),
    [
        ("open", ["in_progress", "resolved", "closed"]),
        ("in_progress", ["resolved", "closed", "open"]),
        ("resolved", ["in_progress", "closed", "open"]),
        ("closed", ["in_progress", "resolved", "open"]),
    ],
)
def test_each_other_status_is_one_press_away(site, status, buttons):
    page = page_of(site, make_incident(status=status))
    assert re.findall(r'<button\s+name="status"\s+value="(\w+)"', page.text) == buttons
    assert f'name="shown" value="{status}"' in page.text


def test_the_time_line_has_changes_and_comments_newest_first(site):
    incident = make_incident(actor=Named("Анна Смирнова"), channel="telegram")
    change_incident(incident, values={"status": "in_progress"}, actor=Named("petrova"), channel="admin")
    change_incident(incident, values={"source": "partner"}, actor=Named("zabbix"), channel="webhook")
    add_comment(incident_id=incident.pk, text="Выехал техник", actor=Named("ivanov"), channel="api")
    entries = page_of(site, incident).text.split('<li class="entry')[1:]
    said = [" ".join(re.sub(r"<[^>]+>", " ", entry).split()) for entry in entries]
    for words, entry in zip(
        [
            ("ivanov", "API", "Выехал техник"),
            ("zabbix", "Вебхук", "Источник: Оператор → Партнёр"),
            ("petrova", "Админка", "Открыт → В работе"),
            ("Анна Смирнова", "Telegram", "Записан: Открыт Оператор"),
        ],
        said,
        strict=True,
    ):
        assert all(word in entry for word in words), entry


def test_a_long_text_is_folded_and_whole(site):
    incident = make_incident()
    add_comment(incident_id=incident.pk, text="слово " * 200 + "конец", actor=Named("a"), channel="api")
    entry = page_of(site, incident).text.split('<li class="entry')[1]
    assert '<details class="folded">' in entry and "слово конец" in entry


def test_an_edited_text_shows_what_it_was(site):
    incident = make_incident(description="Самокат не в сети")
    change_incident(incident, values={"description": "Самокат найден"}, actor=Named("a"), channel="api")
    entry = page_of(site, incident).text.split('<li class="entry')[1]
    assert "Самокат <del>не в сети</del> <ins>найден</ins></div>" in entry
    assert '<div class="text">Самокат не в сети</div>' in entry


def test_the_hundred_last_entries_and_a_link_to_all(site):
    incident = make_incident()
    for number in range(100):
        add_comment(incident_id=incident.pk, text=f"n{number}", actor=Named("a"), channel="api")
    page = page_of(site, incident).text
    assert page.count('<li class="entry') == 100
    assert "n0<" in page and "Записан:" not in page
    assert f'href="{INCIDENTS}{incident.pk}/history/"' in page


def test_hostile_words_are_inert(site):
    incident = make_incident(description=HOSTILE, actor=Named(HOSTILE))
    add_comment(incident_id=incident.pk, text=HOSTILE, actor=Named(HOSTILE), channel="api")
    change_incident(incident, values={"description": f"{HOSTILE} 2"}, actor=Named(HOSTILE), channel="api")
    change_incident(incident, values={"status": "in_progress"}, actor=Named(HOSTILE), channel="api")
    form = open_form(site, f"{incident.pk}/change/")
    change_incident(incident, values={"description": f"{HOSTILE} 3"}, actor=Named(HOSTILE), channel="api")
    conflict = site.post(f"{INCIDENTS}{incident.pk}/change/", form | {"description": f"{HOSTILE} 4"})
    for page in (page_of(site, incident), conflict):
        assert page.text.count("alert(1)") > 8
        assert "<script>alert" not in page.text and "<img" not in page.text and "14" not in form_of(page)["description"]


@pytest.mark.parametrize("path", ["{}/change/", "{}/history/", "{}/comment/"])
@pytest.mark.parametrize("number", ["77", f"{2**63}", f"{10**30}"])
def test_an_unknown_number_is_said(site, path, number):
    page = site.get(INCIDENTS + path.format(number), follow=True)
    assert page.redirect_chain[0][0] == "/api/admin/"
    assert [str(message) for message in page.context["messages"]] == ["Нет инцидента с таким номером."]


def test_an_unknown_number_is_said_to_a_post(site):
    for path in ("77/change/", "77/comment/"):
        assert site.post(INCIDENTS + path, {"text": "x", "description": "x"})["Location"] == "/api/admin/"


def test_who_may_only_look_reads_everything_and_has_no_controls(viewer):
    incident = make_incident(description="Самокат не в сети")
    add_comment(incident_id=incident.pk, text="Выехал техник", actor=Named("ivanov"), channel="api")
    page = page_of(viewer, incident)
    assert "Самокат не в сети" in page.text and "Выехал техник" in page.text
    assert not re.search(r"<(textarea|select|button name)", page.text)
    assert viewer.post(f"{INCIDENTS}{incident.pk}/change/", {"description": "x"}).status_code == 403
    assert viewer.get(f"{INCIDENTS}add/").status_code == viewer.post(f"{INCIDENTS}add/").status_code == 403
    assert IncidentChange.objects.count() == 2


def test_staff_without_a_permission_learn_nothing(viewer):
    incident = make_incident()
    User.objects.get(username="viewer").user_permissions.clear()
    for path in (f"{incident.pk}/change/", "77/change/", "77/history/", f"{incident.pk}/comment/", "77/comment/"):
        assert viewer.get(INCIDENTS + path).status_code == 403


@pytest.mark.parametrize("entries", [1, 50])
def test_queries_are_as_many_for_fifty_entries_as_for_one(site, entries, django_assert_num_queries):
    incident = make_incident()
    for number in range(entries - 1):
        change_incident(incident, values={"description": f"{number}"}, actor=Named(f"user{number}"), channel="api")
    page_of(site, incident)
    with django_assert_num_queries(18):
        page_of(site, incident)


@pytest.fixture
def report(site):
    return open_form(site, "add/") | {"description": " Течь\r\nна складе ", "source": "partner"}


def test_a_new_incident_is_recorded_and_shown(site, report):
    response = site.post(f"{INCIDENTS}add/", report)
    incident = Incident.objects.get()
    assert (response.status_code, response["Location"]) == (302, f"{INCIDENTS}{incident.pk}/change/")
    assert (incident.description, incident.status, incident.source) == ("Течь\nна складе", "open", "partner")


def test_save_pressed_twice_records_one_incident(site, report):
    first, again = (site.post(f"{INCIDENTS}add/", report) for _ in range(2))
    assert (first.status_code, again.status_code, again["Location"]) == (302, 302, first["Location"])
    assert Incident.objects.count() == IncidentChange.objects.count() == 1


def test_a_sent_form_with_another_text_asks_first(site, report):
    site.post(f"{INCIDENTS}add/", report)
    asked = site.post(f"{INCIDENTS}add/", report | {"description": "Течь в гараже"})
    assert (asked.status_code, Incident.objects.count()) == (200, 1)
    assert "Отправьте ещё раз" in asked.text and " data-unsaved" in asked.text
    again = form_of(asked)
    assert (again["description"], again["source"]) == ("Течь в гараже", "partner")
    assert site.post(f"{INCIDENTS}add/", again).status_code == 302
    assert Incident.objects.count() == 2


def test_a_refused_form_keeps_what_was_typed_and_is_recorded_once_mended(site, report):
    refused = site.post(f"{INCIDENTS}add/", report | {"source": ""})
    assert (refused.status_code, Incident.objects.count()) == (200, 0)
    mended = form_of(refused) | {"source": "partner"}
    for _ in range(2):
        assert site.post(f"{INCIDENTS}add/", mended).status_code == 302
    assert Incident.objects.get().description == "Течь\nна складе"


def test_recording_one_after_another(site, report):
    response = site.post(f"{INCIDENTS}add/", report | {"_addanother": ""})
    assert response["Location"] == f"{INCIDENTS}add/"


def test_a_form_without_its_number_is_recorded_by_scripts(site):
    site.post(f"{INCIDENTS}add/", {"description": "x", "status": "open", "source": "partner"})
    assert Incident.objects.count() == 1


def test_who_may_only_add_is_led_to_a_page_that_it_may_see(viewer):
    user = User.objects.get(username="viewer")
    user.user_permissions.set([Permission.objects.get(codename="add_incident")])
    response = viewer.post(f"{INCIDENTS}add/", {"description": "x", "status": "open", "source": "partner"}, follow=True)
    assert (response.status_code, response.redirect_chain) == (200, [("/api/admin/", 302)])
    assert f"Инцидент №{Incident.objects.get().pk} записан." in response.text


def test_the_filtered_list_is_led_back_to(site):
    incident = make_incident()
    query = "?_changelist_filters=status%3Dopen"
    page = site.get(f"{INCIDENTS}{incident.pk}/change/{query}")
    assert f'<a href="{INCIDENTS}?status=open">' in page.text
    saved = site.post(f"{INCIDENTS}{incident.pk}/comment/{query}", form_of(page, "comment_form") | {"text": "x"})
    assert saved["Location"] == f"{INCIDENTS}{incident.pk}/change/{query}"
    assert f'action="{INCIDENTS}{incident.pk}/change/{query}"' in page.text


@pytest.mark.parametrize(
    ("old", "new", "parts"),
    [
        ("a b c", "a x c", ("a ", "b", "x", " c")),
        ("a", "a b", ("a", "", " b", "")),
        ("a b", "b", ("", "a ", "", "b")),
        ("a a a", "a a", ("a a", " a", "", "")),
        ("a\n\nb", "a\n\nc", ("a\n\n", "b", "c", "")),
        ("", "", ("", "", "", "")),
        ("слово", "другое", ("", "слово", "другое", "")),
    ],
)
def test_what_differs_is_found_word_by_word(old, new, parts):
    found = difference(old, new)
    assert found == parts
    assert (found.before + found.old + found.after, found.before + found.new + found.after) == (old, new)


def test_a_press_of_a_status_button_leads_back_to_the_page(site):
    incident = make_incident()
    page = site.get(f"{INCIDENTS}{incident.pk}/change/?_changelist_filters=q%3Dx")
    form = form_of(page, "status_form") | {"status": "in_progress"}
    pressed = site.post(f"{INCIDENTS}{incident.pk}/status/", form)
    assert pressed["Location"] == f"{INCIDENTS}{incident.pk}/change/?_changelist_filters=q%3Dx"
    incident.refresh_from_db()
    assert incident.status == "in_progress"
