"""A reply to a report, its card or a comment is a comment."""

import pytest

from incidents.models import Incident
from telegram.models import Card
from tests.helpers.telegram_messages import GROUP
from tests.helpers.updates import descriptions, history, write

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]


@pytest.mark.parametrize("target", [10, 11, 500])
def test_a_reply_is_a_comment(group, target):
    write(text="Насос")
    write(message_id=11, text="Едем", reply_to_message={"message_id": 10, "chat": GROUP})
    Card.objects.update(message_id=500)
    updated_at = Incident.objects.get().updated_at
    write(message_id=12, text="Приехали", reply_to_message={"message_id": target, "chat": GROUP})
    assert descriptions() == ["Насос"]
    assert history()[-1] == {"comment": [None, "Приехали"]}
    assert Incident.objects.get().updated_at == updated_at


def test_a_reply_to_another_message_is_a_report(group):
    write(text="Насос", reply_to_message={"message_id": 3, "chat": GROUP})
    assert descriptions() == ["Насос"]


def test_a_reply_with_a_photo_is_a_comment(group):
    write(text="Насос")
    write(message_id=11, photo=[{}], caption="Вот", reply_to_message={"message_id": 10})
    assert history() == [{"comment": [None, "Вот"]}]
