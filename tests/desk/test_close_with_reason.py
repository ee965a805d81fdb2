"""An incident is closed with a reason, which is a comment: written together, once, and kept by an undo."""

import re

import pytest

from desk import set_status
from incidents.actors import Named
from incidents.models import Incident, IncidentChange
from incidents.services import change_incident
from tests.helpers.admin import INCIDENTS, form_of, open_form, told, undo
from tests.helpers.incidents import make_incident

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]

WHY = "Ложный вызов: самокат на складе"


@pytest.fixture
def incident(db):
    return make_incident()


@pytest.fixture
def form(site, incident):
    return open_form(site, f"{incident.pk}/change/", "close_form")


def close(site, incident, form, **typed):
    return site.post(f"{INCIDENTS}{incident.pk}/status/", form | typed)


def written(incident):
    return [entry.changes for entry in incident.changes.order_by("id")][1:]


def confirm(site, incidents, **typed):
    pks = [incident.pk for incident in incidents]
    page = site.post(INCIDENTS, {"action": "close", "_selected_action": pks, "index": 0})
    return site.post(f"{INCIDENTS}moves/", form_of(page, "card confirmation") | typed)


def test_the_status_and_the_reason_are_written_together(site, incident, form):
    response = close(site, incident, form, reason=f" {WHY}\r\n ")
    assert (response.status_code, response["Location"].rstrip("?")) == (302, f"{INCIDENTS}{incident.pk}/change/")
    assert written(incident) == [{"status": ["open", "closed"]}, {"comment": [None, WHY]}]
    assert {entry.actor for entry in incident.changes.all()[1:]} == {"petrova"}


def test_the_time_line_shows_them_in_one_row(site, incident, form):
    close(site, incident, form, reason=WHY)
    rows = site.get(f"{INCIDENTS}{incident.pk}/change/").text.split('<li class="entry')[1:]
    said = [" ".join(re.sub(r"<[^>]+>", " ", row).split()) for row in rows]
    assert len(rows) == 2 and "Открыт → Закрыт" in said[0] and WHY in said[0]


def test_a_comment_of_another_press_has_a_row_of_its_own(site, incident, form):
    close(site, incident, form)
    comment = open_form(site, f"{incident.pk}/change/", "comment_form")
    site.post(f"{INCIDENTS}{incident.pk}/comment/", comment | {"text": "Позже"})
    assert site.get(f"{INCIDENTS}{incident.pk}/change/").text.count('<li class="entry') == 3


@pytest.mark.parametrize("reason", ["", " \u200b "])
def test_without_a_reason_it_is_closed(site, incident, form, reason):
    close(site, incident, form, reason=reason)
    assert written(incident) == [{"status": ["open", "closed"]}]


def test_two_presses_write_it_once(site, incident, form):
    responses = [close(site, incident, form, reason=WHY) for _ in range(2)]
    assert len(written(incident)) == 2
    assert told(responses[1])[-1] == f"{incident} не изменён: его статус теперь «Закрыт», автор — petrova."


def test_an_undo_leaves_the_reason(site, incident, form):
    close(site, incident, form, reason=WHY)
    undo(site)
    incident.refresh_from_db()
    assert incident.status == "open"
    assert written(incident)[1:] == [{"comment": [None, WHY]}, {"status": ["closed", "open"]}]


def test_what_others_changed_meanwhile_is_left_alone_and_the_words_are_said(site, incident, form):
    change_incident(incident, values={"status": "in_progress"}, actor=Named("b"), channel="api")
    response = close(site, incident, form, reason=WHY)
    assert len(written(incident)) == 1
    assert told(response)[-1] == f"Ваша причина там не записана: «{WHY}»"


@pytest.mark.parametrize("reason", ["x" * 1_001, "a\0b"])
def test_a_refused_reason_closes_nothing(site, incident, form, reason):
    response = close(site, incident, form, reason=reason)
    assert response.status_code == 302 and told(response)[-1].startswith("Ничего не изменилось. ")
    assert written(incident) == []
    confirm(site, [incident], reason=reason)
    assert written(incident) == []


def test_a_closed_one_has_no_such_form(site):
    assert "close_form" not in site.get(f"{INCIDENTS}{make_incident(status='closed').pk}/change/").text


def test_many_are_closed_with_one_reason(site):
    incidents = [make_incident(), make_incident(status="in_progress"), make_incident(status="closed")]
    confirm(site, incidents, reason=WHY)
    assert set(Incident.objects.values_list("status", flat=True)) == {"closed"}
    assert [written(incident)[1:] for incident in incidents] == [[{"comment": [None, WHY]}]] * 2 + [[]]
    undo(site)
    assert [written(incident)[1] for incident in incidents[:2]] == [{"comment": [None, WHY]}] * 2


def test_only_the_closing_asks_for_a_reason(site, incident):
    page = site.post(INCIDENTS, {"action": "resolve", "_selected_action": [incident.pk], "index": 0})
    assert "reason" not in form_of(page, "card confirmation")


def test_a_failure_writes_neither(site, monkeypatch):
    incidents = [make_incident(), make_incident()]

    def fail(*args, **kwargs):
        raise RuntimeError

    monkeypatch.setattr(set_status, "add_comments", fail)
    with pytest.raises(RuntimeError):
        confirm(site, incidents, reason=WHY)
    assert set(Incident.objects.values_list("status", flat=True)) == {"open"}
    assert IncidentChange.objects.count() == 2
