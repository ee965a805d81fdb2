"""Calls with repeats and late copies among them, at random: one incident for each episode, also after replays."""

import random

import pytest

from incidents.models import IncidentChange
from intake import inbox
from intake.models import Delivery, Episode
from tests.helpers.intake import alert, resolved, statuses

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]


def story(rng):
    """The alerts of a few problems in the order they are sent, each perhaps again later; and how many episodes."""
    calls, episodes, open_ones = [], 0, 0
    for fingerprint in "ABC":
        length = rng.randrange(1, 8)
        sent = []
        for minute in range(length):
            make = [alert, resolved][minute % 2]
            time = {"starts": f"10:{minute:02}:00"} if make is alert else {"ends": f"10:{minute:02}:00"}
            sent.append(make(fingerprint, **time))
            sent += rng.choices(sent, k=rng.randrange(3))
        calls.append(sent)
        episodes += (length + 1) // 2
        open_ones += length % 2
    order = [number for number, sent in enumerate(calls) for _ in sent]
    rng.shuffle(order)
    return [calls[number].pop(0) for number in order], episodes, open_ones


@pytest.mark.parametrize("seed", range(8))
def test_one_incident_for_each_episode(alertmanager, seed):
    alerts, episodes, open_ones = story(random.Random(seed))
    while alerts:
        size = random.Random(len(alerts)).randrange(1, 4)
        alertmanager.alerts(*alerts[:size])
        alerts = alerts[size:]
    for _ in range(2):
        assert (len(statuses()), statuses().count("open")) == (episodes, open_ones)
        assert Episode.objects.filter(closed_at=None).count() == open_ones
        assert IncidentChange.objects.count() == 2 * episodes - open_ones
        inbox.replay(list(Delivery.objects.values_list("pk", flat=True)))
        while inbox.process_pending():
            pass
