"""A message that begins with `!` is urgent; a button marks an incident, and takes the mark away."""

import pytest

from incidents.actors import Named
from incidents.models import Incident
from incidents.services import change_incident
from intake.inbox import process_pending, replay
from intake.models import Delivery
from telegram.models import Card, Chat
from telegram.reading.texts import is_urgent
from tests.helpers.incidents import make_incident
from tests.helpers.telegram_messages import GROUP
from tests.helpers.updates import deliveries, descriptions, edit, history, press, write

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]


def marks():
    return list(Incident.objects.order_by("pk").values_list("urgent", flat=True))


@pytest.mark.parametrize(
    "text",
    ["!Горит", "! Горит", "!!! Горит", "\n ! Горит", "@dispatch_bot ! Горит", "@anna, @boris: !горит", "!", "!ban"],
)
def test_what_begins_with_the_mark_is_urgent(text):
    assert is_urgent(text)


@pytest.mark.parametrize(
    "text",
    ["", "Горит!", "Срочно!!!", "Привет! Горит", "@anna!", "@anna! Горит", "a@b !", "¡Hola!", "?!", "(!) Горит", "1!"],
)
def test_ordinary_sentences_are_not(text):
    assert not is_urgent(text)


def test_a_report(group):
    write(text="! Горит склад")
    assert (descriptions(), marks()) == (["! Горит склад"], [True])  # the words stay as they are
    assert Incident.objects.get().changes.get().changes["urgent"] == [None, True]


@pytest.mark.parametrize(
    "fields",
    [
        {"photo": [{}], "caption": "! Горит"},
        {"rich_message": {"blocks": [{"type": "paragraph", "text": "! Горит"}]}},
        {"text": "! Горит", "forward_origin": {"type": "hidden_user", "sender_user_name": "Борис"}},
    ],
)
def test_a_report_of_any_kind(group, fields):
    write(**fields)
    assert marks() == [True]


def test_a_quoted_mark_is_not_the_authors(group):
    write(
        text="Посмотрите", reply_to_message={"message_id": 5, "from": {"id": 1, "first_name": "Б"}, "text": "! Горит"}
    )
    write(message_id=11, text="Да", quote={"text": "! Горит"})
    assert marks() == [False, False]


def test_a_command(group):
    Chat.objects.update(mode=Chat.Mode.COMMAND)
    entity = {"type": "bot_command", "offset": 0, "length": 9}
    write(text="/incident ! Горит", entities=[entity])
    assert (descriptions(), marks()) == (["! Горит"], [True])


def test_an_edit_marks_what_never_was(group):
    write(text="Горит")
    edit(text="! Горит", edit_date=1705314701)
    assert history() == [{"description": ["Горит", "! Горит"]}, {"urgent": [False, True]}]
    change_incident(Incident.objects.get(), values={"urgent": False}, actor=Named("petrova"), channel="admin")
    edit(text="! Горит склад", edit_date=1705314702)
    assert marks() == [False]


def test_an_edit_without_the_mark_leaves_it(group):
    write(text="! Горит")
    edit(text="Горит")
    assert (descriptions(), marks()) == (["Горит"], [True])


def test_a_reply_marks_the_incident(group):
    write(text="Дым")
    write(message_id=11, text="! Уже огонь", reply_to_message={"message_id": 10})
    assert history() == [{"comment": [None, "! Уже огонь"]}, {"urgent": [False, True]}]
    entry = Incident.objects.get().changes.last()
    assert (entry.actor, entry.channel) == ("Анна", "telegram")


def test_a_late_part_of_an_album_marks_it(group):
    write(photo=[{}], media_group_id="a")
    write(message_id=11, photo=[{}], media_group_id="a", caption="! Горит")
    assert (Incident.objects.count(), marks()) == (1, [True])


@pytest.fixture
def card(group):
    chat = Chat.objects.get(telegram_id=GROUP["id"])
    return Card.objects.create(incident=make_incident(), chat=chat, message_id=500, state=Card.State.SHOWN)


def test_a_press_marks_and_another_takes_it_away(card):
    press(f"1:{card.incident_id}:urgent:true", chat=GROUP)
    assert marks() == [True]
    press(f"1:{card.incident_id}:urgent:false", chat=GROUP)
    assert marks() == [False]
    assert history() == [{"urgent": [False, True]}, {"urgent": [True, False]}]
    assert Incident.objects.get().changes.last().actor == "Анна"


def test_a_second_press_of_the_same_changes_nothing(card):
    for _ in range(2):
        press(f"1:{card.incident_id}:urgent:true", chat=GROUP)
    assert history() == [{"urgent": [False, True]}]


def test_a_press_for_an_incident_of_another_chat_is_not_known(card):
    press(f"1:{make_incident().pk}:urgent:true", chat=GROUP)
    assert marks() == [False, False]
    assert deliveries()[-1] == ("skipped", "the button is not known")


def test_a_press_that_is_replayed_does_nothing(card):
    press(f"1:{card.incident_id}:urgent:true", chat=GROUP)
    change_incident(Incident.objects.get(), values={"urgent": False}, actor=Named("petrova"), channel="admin")
    replay(list(Delivery.objects.values_list("pk", flat=True)))
    process_pending()
    assert marks() == [False]
