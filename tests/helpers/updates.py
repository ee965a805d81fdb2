"""Updates as Telegram hands them out, given to the one function that takes them."""

import itertools
import json
import threading
from typing import Any

from incidents.models import Incident, IncidentChange
from intake.models import Delivery
from telegram.models import Message
from telegram.receiving import updates
from tests.helpers.telegram_messages import ANNA, message

BOT_ID = 110201543
_ids = itertools.count(10_000)


def take(kind: str, payload: Any, *, update_id: int | None = None) -> dict[str, Any]:
    """Returns the update, to be taken again."""
    update = {"update_id": next(_ids) if update_id is None else update_id, kind: payload}
    again(update)
    return update


def again(update: dict[str, Any]) -> None:
    updates.take(json.dumps(update).encode())


def write(**fields: Any) -> dict[str, Any]:
    """A message of ANNA's in GROUP."""
    return take("message", message(**fields))


def edit(**fields: Any) -> dict[str, Any]:
    return take("edited_message", message(**{"edit_date": 1705314700} | fields))


def press(data: str, *, chat: dict[str, Any], message_id: int = 500, user: dict[str, Any] = ANNA) -> dict[str, Any]:
    card = {"message_id": message_id, "chat": chat, "date": 1705314600}
    return take("callback_query", {"id": "77", "from": user, "message": card, "chat_instance": "1", "data": data})


def wait_for_answers() -> None:
    """Until those are sent that are under way."""
    for thread in threading.enumerate():
        if thread.name == "telegram-answer":
            thread.join(10)


def descriptions() -> list[str]:
    return list(Incident.objects.order_by("id").values_list("description", flat=True))


def history() -> list[Any]:
    """What came after the creation of each incident."""
    changes = IncidentChange.objects.order_by("id").values_list("changes", flat=True)
    return [change for change in changes if "source" not in change or change["source"][0] is not None]


def deliveries() -> list[tuple[str, str]]:
    """The state and the notes of each."""
    return list(Delivery.objects.order_by("id").values_list("state", "notes"))


def everything() -> Any:
    """All that was made so far, to be compared after a replay."""
    return (
        list(Incident.objects.order_by("id").values_list("id", "description", "status", "updated_at")),
        list(IncidentChange.objects.order_by("id").values_list("id", "changes")),
        list(Message.objects.order_by("id").values_list("id", "message_id", "words", "role")),
    )
