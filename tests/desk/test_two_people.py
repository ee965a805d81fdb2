"""Two people on one incident's page: the later save is refused where it would overwrite, and nothing typed is lost."""

import pytest

from core.api.exceptions import PreconditionFailed
from desk import incident_page
from incidents.actors import Named
from incidents.models import IncidentChange
from incidents.services import change_incident
from tests.helpers.admin import INCIDENTS, form_of, open_form
from tests.helpers.incidents import make_incident

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]

THEIRS, MINE = "Самокат найден", "Самокат утонул"


@pytest.fixture
def incident(db):
    return make_incident(description="Самокат не в сети")


@pytest.fixture
def page(incident):
    return f"{incident.pk}/change/"


def by_another(incident, **values):
    incident.refresh_from_db()
    change_incident(incident, values=values, actor=Named("ivanov"), channel="telegram")


def save(site, page, form, **typed):
    return site.post(INCIDENTS + page, form | typed)


def stored(incident, field="description"):
    incident.refresh_from_db()
    return getattr(incident, field)


def test_the_same_field_is_refused_and_both_texts_are_shown(site, incident, page):
    form = open_form(site, page)
    by_another(incident, description=THEIRS)
    refused = save(site, page, form, description=MINE)
    assert (refused.status_code, stored(incident)) == (200, THEIRS)
    assert '<div class="text">Самокат <mark>найден</mark></div>' in refused.text
    assert "ivanov" in refused.text and "Telegram" in refused.text
    assert form_of(refused)["description"] == MINE
    assert IncidentChange.objects.filter(channel="admin").count() == 0


def test_mine_is_saved_over_theirs_once_both_were_seen(site, incident, page):
    form = open_form(site, page)
    by_another(incident, description=THEIRS)
    refused = save(site, page, form, description=MINE)
    assert save(site, page, form_of(refused)).status_code == 302
    assert stored(incident) == MINE
    assert IncidentChange.objects.order_by("-id")[0].changes == {"description": [THEIRS, MINE]}


def test_a_third_text_in_the_meantime_is_refused_again(site, incident, page):
    form = open_form(site, page)
    by_another(incident, description=THEIRS)
    refused = save(site, page, form, description=MINE)
    by_another(incident, description="Самокат в ремонте")
    again = save(site, page, form_of(refused))
    assert (again.status_code, stored(incident)) == (200, "Самокат в ремонте")
    assert form_of(again)["description"] == MINE


def test_theirs_is_kept_and_my_other_fields_are_saved(site, incident, page):
    form = open_form(site, page)
    by_another(incident, description=THEIRS)
    refused = save(site, page, form, description=MINE, source="partner")
    assert 'name="keep" value="description "' in refused.text
    assert save(site, page, form_of(refused), keep="description ").status_code == 302
    assert (stored(incident), stored(incident, "source")) == (THEIRS, "partner")


def test_another_field_is_merged_and_said(site, incident, page):
    form = open_form(site, page)
    by_another(incident, status="resolved")
    saved = site.post(INCIDENTS + page, form | {"description": MINE}, follow=True)
    assert (stored(incident), stored(incident, "status")) == (MINE, "resolved")
    assert "Статус: Решён" in saved.text


def test_another_field_is_said_though_the_form_was_refused_in_between(site, incident, page):
    form = open_form(site, page)
    by_another(incident, source="partner")
    blank = save(site, page, form, description=" ")
    saved = site.post(INCIDENTS + page, form_of(blank) | {"description": MINE}, follow=True)
    assert (stored(incident), stored(incident, "source")) == (MINE, "partner")
    assert "Источник: Партнёр" in saved.text


def test_a_refused_page_shows_the_other_fields_as_they_are_now(site, incident, page):
    form = open_form(site, page)
    by_another(incident, description=THEIRS, status="closed", source="partner")
    refused = save(site, page, form, description=MINE)
    shown = form_of(refused)
    assert (shown["status"], shown["source"]) == ("closed", "partner")
    assert 'class="pill pill-closed"' in refused.text.split("status-buttons")[0]


def test_the_same_text_by_both_is_no_conflict(site, incident, page):
    form = open_form(site, page)
    by_another(incident, description=MINE)
    assert save(site, page, form, description=MINE).status_code == 302
    assert IncidentChange.objects.count() == 2


def test_a_text_that_was_changed_and_changed_back_is_no_conflict(site, incident, page):
    form = open_form(site, page)
    by_another(incident, description=THEIRS)
    by_another(incident, description="Самокат не в сети")
    assert save(site, page, form, description=MINE).status_code == 302
    assert stored(incident) == MINE


@pytest.mark.parametrize("text", ["одна\nдве\n\nтри", "  с отступом\n", "\nс новой строки", "<b>&amp;</b> \"'"])
def test_an_untouched_page_is_no_edit_whatever_the_text(site, text):
    incident = make_incident(description=text)
    page = f"{incident.pk}/change/"
    form = open_form(site, page)
    crlf = {name: value.replace("\n", "\r\n") for name, value in form.items()}
    assert save(site, page, crlf).status_code == 302
    assert (stored(incident), IncidentChange.objects.count()) == (text, 1)


@pytest.mark.parametrize("field", ["source", "status"])
def test_choices_are_refused_too(site, incident, page, field):
    before, theirs, mine = {
        "source": ("operator", "partner", "monitoring"),
        "status": ("open", "closed", "resolved"),
    }[field]
    form = open_form(site, page)
    assert form[field] == before
    by_another(incident, **{field: theirs})
    assert save(site, page, form, **{field: mine}).status_code == 200
    assert stored(incident, field) == theirs


def test_a_text_that_is_not_valid_is_compared_too(site, incident, page):
    form = open_form(site, page)
    by_another(incident, description=THEIRS)
    blank = save(site, page, form, description=" ")
    assert (blank.status_code, stored(incident)) == (200, THEIRS)
    assert '<div class="text">Самокат <mark>найден</mark></div>' in blank.text
    assert "Обязательное поле." in blank.text


def test_where_others_are_always_faster_it_is_503(site, incident, page, monkeypatch):
    def outrun(*args, **kwargs):
        raise PreconditionFailed

    form = open_form(site, page)
    monkeypatch.setattr(incident_page, "change_incident", outrun)
    site.raise_request_exception = False
    assert save(site, page, form, description=MINE).status_code == 503
    assert stored(incident) == "Самокат не в сети"


@pytest.mark.parametrize("field", ["status", "source"])
def test_a_choice_that_does_not_exist_is_an_error_of_the_form(site, incident, page, field):
    form = open_form(site, page)
    for typed in ({field: "x"}, {field: "closed" if field == "status" else "partner", f"initial-{field}": "x"}):
        assert save(site, page, form, **typed).status_code == 200
    assert IncidentChange.objects.count() == 1
