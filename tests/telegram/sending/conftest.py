import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone

from incidents.actors import Named
from incidents.models import Incident
from incidents.services import change_incident
from telegram import chats
from telegram.bot_api import client
from telegram.models import Card, Chat
from telegram.sending import sender
from tests.helpers.bot_api import BotAPI
from tests.helpers.incidents import make_incident
from tests.helpers.telegram_messages import ANNA, GROUP

SOON = 1.1  # seconds: Telegram takes the chat's next message


class Clock:
    """The service's and Telegram's: it moves when a test says so. The database's is years behind."""

    def __init__(self) -> None:
        self.now = datetime(2040, 3, 1, 12, tzinfo=UTC)

    def seconds(self) -> float:
        return self.now.timestamp()

    def pass_(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


@pytest.fixture
def clock(monkeypatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(timezone, "now", lambda: clock.now)
    for module in (client, sender):
        monkeypatch.setattr(module, "monotonic", clock.seconds)
    return clock


class Service:
    """The sending job, and what it sends about."""

    def __init__(self, clock: Clock, api: BotAPI) -> None:
        self.clock, self.api = clock, api
        self.start()

    def start(self) -> None:
        """As after the death of the process before."""
        self.sender = sender.Sender()
        client.limiter = client.Limiter()

    def run(self, seconds: float = 7, every: float = SOON) -> None:
        """The job runs for a while."""
        until = self.clock.seconds() + seconds
        while self.clock.seconds() < until:
            self.sender.step()
            self.clock.pass_(every)

    def join(self) -> None:
        """Until no call is under way."""
        for thread in threading.enumerate():
            if thread.name == "telegram-call":
                thread.join(10)

    def add_chat(self, chat: dict[str, Any] = GROUP, **fields: Any) -> Chat:
        self.api.add_chat(chat)
        added = chats.add(fields.pop("bot_id", client.bot_id()), chat["id"]).chat
        values = {"title": chat.get("title", ""), "allowed": True, "language": "en"} | fields
        Chat.objects.filter(pk=added.pk).update(**values)
        return Chat.objects.get(pk=added.pk)

    def report(self, chat: Chat, text: str = "Насос 3 стоит", **card: Any) -> Card:
        """As what a message in the chat becomes."""
        incident = make_incident(description=text, actor=Named("Анна"), channel="telegram")
        return Card.objects.create(incident=incident, chat=chat, due_at=timezone.now(), **card)

    def change(self, card: Card, actor: str = "Пётр", **values: str) -> Incident:
        self.clock.pass_(0.001)
        incident = Incident.objects.get(pk=card.incident_id)
        return change_incident(incident, values=values, actor=Named(actor), channel="api")

    @property
    def sent(self) -> list[dict[str, Any]]:
        return self.api.called("sendMessage")

    @property
    def edits(self) -> list[dict[str, Any]]:
        return self.api.called("editMessageText")

    @property
    def shown(self) -> list[str]:
        """What is to be read in the chats."""
        return [message["text"] for message in self.api.messages.values()]


@pytest.fixture
def service(clock, telegram_api, monkeypatch) -> Iterator[Service]:
    telegram_api.now, telegram_api.limits = clock.seconds, True
    monkeypatch.setattr(client, "limiter", client.Limiter())
    service = Service(clock, telegram_api)
    yield service
    service.join()


@pytest.fixture
def chat(service) -> Chat:
    return service.add_chat()


@pytest.fixture
def private(service) -> Chat:
    return service.add_chat({"id": ANNA["id"], "type": "private"})
