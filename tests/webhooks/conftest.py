from datetime import timedelta

import pytest
from django.utils import timezone

from tests.helpers.receiver import Receiver, serve, subscribe


@pytest.fixture
def receiver(settings):
    settings.WEBHOOK_ALLOW_PRIVATE = True
    with serve(Receiver()) as receiver:
        yield receiver


@pytest.fixture
def hook(db, receiver):
    return subscribe(receiver.url)


class Clock:
    def __init__(self):
        self.now = timezone.now()

    def forward(self, **duration):
        self.now += timedelta(**duration)


@pytest.fixture
def clock(monkeypatch):
    """Time stands still until it is put forward."""
    clock = Clock()
    monkeypatch.setattr(timezone, "now", lambda: clock.now)
    return clock
