"""Updates in any order, any number of times: each message is recorded once."""

import pytest

from incidents.models import Incident
from intake.inbox import process_pending, replay
from intake.models import Delivery
from telegram.models import Card, Message
from tests.helpers.incidents import seeded
from tests.helpers.telegram_messages import message
from tests.helpers.updates import again, everything

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]


def updates():
    for number in range(1, 7):
        yield "message", message(message_id=number, text=f"report {number}")
        yield "edited_message", message(message_id=number, text=f"edited {number}", edit_date=1705314600 + number)
        yield "edited_message", message(message_id=number, text=f"again {number}", edit_date=1705314700 + number)
        yield "message", message(message_id=10 + number, text="reply", reply_to_message={"message_id": number})
        yield "message", message(message_id=20 + number, photo=[{}], media_group_id="a", caption=f"part {number}")


@pytest.mark.parametrize("run", range(3))
def test_each_message_is_recorded_once(group, run):
    chance = seeded()
    numbered = [{"update_id": number, kind: payload} for number, (kind, payload) in enumerate(updates())]
    for update in chance.sample(numbered * 2, len(numbered) * 2):
        again(update)
    assert sorted(Message.objects.values_list("message_id", flat=True)) == [
        *range(1, 7),
        *range(11, 17),
        *range(21, 27),
    ]
    assert Incident.objects.count() == Message.objects.filter(role="report").count() == Card.objects.count()
    latest = Message.objects.filter(message_id__lt=10).order_by("message_id").values_list("words", flat=True)
    assert list(latest) == [f"again {number}" for number in range(1, 7)]
    assert Incident.objects.filter(messages__media_group_id="a").distinct().get().description.count("part") == 6
    before = everything()
    replay(list(Delivery.objects.values_list("pk", flat=True)))
    while process_pending():
        pass
    assert everything() == before
