"""Edits change the description with history; a person's own words stay."""

import pytest

from incidents.actors import Named
from incidents.models import Incident
from incidents.services import change_incident
from intake.inbox import process_pending, replay
from intake.models import Delivery
from tests.helpers.telegram_messages import message
from tests.helpers.updates import deliveries, descriptions, edit, everything, history, take, write

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]


def test_an_edit_changes_the_description_once(group):
    write(text="Насос")
    edit(text="Насос", edit_date=1705314650)
    edit(text="Насос 3", edit_date=1705314651)
    edit(text="Насос 3", edit_date=1705314652)
    assert descriptions() == ["Насос 3"]
    assert history() == [{"description": ["Насос", "Насос 3"]}]


def test_what_a_person_changed_stays_and_the_new_text_is_a_comment(group):
    write(text="Насос")
    change_incident(Incident.objects.get(), values={"description": "Помпа"}, actor=Named("petrova"), channel="admin")
    edit(text="Насос 3")
    assert descriptions() == ["Помпа"]
    assert history()[-1] == {"comment": [None, "Насос 3"]}


def test_an_edit_of_an_unseen_message_is_its_first_sight(group):
    edit(photo=[{}], caption="Течь")
    take("message", message(photo=[{}], caption="Те"))
    assert descriptions() == ["Течь\n[photo] https://t.me/c/1234567890/10"] and history() == []


def test_an_edited_comment_keeps_its_old_words(group):
    write(text="Насос")
    write(message_id=11, text="Едем", reply_to_message={"message_id": 10})
    edit(message_id=11, text="Приехали", reply_to_message={"message_id": 10})
    assert history() == [{"comment": [None, "Едем"]}, {"comment": ["Едем", "Приехали"]}]


def test_an_older_edit_that_comes_late_changes_nothing(group):
    write(text="one")
    edit(text="three", edit_date=1705314700)
    edit(text="two", edit_date=1705314650)
    assert descriptions() == ["three"]


def test_a_moving_live_location_is_no_edit(group):
    live = {"latitude": 55.7, "longitude": 37.6, "live_period": 900}
    write(location=live)
    for step in range(5):
        edit(location=live | {"latitude": 55.8 + step}, edit_date=1705314700 + step)
    assert history() == []
    assert deliveries()[-1] == ("skipped", "a live location that moved")


def test_edits_of_the_same_second_replayed_change_nothing(group):
    write(text="one")
    edit(text="two")
    edit(text="three")
    before = everything()
    replay(list(Delivery.objects.values_list("pk", flat=True)))
    process_pending()
    assert everything() == before
