"""People are shown at the desk by their full names, where they have one; clients get usernames."""

import csv
import io
import re

import pytest

from identity.models import User
from incidents.actors import Named
from incidents.history import full_names
from incidents.services import add_comment, change_incident
from tests.helpers.admin import INCIDENTS, told
from tests.helpers.incidents import make_incident

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]

NAME = "Сидоров Олег"


@pytest.fixture
def taken(db):
    User.objects.create_user("sidorov", last_name="Сидоров", first_name="Олег")
    return change_incident(make_incident(), values={"status": "in_progress"}, actor=Named("sidorov"), channel="api")


@pytest.mark.parametrize("path", ["/api/admin/", INCIDENTS, INCIDENTS + "{pk}/change/"])
def test_who_took_it(site, taken, path):
    page = site.get(path.format(pk=taken.pk)).content.decode()
    assert NAME in page and ">sidorov<" not in page


@pytest.mark.parametrize("page", ["change", "history"])
def test_authors_in_the_history(site, taken, page):
    for actor, channel in (("sidorov", "webhook"), ("Олег", "telegram"), ("deleted", "api")):
        add_comment(incident_id=taken.pk, text="a", actor=Named(actor), channel=channel)
    page = site.get(f"{INCIDENTS}{taken.pk}/{page}/").content.decode()
    assert f'title="sidorov">{NAME}<' in page
    assert all(f">{actor}<" in page for actor in ("sidorov", "Олег", "deleted", "a"))


def test_the_exported_list(site, taken):
    rows = csv.DictReader(io.StringIO(b"".join(site.get(f"{INCIDENTS}export/csv/")).decode("utf-8-sig")), delimiter=";")
    assert [row["Кто взял"] for row in rows] == [NAME]


def test_who_was_faster(site, taken):
    response = site.post(f"{INCIDENTS}{taken.pk}/status/", {"status": "closed", "shown": "open"})
    assert told(response)[0].endswith(f"автор — {NAME}.")


def test_who_edited_it_meanwhile(site, taken):
    change_incident(taken, values={"description": "их"}, actor=Named("sidorov"), channel="api")
    form = {"description": "моё", "initial-description": "было", "source": "operator", "status": "in_progress"}
    page = site.post(f"{INCIDENTS}{taken.pk}/change/", form).content.decode()
    assert re.search(rf"</b>\s*· <span title=\"sidorov\">{NAME}</span> ·", page)


def test_clients_get_usernames(api, taken):
    history = api.get(f"/api/v1/incidents/{taken.pk}/history/").json()["results"]
    assert [entry["actor"] for entry in history] == ["a", "sidorov"]


def test_in_russian_order_and_in_one_query(db, django_assert_num_queries):
    User.objects.create_user("a", last_name="Петрова", first_name="Анна", patronymic="Ивановна")
    User.objects.create_user("b", first_name="Борис", is_active=False)
    User.objects.create_user("c", last_name=" ")
    with django_assert_num_queries(1):
        assert full_names(["a", "b", "b", "c", "gone"]) == {"a": "Петрова Анна Ивановна", "b": "Борис"}
    with django_assert_num_queries(0):
        assert full_names([]) == {}
