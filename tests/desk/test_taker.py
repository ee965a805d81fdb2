"""Mine, take over, hand over: who has an incident, by one press each."""

import re

import pytest
from django.contrib.auth.models import Group
from django.test import Client

from identity.models import User
from incidents.actors import Named
from incidents.models import Incident
from incidents.services import change_incident
from tests.helpers.admin import INCIDENTS, open_form, told, undo
from tests.helpers.incidents import make_incident

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]


@pytest.fixture
def anna(db):
    user = User.objects.create_user("anna", last_name="Сидорова", first_name="Анна")
    user.groups.add(Group.objects.get(name="operators"))
    return user


def taken(by="boris", status="in_progress"):
    incident = change_incident(make_incident(), values={"status": "in_progress"}, actor=Named(by), channel="api")
    return change_incident(incident, values={"status": status}, actor=Named(by), channel="api")


def press(site, incident, **values):
    return site.post(
        f"{INCIDENTS}{incident.pk}/taker/", open_form(site, f"{incident.pk}/change/", "taker_form") | values
    )


def state(incident):
    return Incident.objects.values_list("status", "taken_by").get(pk=incident.pk)


def last_entry(api, incident):
    entry = api.get(f"/api/v1/incidents/{incident.pk}/history/").json()["results"][-1]
    return entry["actor"], entry["channel"], entry["changes"]


def test_taken_over_by_one_press(site, api):
    incident = taken()
    page = site.get(f"{INCIDENTS}{incident.pk}/change/").text
    assert re.search(r'name="taker"\s+value="petrova"', page)
    response = press(site, incident, taker="petrova")
    assert response.url == f"{INCIDENTS}{incident.pk}/change/?"
    assert state(incident) == ("in_progress", "petrova")
    assert last_entry(api, incident) == ("petrova", "admin", {"taken_by": ["boris", "petrova"]})
    assert 'name="taker"' not in site.get(f"{INCIDENTS}{incident.pk}/change/").text
    assert f"№{incident.pk}: взял(а) petrova." in told(response)[0]


def test_handed_over_to_a_person_of_the_menu(site, anna, api):
    incident = taken("petrova")
    page = site.get(f"{INCIDENTS}{incident.pk}/change/").text
    assert '<option value="anna">Сидорова Анна</option>' in page
    response = press(site, incident, person="anna")
    assert f"№{incident.pk}: взял(а) Сидорова Анна." in told(response)[0]
    assert state(incident) == ("in_progress", "anna")
    assert last_entry(api, incident) == ("petrova", "admin", {"taken_by": ["petrova", "anna"]})


def test_an_open_incident_is_taken_for_the_person(site, anna, api):
    incident = make_incident()
    press(site, incident, person="anna")
    assert state(incident) == ("in_progress", "anna")
    assert last_entry(api, incident)[2] == {"status": ["open", "in_progress"], "taken_by": ["", "anna"]}
    undo(site)
    assert state(incident) == ("open", "")
    undo(site)
    assert state(incident) == ("in_progress", "anna")


@pytest.mark.parametrize("former", ["boris", "Пётр из чата"])
def test_it_is_undone_and_done_again(site, anna, api, former):
    incident = taken(former)
    press(site, incident, person="anna")
    undo(site)
    assert state(incident) == ("in_progress", former)
    assert last_entry(api, incident)[2] == {"taken_by": ["anna", former]}
    undo(site)
    assert state(incident) == ("in_progress", "anna")


def test_it_is_not_undone_once_another_person_has_it(site, anna):
    incident = taken()
    press(site, incident, taker="petrova")
    form = open_form(site, "", "undo")
    incident.refresh_from_db()
    change_incident(incident, values={"taken_by": "anna"}, actor=Named("anna"), channel="admin")
    response = site.post(f"{INCIDENTS}moves/", form)
    assert told(response)[-1] == (f"{incident} не изменён: теперь его взял(а) Сидорова Анна, автор — Сидорова Анна.")
    assert state(incident) == ("in_progress", "anna")


def test_who_was_faster_is_told(site, anna):
    incident = taken()
    form = open_form(site, f"{incident.pk}/change/", "taker_form")
    incident.refresh_from_db()
    change_incident(incident, values={"taken_by": "anna"}, actor=Named("anna"), channel="admin")
    response = site.post(f"{INCIDENTS}{incident.pk}/taker/", form | {"taker": "petrova"})
    assert told(response)[-1].endswith("теперь его взял(а) Сидорова Анна, автор — Сидорова Анна.")
    incident.refresh_from_db()
    change_incident(incident, values={"status": "resolved"}, actor=Named("anna"), channel="admin")
    response = site.post(f"{INCIDENTS}{incident.pk}/taker/", form | {"taker": "petrova"})
    assert told(response)[-1].endswith("его статус теперь «Решён», автор — Сидорова Анна.")
    assert state(incident) == ("resolved", "anna")


def test_a_press_that_changes_nothing(site):
    incident = taken("petrova")
    response = press(site, incident, taker="petrova")
    assert told(response) == ["Ничего не изменилось."]
    assert incident.changes.count() == 2


@pytest.mark.parametrize("person", ["", "gone", "left", "client", "a\0b", "x" * 10_000])
def test_only_those_who_may_change_incidents_get_them(site, person):
    User.objects.create_user("left", is_superuser=True, is_active=False)
    User.objects.create_user("client")
    incident = taken()
    page = site.get(f"{INCIDENTS}{incident.pk}/change/").text
    assert 'value="left"' not in page and 'value="client"' not in page
    response = press(site, incident, person=person)
    assert told(response) == ["Этому человеку инцидент передать нельзя: ничего не изменено."]
    assert state(incident) == ("in_progress", "boris")


@pytest.mark.parametrize("status", ["resolved", "closed"])
def test_what_is_over_is_not_handed_over(site, status):
    incident = taken(status=status)
    assert "taker_form" not in site.get(f"{INCIDENTS}{incident.pk}/change/").text
    sent = {"shown": status, "shown_taker": "boris", "taker": "petrova"}
    assert site.post(f"{INCIDENTS}{incident.pk}/taker/", sent).status_code == 400
    assert site.post(f"{INCIDENTS}{incident.pk}/taker/", {}).status_code == 400


def test_only_those_who_may(anna, site):
    incident = taken()
    reader = User.objects.create_user("reader", is_staff=True)
    client = Client()
    client.force_login(reader)
    sent = {"shown": "in_progress", "shown_taker": "boris", "taker": "anna"}
    assert client.post(f"{INCIDENTS}{incident.pk}/taker/", sent).status_code == 403
    assert site.get(f"{INCIDENTS}{incident.pk}/taker/").status_code == 405
    assert state(incident) == ("in_progress", "boris")


def test_the_time_line_and_the_history_name_people(site, anna):
    incident = taken("anna")
    press(site, incident, taker="petrova")
    page = site.get(f"{INCIDENTS}{incident.pk}/change/").text
    entry = re.sub(r"\s+", " ", page.partition('<li class="entry">')[2])
    assert re.search(r'Кто взял: <span title="anna">Сидорова Анна</span> → <b>petrova</b>', entry)
    page = re.sub(r"\s+", " ", site.get(f"{INCIDENTS}{incident.pk}/history/").text)
    assert "Кто взял: Сидорова Анна → petrova" in page


def test_namesakes_are_told_apart(site, anna):
    User.objects.create_user("anna2", last_name="Сидорова", first_name="Анна", is_superuser=True)
    page = site.get(f"{INCIDENTS}{taken().pk}/change/").text
    assert "Сидорова Анна (anna)<" in page and "Сидорова Анна (anna2)<" in page


def numbers(page):
    return sorted({int(number) for number in re.findall(r">№(\d+)</a>", page.text)})


def test_the_list_of_mine_and_of_a_person(site, anna):
    mine, annas, done, _open = taken("petrova"), taken("anna"), taken("petrova", "closed"), make_incident()
    assert numbers(site.get(f"{INCIDENTS}?taken_by=petrova")) == [mine.pk, done.pk]
    page = site.get(f"{INCIDENTS}?taken_by=anna")
    assert numbers(page) == [annas.pk]
    assert re.search(r'aria-current="true"\s*>Сидорова Анна<', page.text) and re.search(r">Мои<", page.text)
    assert '<span title="anna">Сидорова Анна</span>' in page.text
    assert numbers(site.get(f"{INCIDENTS}?taken_by=nobody")) == []


def test_a_person_who_has_left_is_still_named_in_the_filter(site, anna):
    User.objects.filter(pk=anna.pk).update(is_active=False)
    assert re.search(r"<b>Сидорова Анна</b>", site.get(f"{INCIDENTS}?taken_by=anna").text)


def test_the_navigation_counts_mine(site, anna):
    taken("petrova"), taken("anna"), taken("petrova", "closed")

    def link(page):
        return re.search(r'<a href="([^"]*)">\s*Мои\s*(?:<b class="desk-count">([^<]*)</b>)?', page.text).groups()

    url, number = link(site.get("/api/admin/"))
    assert number == "1"
    assert len(numbers(site.get(url.replace("&amp;", "&")))) == 1
    for _ in range(2):
        taken("petrova")
    assert link(site.get(INCIDENTS))[1] == "3"


def test_the_boards_shared_content_has_no_number_of_a_person(site):
    taken("petrova")
    assert "desk-count" not in site.get("/api/admin/board/").text


def test_a_person_without_incidents_has_no_number(site):
    assert "desk-count" not in site.get("/api/admin/").text
