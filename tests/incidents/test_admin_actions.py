"""The status of many incidents at once, in the admin: it asks first, is bounded, and says what it did."""

import re

import pytest
from django.contrib.messages import get_messages

from incidents.actors import Named
from incidents.admin import change_list, set_status
from incidents.models import Incident, IncidentChange
from incidents.services import change_incident
from tests.helpers.incidents import make_incident

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]

URL = "/api/admin/incidents/incident/"


def fill(count):
    return Incident.objects.bulk_create(Incident(description="x", source="operator") for _ in range(count))


def choose(site, action, incidents, url=URL, **data):
    data |= {"action": action, "_selected_action": [incident.pk for incident in incidents], "index": 0}
    return site.post(url, data)


def confirm(site, page, url=URL):
    """What the browser sends of the page's form."""
    fields = re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', page.content.decode())
    data = {}
    for name, value in fields:
        data.setdefault(name, []).append(value)
    return site.post(url, data)


def told(response):
    return [str(message) for message in get_messages(response.wsgi_request)]


def statuses():
    return set(Incident.objects.values_list("status", flat=True))


@pytest.mark.parametrize(
    ("action", "status"), [("open", "open"), ("take", "in_progress"), ("resolve", "resolved"), ("close", "closed")]
)
def test_it_asks_and_then_changes(site, action, status):
    incidents = [make_incident(), make_incident(status="resolved"), make_incident(status="closed")]
    already = sum(incident.status == status for incident in incidents)
    page = choose(site, action, incidents)
    assert page.status_code == 200 and "Вы уверены?" in page.content.decode()
    assert not IncidentChange.objects.filter(channel="admin").exists()
    response = confirm(site, page)
    assert response.status_code == 302
    assert statuses() == {status}
    assert IncidentChange.objects.filter(channel="admin", actor="petrova").count() == 3 - already


def test_it_says_how_many_were_changed_and_how_many_not(site):
    incidents = [make_incident(), make_incident(), make_incident(status="closed")]
    page = choose(site, "close", incidents)
    assert "Статус 2 инцидентов станет «Закрыт»." in page.content.decode()
    assert "1 уже имеет этот статус." in page.content.decode()
    assert told(confirm(site, page)) == ["Изменено 2 инцидента. 1 уже имел этот статус."]


def test_nothing_to_change_is_not_asked_about(site):
    response = choose(site, "close", [make_incident(status="closed")])
    assert (response.status_code, told(response)) == (302, ["Изменено 0 инцидентов. 1 уже имел этот статус."])


def test_what_left_the_filtered_list_meanwhile_is_left_alone_and_told(site):
    incidents, url = [make_incident(), make_incident()], f"{URL}?status__exact=open"
    page = choose(site, "take", incidents, url)
    change_incident(incidents[0], values={"status": "closed"}, actor=Named("b"), channel="api")
    assert told(confirm(site, page, url)) == ["Изменён 1 инцидент. 1 больше нет в этом списке."]
    assert statuses() == {"closed", "in_progress"}


def test_all_of_the_list_can_be_chosen_where_they_are_few(site):
    fill(60)
    assert 'class="question hidden"' in site.get(URL).content.decode()
    page = choose(site, "close", Incident.objects.all()[:50], select_across=1)
    assert told(confirm(site, page)) == ["Изменено 60 инцидентов."]


def test_too_many_are_refused(site):
    fill(set_status.MOST_AT_ONCE + 1)
    assert 'class="question hidden"' not in site.get(URL).content.decode()
    response = choose(site, "close", Incident.objects.all()[:1], select_across=1)
    assert response.status_code == 302
    assert told(response) == [
        "За один раз можно изменить не больше 500 инцидентов: выберите меньше. Ничего не изменено."
    ]
    assert statuses() == {"open"}


def test_the_most_that_are_allowed_can_be_confirmed(site):
    fill(set_status.MOST_AT_ONCE)
    page = choose(site, "close", Incident.objects.all()[:1], select_across=1)
    assert confirm(site, page).status_code == 302
    assert statuses() == {"closed"}


def test_a_failure_half_way_changes_nothing(site, monkeypatch):
    incidents = [make_incident(), make_incident()]
    page = choose(site, "close", incidents)
    monkeypatch.setattr(set_status, "change_incident", fail_at_the_second(set_status.change_incident))
    with pytest.raises(RuntimeError):
        confirm(site, page)
    assert statuses() == {"open"}


def fail_at_the_second(change):
    calls = []

    def changed(incident, **kwargs):
        calls.append(incident)
        if len(calls) == 2:
            raise RuntimeError
        return change(incident, **kwargs)

    return changed


@pytest.mark.parametrize("selected", ["x", "", "\0", "1.5", "9" * 19, "9" * 5000, "1,2", "'", ["1", "x"], "\ufffd"])
@pytest.mark.parametrize("data", [{}, {"index": 0}, {"select_across": 1}, {"confirmed": "yes"}, {"index": "x" * 5000}])
def test_a_selection_that_is_none_gives_a_message(site, selected, data):
    make_incident()
    response = site.post(URL, {"action": "close", "_selected_action": selected, **data})
    assert (response.status_code, told(response)) == (302, ["Выбор не распознан: ничего не изменено."])
    assert statuses() == {"open"}


def test_duplicates_and_missing_incidents_are_passed_over(site):
    incident = make_incident()
    page = site.post(URL, {"action": "close", "_selected_action": [incident.pk, incident.pk, 999_999]})
    assert told(confirm(site, page)) == ["Изменён 1 инцидент."]


def test_missing_incidents_alone_are_none_to_change(site):
    response = site.post(URL, {"action": "close", "_selected_action": [999_999]})
    assert told(response) == ["Изменено 0 инцидентов."]


@pytest.mark.parametrize("data", [{}, {"action": "close"}, {"action": "\0", "_selected_action": 1}, {"index": 0}])
def test_an_action_without_a_selection_changes_nothing(site, data):
    make_incident()
    assert site.post(URL, data).status_code in (200, 302)
    assert statuses() == {"open"}


def test_thousands_of_ids_are_refused(site):
    response = site.post(URL, {"action": "close", "_selected_action": list(range(1, 5001))})
    assert response.status_code == 400


@pytest.mark.parametrize("page", ["99999", "0", "-1", "x", "9" * 5000, "%00", "1.5"])
def test_a_page_that_is_not_there(site, page):
    make_incident()
    assert site.get(f"{URL}?p={page}").status_code in (200, 302)


def test_more_than_are_counted(site, monkeypatch):
    monkeypatch.setattr(change_list, "COUNTED", 100)
    fill(100)
    assert "100 инцидентов" in (page := site.get(URL).content.decode()) and "более" not in page
    fill(1)
    page = site.get(URL).content.decode()
    assert "более 100 инцидентов" in page
    assert "100 результатов" not in page and 'class="question hidden"' not in page


@pytest.mark.parametrize("pk", ["x", "", "\0", "9" * 19, "9" * 5000, "-1", "999999"])
@pytest.mark.parametrize("total", ["1", "0", "x", "-1", "1001", "9" * 5000])
def test_a_list_that_was_tampered_with_changes_nothing(site, pk, total):
    make_incident()
    data = {"form-TOTAL_FORMS": total, "form-INITIAL_FORMS": "1", "form-0-id": pk, "form-0-status": "closed"}
    assert site.post(URL, data | {"_save": "1"}).status_code in (200, 302)
    assert statuses() == {"open"}
