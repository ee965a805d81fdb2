"""An album is one incident, however late and in whatever order its parts come."""

import pytest

from incidents.actors import Named
from incidents.models import Incident
from incidents.services import change_incident
from telegram.models import Card, Message
from tests.helpers.updates import descriptions, edit, history, write

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]


def part(message_id, **fields):
    return {"message_id": message_id, "media_group_id": "a", "photo": [{}]} | fields


def test_a_caption_on_any_part_is_the_description(group):
    write(**part(10))
    write(**part(12, caption="Течь"))
    write(**part(11, date=1705314690))
    assert descriptions() == ["Течь"]
    assert (Message.objects.filter(role__in=["report", "part"]).count(), Card.objects.count()) == (3, 1)


def test_a_caption_that_is_edited(group):
    write(**part(10, caption="Течь"))
    write(**part(11))
    edit(**part(11, caption="второй этаж"))
    assert descriptions() == ["Течь\nвторой этаж"]


def test_the_description_of_a_person_stays(group):
    write(**part(10))
    change_incident(Incident.objects.get(), values={"description": "Помпа"}, actor=Named("petrova"), channel="admin")
    write(**part(11, caption="Течь"))
    assert descriptions() == ["Помпа"]
    assert history()[-1] == {"comment": [None, "Течь"]}


def test_a_late_part_brings_the_card_up_to_date(group):
    write(**part(10, caption="Течь"))
    Card.objects.update(due_at=None)
    write(**part(11))
    assert Card.objects.get().due_at


def test_the_album_of_another_id_is_another(group):
    write(**part(10))
    write(**part(11, media_group_id="b"))
    assert len(descriptions()) == 2
