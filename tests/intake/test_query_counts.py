"""How many queries a call takes, savepoints included: a storm takes no more for each part."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from intake import inbox
from tests.helpers.intake import alert, resolved

pytestmark = pytest.mark.django_db


def queries(alertmanager, *alerts):
    with CaptureQueriesContext(connection) as context:
        assert alertmanager.alerts(*alerts).state == "processed"
    return len(context)


@pytest.mark.parametrize(
    ("count", "firing", "repeated", "ending"), [(1, 15, 13, 14), (3, 19, 13, 14), (500, 22, 13, 14)]
)
def test_queries_of_a_call(alertmanager, monkeypatch, count, firing, repeated, ending):
    monkeypatch.setattr(inbox, "MAX_SOON_SIZE", 1024 * 1024)
    alerts = [alert(str(number)) for number in range(count)]
    assert queries(alertmanager, *alerts) == firing
    assert queries(alertmanager, *alerts) == repeated
    assert queries(alertmanager, *(resolved(str(number)) for number in range(count))) == ending
