"""How many statements a message takes, savepoints included: the same with one message before it as with fifty."""

import pytest
from django.db import connection

from telegram.models import Message
from tests.helpers.telegram_messages import message
from tests.helpers.updates import descriptions, write

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]


@pytest.fixture(params=[1, 50], autouse=True)
def before(group, request):
    for number in range(request.param):
        write(message_id=100 + number, text=f"Насос {number} стоит")


def test_a_message_of_a_group(django_assert_num_queries):
    with django_assert_num_queries({"postgresql": 17, "sqlite": 20}[connection.vendor]):
        write(text="Течь в боксе 4")
    assert descriptions()[-1] == "Течь в боксе 4"


def test_a_reply(django_assert_num_queries):
    with django_assert_num_queries({"postgresql": 17, "sqlite": 19}[connection.vendor]):
        write(text="Едем", reply_to_message=message(message_id=100, text="Насос 0 стоит"))
    assert Message.objects.last().role == "comment"
