"""The reports of the same thing on an incident's page, and the presses that make it a duplicate of one of them."""

import re

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from incidents.actors import Named
from incidents.models import Incident, IncidentChange
from incidents.services import change_incident
from tests.helpers.admin import INCIDENTS, form_of, open_form, told, undo
from tests.helpers.duplicates import link
from tests.helpers.incidents import make_incident

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]


@pytest.fixture
def main(db):
    return make_incident(description="Самокат 875643 не в сети")


@pytest.fixture
def incident(main):
    return make_incident(description="Не могу завершить аренду, номер 875643")


def page_of(client, incident):
    return client.get(f"{INCIDENTS}{incident.pk}/change/")


def section(client, incident):
    text = page_of(client, incident).text
    return text.split('<section class="card related"')[1].split("</section>")[0] if "card related" in text else ""


def listed(text):
    return [int(pk) for pk in re.findall(r'/(\d+)/change/">№', text)]


def mark(client, incident, number="", **fields):
    form = {"shown": incident.status, "number": number, "next": f"{INCIDENTS}{incident.pk}/change/"}
    return client.post(f"{INCIDENTS}{incident.pk}/duplicate/", form | fields)


def press(client, incident, status):
    incident.refresh_from_db()
    return client.post(f"{INCIDENTS}{incident.pk}/status/", {"status": status, "shown": incident.status})


def state(incident):
    incident.refresh_from_db()
    return incident.status, incident.duplicate_of_id


def test_reports_with_the_same_number(site, main, incident):
    make_incident(description="1875643 и 8756430: другие номера")
    make_incident(description="https://example.org/875643 — ссылка")
    text = section(site, make_incident(description="см. https://example.org/11111, самокат 875643."))
    assert listed(text)[-2:] == [incident.pk, main.pk]
    assert f'href="{INCIDENTS}?q=%22875643%22"' in text and "11111" not in text
    assert site.get(f"{INCIDENTS}?q=%22875643%22").context["cl"].result_count == 5


def test_what_is_open_comes_first_and_the_newest_of_it(site, main, incident):
    closed = make_incident(description="875643", status="closed")
    assert listed(section(site, make_incident(description="875643"))) == [incident.pk, main.pk, closed.pk]


def test_no_more_than_five(site):
    incidents = [make_incident(description="875643") for _ in range(8)]
    text = section(site, incidents[0])
    assert listed(text) == [each.pk for each in incidents[:2:-1]]
    assert "<li>…</li>" in text


@pytest.mark.parametrize("description", ["Самокат 8756 не в сети", "Течь", "a" * 5, "٠١٢٣٤٥"])
def test_without_such_a_number_there_are_no_reports(site, main, description):
    assert "Сообщения с тем же номером" not in section(site, make_incident(description=description))


def test_many_and_long_numbers(site):
    text = " ".join(str(10_000 + number) for number in range(50)) + " " + "7" * 20_000
    page = section(site, make_incident(description=text[:20_000]))
    assert page.count("?q=%22") == 5


@pytest.mark.parametrize("others", [1, 50])
def test_queries_are_as_many_for_fifty_reports_as_for_one(site, main, others):
    for number in range(others):
        made = make_incident(description="875643")
        if number % 2:
            link(made, main)
    page_of(site, main)
    with CaptureQueriesContext(connection) as queries:
        page_of(site, main)
    assert len(queries) == 19


def test_one_press_beside_a_report_closes_it_as_a_duplicate(site, main, incident):
    page = page_of(site, incident)
    assert f'form="duplicate_form" name="main" value="{main.pk}"' in page.text
    response = mark(site, incident, **form_of(page, "duplicate_form"), main=main.pk)
    assert response["Location"].rstrip("?") == f"{INCIDENTS}{incident.pk}/change/"
    assert told(response) == [f"№{incident.pk}: теперь «Закрыт». №{incident.pk} — дубликат №{main.pk}."]
    assert state(incident) == ("closed", main.pk)
    entry = IncidentChange.objects.get(incident=incident, changes__has_key="duplicate_of")
    assert (entry.actor, entry.channel) == ("petrova", "admin")


@pytest.mark.parametrize("typed", ["{}", " №{} ", "#{}"])
def test_the_number_may_be_typed(site, main, incident, typed):
    mark(site, incident, typed.format(main.pk))
    assert state(incident) == ("closed", main.pk)


def test_both_pages_show_the_link(site, main, incident):
    mark(site, incident, main.pk)
    assert listed(section(site, incident)) == [main.pk] and "Это дубликат инцидента:" in section(site, incident)
    assert listed(section(site, main)) == [incident.pk]
    for one, words, other in ((incident, "Дубликат инцидента", main), (main, "Дубликат:", incident)):
        entry = " ".join(page_of(site, one).text.split('<li class="entry')[1].split())
        assert f'{words} <a href="{INCIDENTS}{other.pk}/change/">№{other.pk}</a>' in entry
        assert f"№{other.pk}" in site.get(f"{INCIDENTS}{one.pk}/history/").text.split("<tbody>")[1]


def test_it_is_undone_and_done_again_by_a_press_each(site, main, incident):
    change_incident(incident, values={"status": "in_progress"}, actor=Named("anna"), channel="api")
    mark(site, incident, main.pk)
    for expected in [("in_progress", None), ("closed", main.pk), ("in_progress", None)]:
        undo(site)
        assert state(incident) == expected
    changes = [entry.changes for entry in main.changes.order_by("pk")][1:]
    number = str(incident.pk)
    assert changes == [{"duplicate": [None, number]}, {"duplicate": [number, None]}] * 2


def test_reopened_it_is_no_duplicate_and_the_undo_links_it_again(site, main, incident):
    mark(site, incident, main.pk)
    site.get(INCIDENTS)  # shows the message of the press before
    response = press(site, incident, "open")
    assert told(response) == [f"№{incident.pk}: теперь «Открыт». №{incident.pk} — больше не дубликат №{main.pk}."]
    assert state(incident) == ("open", None)
    undo(site)
    assert state(incident) == ("closed", main.pk)


def test_an_undo_links_it_to_a_main_incident_that_was_closed_meanwhile(site, main, incident):
    mark(site, incident, main.pk)
    site.get(INCIDENTS)
    press(site, incident, "open")
    form = open_form(site, "", "undo")
    main.refresh_from_db()
    change_incident(main, values={"status": "closed"}, actor=Named("anna"), channel="api")
    site.post(f"{INCIDENTS}moves/", form)
    assert state(incident) == ("closed", main.pk)


def test_an_undo_whose_main_incident_is_a_duplicate_by_now_is_refused(site, main, incident):
    mark(site, incident, main.pk)
    site.get(INCIDENTS)
    press(site, incident, "open")
    form = open_form(site, "", "undo")
    other = make_incident()
    main.refresh_from_db()
    link(main, other)
    response = site.post(f"{INCIDENTS}moves/", form)
    assert told(response)[-1] == (
        f"№{main.pk} — сам дубликат: введите №{other.pk}, основной инцидент. Ничего не изменилось."
    )
    assert state(incident) == ("open", None)


@pytest.mark.parametrize(
    "typed", ["", " ", "abc", "0", "77", f"{2**63}", f"{10**30}", "-1", "1.5", "12\x0034", "٧٧", "7" * 5000]
)
def test_a_number_that_no_incident_has(site, incident, typed):
    assert told(mark(site, incident, typed)) == ["Нет инцидента с таким номером."]
    assert state(incident) == ("open", None)


def test_what_is_refused_says_why(site, main, incident):
    closed, of_its_own = make_incident(status="closed"), make_incident()
    link(make_incident(), of_its_own)
    link(duplicate := make_incident(), main)
    for one, number, reason in [
        (incident, incident.pk, "Инцидент не может быть дубликатом самого себя. Ничего не изменилось."),
        (incident, duplicate.pk, f"№{duplicate.pk} — сам дубликат: введите №{main.pk}, основной инцидент."),
        (incident, closed.pk, f"№{closed.pk} закрыт: если проблема вернулась, сначала откройте его заново."),
        (of_its_own, main.pk, f"У №{of_its_own.pk} есть свои дубликаты"),
        (closed, main.pk, f"№{closed.pk} уже закрыт: чтобы сделать его дубликатом"),
    ]:
        one.refresh_from_db()
        before = state(one)
        assert told(mark(site, one, number))[-1].startswith(reason)
        assert state(one) == before


def test_one_that_others_changed_meanwhile_is_left_as_it_is(site, main, incident):
    change_incident(incident, values={"status": "resolved"}, actor=Named("anna"), channel="api")
    response = mark(site, incident, main.pk, shown="open")
    assert told(response) == [f"№{incident.pk} не изменён: его статус теперь «Решён», автор — anna."]
    assert state(incident) == ("resolved", None)


def test_a_second_press_changes_nothing(site, main, incident):
    for _ in range(2):
        response = mark(site, incident, main.pk, shown="open")
    assert told(response)[-1].startswith(f"№{incident.pk} не изменён")
    assert main.changes.count() == 2


def test_the_offer_of_a_resolved_main_incident(site, main):
    duplicates = [link(make_incident(), main) for _ in range(12)]
    response = press(site, main, "resolved")
    names = ", ".join(f"№{each.pk}" for each in duplicates[:10])
    assert told(response)[-1] == f"Дубликаты остались как были: {names} и ещё 2."
    assert all(state(each) == ("closed", main.pk) for each in duplicates)
    page = site.get(INCIDENTS)
    offer = re.findall(r'name="moves" value="([^"]+)"', page.text)[1]
    assert "Решить и их" in page.text
    response = site.post(f"{INCIDENTS}moves/", {"moves": offer})
    assert all(state(each) == ("resolved", main.pk) for each in duplicates)
    undo(site)
    assert all(state(each) == ("closed", main.pk) for each in duplicates)


def test_the_duplicates_of_several_that_are_closed_at_once(site, main):
    other = make_incident()
    duplicates = [link(make_incident(), of) for of in (main, other)]
    for each in duplicates:
        change_incident(each, values={"status": "resolved"}, actor=Named("anna"), channel="api")
    page = site.post(INCIDENTS, {"action": "close", "index": 0, "_selected_action": [main.pk, other.pk]})
    site.post(f"{INCIDENTS}moves/", {"moves": page.context["moves"]})
    page = site.get(INCIDENTS)
    assert "Закрыть и их" in page.text
    site.post(f"{INCIDENTS}moves/", {"moves": re.findall(r'name="moves" value="([^"]+)"', page.text)[1]})
    assert [state(each) for each in duplicates] == [("closed", main.pk), ("closed", other.pk)]


@pytest.mark.parametrize("status", ["open", "in_progress", "closed"])
def test_nothing_is_offered_where_nothing_would_change(site, main, status):
    main.refresh_from_db()
    change_incident(main, values={"status": "resolved"}, actor=Named("anna"), channel="api")
    link(make_incident(), main)
    assert len(told(press(site, main, status))) == 1


def test_the_page_offers_it_where_the_main_incident_was_resolved_elsewhere(site, main, incident):
    link(incident, main)
    assert "Решить и дубликаты" not in section(site, main)
    main.refresh_from_db()
    change_incident(main, values={"status": "resolved"}, actor=Named("anna"), channel="telegram")
    assert "Решить и дубликаты" in section(site, main)
    site.post(f"{INCIDENTS}{main.pk}/duplicates/", {"status": "resolved"})
    assert state(incident) == ("resolved", main.pk)
    assert "Решить и дубликаты" not in section(site, main)
    response = site.post(f"{INCIDENTS}{main.pk}/duplicates/", {"status": "resolved"})
    assert told(response)[-1] == "Ничего не изменилось."
    response = site.post(f"{INCIDENTS}{main.pk}/duplicates/", {"status": "closed"})
    assert told(response)[-1].startswith(f"№{main.pk} не изменён: его статус теперь «Решён»")


@pytest.mark.parametrize("status", ["", "open", "x"])
def test_a_press_that_no_page_has(site, main, status):
    assert site.post(f"{INCIDENTS}{main.pk}/duplicates/", {"status": status}).status_code == 400
    assert mark(site, main, "1", shown=status or "y").status_code == (302 if status == "open" else 400)


@pytest.mark.parametrize("path", ["duplicate", "duplicates"])
def test_who_may_only_look_sees_the_links_and_no_controls(viewer, main, incident, path):
    link(incident, main)
    for each in (main, incident, make_incident(description="875643")):
        text = section(viewer, each)
        assert listed(text) and not re.search("<(form|input|button)", text)
    response = viewer.post(f"{INCIDENTS}{main.pk}/{path}/", {"shown": "open", "status": "resolved", "number": "1"})
    assert response.status_code == 403
    assert viewer.get(f"{INCIDENTS}{main.pk}/{path}/").status_code == 405
    assert Incident.objects.filter(status="open").count() == 2


def test_hostile_words_are_inert(site, main):
    hostile = make_incident(description="875643 <script>alert(1)</script>")
    for text in (section(site, main), section(site, link(make_incident(), hostile))):
        assert "&lt;script&gt;alert(1)" in text and "<script>" not in text
