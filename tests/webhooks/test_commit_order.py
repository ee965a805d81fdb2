"""Changes that are committed later than others with a higher id."""

import psycopg
import pytest
from django.db import connection

from incidents.models import IncidentChange
from tests.helpers.incidents import make_incident
from webhooks.jobs import Sender

pytestmark = pytest.mark.django_db(transaction=True)

SLOW = """
INSERT INTO incidents_incidentchange (incident_id, at, actor, channel, changes)
VALUES (%s, now(), 'a', 'api', '{"comment": [null, "slow"]}') RETURNING id
"""


def test_slow_transaction_is_not_passed(hook, receiver):
    incident, sender = make_incident(), Sender()
    with psycopg.connect(**connection.get_connection_params() | {"cursor_factory": None}) as slow:
        (slow_id,) = slow.execute(SLOW, [incident.pk]).fetchone()
        quick = make_incident()
        for _ in range(5):
            sender.step()
        assert ("created", quick.pk) in receiver.events
        assert slow_id < IncidentChange.objects.latest("pk").pk
        slow.commit()
    for _ in range(5):
        sender.step()
    assert receiver.events[-1] == ("commented", incident.pk)
    assert len(receiver.events) == 3
