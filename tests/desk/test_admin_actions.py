"""The status of many incidents at once, in the admin: it asks first, is bounded, and says what it did."""

import pytest
from django.core import signing

from desk import change_list, set_status
from incidents.actors import Named
from incidents.models import Incident, IncidentChange
from incidents.services import change_incident
from tests.helpers.admin import form_of, told, undo
from tests.helpers.incidents import make_incident

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]

URL = "/api/admin/incidents/incident/"


def fill(count):
    return Incident.objects.bulk_create(Incident(description="x", source="operator") for _ in range(count))


def choose(site, action, incidents, url=URL, **data):
    data |= {"action": action, "_selected_action": [incident.pk for incident in incidents], "index": 0}
    return site.post(url, data)


def confirm(site, page):
    return site.post(f"{URL}moves/", form_of(page, "card confirmation"))


def statuses():
    return set(Incident.objects.values_list("status", flat=True))


@pytest.mark.parametrize(
    ("action", "status"), [("reopen", "open"), ("take", "in_progress"), ("resolve", "resolved"), ("close", "closed")]
)
def test_it_asks_and_then_changes(site, action, status):
    incidents = [make_incident(), make_incident(status="resolved"), make_incident(status="closed")]
    already = sum(incident.status == status for incident in incidents)
    page = choose(site, action, incidents)
    assert page.status_code == 200 and "Вы уверены?" in page.content.decode()
    assert not IncidentChange.objects.filter(channel="admin").exists()
    response = confirm(site, page)
    assert (response.status_code, response.url) == (302, URL)
    assert statuses() == {status}
    assert IncidentChange.objects.filter(channel="admin", actor="petrova").count() == 3 - already


def test_it_names_what_it_would_change_and_what_it_changed(site):
    first, second, closed = make_incident(), make_incident(), make_incident(status="closed")
    page = choose(site, "close", [first, second, closed])
    text = page.content.decode()
    assert "Статус 2 инцидентов станет «Закрыт»." in text and "1 уже имеет этот статус." in text
    assert f">{first}</a>" in text and f">{second}</a>" in text and f">{closed}</a>" not in text
    assert told(confirm(site, page)) == [f"{first}, {second}: теперь «Закрыт», 2 инцидента."]


def test_ten_are_named_at_most(site):
    incidents = [make_incident() for _ in range(12)]
    names = ", ".join(map(str, incidents[:10]))
    page = choose(site, "close", incidents)
    assert told(confirm(site, page)) == [f"{names} и ещё 2: теперь «Закрыт», 12 инцидентов."]


def test_nothing_to_change_is_not_asked_about(site):
    response = choose(site, "close", [make_incident(status="closed")])
    assert (response.status_code, told(response)) == (302, ["Ничего не изменилось. 1 уже имеет этот статус."])


def test_what_has_left_the_filtered_list_is_left_alone_and_told(site):
    incidents = [make_incident(), make_incident(status="closed")]
    page = choose(site, "take", incidents, f"{URL}?status__in=open")
    assert "1 больше нет в этом списке." in page.content.decode()
    confirm(site, page)
    assert statuses() == {"closed", "in_progress"}


def test_what_was_changed_while_it_asked_is_left_alone_and_told(site):
    incidents = [make_incident(), make_incident()]
    page = choose(site, "take", incidents)
    change_incident(incidents[0], values={"status": "closed"}, actor=Named("b"), channel="api")
    assert told(confirm(site, page)) == [
        f"{incidents[1]}: теперь «В работе».",
        f"{incidents[0]} не изменён: его статус теперь «Закрыт», автор — b.",
    ]
    assert statuses() == {"closed", "in_progress"}


def test_all_of_the_list_can_be_chosen_where_they_are_few(site):
    fill(60)
    assert 'class="question hidden"' in site.get(URL).content.decode()
    page = choose(site, "close", Incident.objects.all()[:50], select_across=1)
    assert "больше нет" not in page.content.decode()
    confirm(site, page)
    assert statuses() == {"closed"}


def test_too_many_are_refused(site):
    fill(set_status.MAX_AT_ONCE + 1)
    assert 'class="question hidden"' not in site.get(URL).content.decode()
    response = choose(site, "close", Incident.objects.all()[:1], select_across=1)
    assert response.status_code == 302
    assert told(response) == [
        "За один раз можно изменить не больше 500 инцидентов: выберите меньше. Ничего не изменено."
    ]
    assert statuses() == {"open"}


def test_the_most_that_are_allowed_are_changed_and_undone(site):
    fill(set_status.MAX_AT_ONCE)
    page = choose(site, "close", Incident.objects.all()[:1], select_across=1)
    confirm(site, page)
    assert statuses() == {"closed"}
    undo(site)
    assert statuses() == {"open"}


def test_one_press_undoes_all_of_it(site):
    incidents = [make_incident(), make_incident(status="in_progress"), make_incident(status="resolved")]
    confirm(site, choose(site, "close", incidents))
    response = undo(site)
    assert list(Incident.objects.order_by("pk").values_list("status", flat=True)) == ["open", "in_progress", "resolved"]
    first, second, third = incidents
    assert told(response)[0] == f"{first}: теперь «Открыт». {second}: теперь «В работе». {third}: теперь «Решён»."
    assert IncidentChange.objects.filter(channel="admin", actor="petrova").count() == 6


def test_what_others_have_changed_since_is_not_undone(site):
    incidents = [make_incident(), make_incident()]
    confirm(site, choose(site, "close", incidents))
    incidents[0].refresh_from_db()
    change_incident(incidents[0], values={"status": "resolved"}, actor=Named("b"), channel="api")
    assert "не изменён: его статус теперь «Решён», автор — b." in told(undo(site))[-1]
    assert list(Incident.objects.order_by("pk").values_list("status", flat=True)) == ["resolved", "open"]


@pytest.mark.parametrize(
    "moves", ["", "x", "\0", "W10:1rC0Zz:abc", pytest.param(signing.dumps([[1, "open", "closed"]]), id="other salt")]
)
def test_moves_that_the_service_did_not_sign_are_refused(site, moves):
    make_incident()
    response = site.post(f"{URL}moves/", {"moves": moves})
    assert (response.status_code, told(response)) == (302, ["Страница устарела: ничего не изменено."])
    assert statuses() == {"open"}


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
    assert "1 больше нет в этом списке." in page.content.decode()
    assert told(confirm(site, page)) == [f"{incident}: теперь «Закрыт»."]


def test_missing_incidents_alone_are_none_to_change(site):
    response = site.post(URL, {"action": "close", "_selected_action": [999_999]})
    assert told(response) == ["Ничего не изменилось. 1 больше нет в этом списке."]


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
    monkeypatch.setattr(change_list, "MAX_COUNTED", 100)
    fill(100)
    assert "100 инцидентов" in (page := site.get(URL).content.decode()) and "более" not in page
    fill(1)
    page = site.get(URL).content.decode()
    assert "более 100 инцидентов" in page
    assert "100 результатов" not in page and 'class="question hidden"' not in page


def test_a_list_that_was_edited_in_an_earlier_release_changes_nothing(site):
    incident = make_incident()
    data = {"form-TOTAL_FORMS": "1", "form-INITIAL_FORMS": "1", "form-0-id": incident.pk, "form-0-status": "closed"}
    assert site.post(URL, data | {"_save": "1"}).status_code == 200
    assert statuses() == {"open"}
