"""
Deliveries: stored and committed as they came, then processed in a transaction of their own, and replayed at will.

What is made of a delivery is unique by constraints of its own, so that processing it again makes nothing twice.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from django.db import transaction
from django.db.models.functions import Now

from core.db.postgresql import DOWN
from core.log.context import LogContext, current_context, log_context
from core.log.redaction import redact
from intake.models import Delivery, Sender

logger = logging.getLogger(__name__)

BATCH = 100


@dataclass
class Outcome:
    """What became of a delivery. `notes` are for people: faults, warnings, why it was skipped."""

    state: Delivery.State = Delivery.State.PROCESSED
    notes: list[str] = field(default_factory=list)

    def fault(self, note: str) -> None:
        self.state = Delivery.State.FAULTY
        self.notes.append(note)


type Handler = Callable[[Delivery], Outcome]
handlers: dict[str, Handler] = {}  # by channel; registered by AppConfig.ready()


def receive(*, channel: str, external_id: str, body: bytes, sender: Sender | None = None) -> Delivery:
    """The stored delivery, or the one that was stored when the same came before."""
    context = current_context.get()
    values: dict[str, Any] = {"body": body, "sender": sender, "request_id": context.request_id if context else ""}
    delivery, _ = Delivery.objects.get_or_create(channel=channel, external_id=external_id, defaults=values)
    return delivery


def process(delivery_id: int) -> None:
    """Processes a pending delivery, unless another process does. Raises django.db's errors, which leave it pending."""
    try:
        with transaction.atomic():
            pending = Delivery.objects.filter(pk=delivery_id, state=Delivery.State.PENDING)
            delivery = pending.select_for_update(skip_locked=True).first()
            if delivery is None:
                return
            with log_context(LogContext(delivery.request_id, job=f"delivery {delivery_id}")):
                outcome = handlers[delivery.channel](delivery)
            _finish(delivery_id, outcome)
    except DOWN:
        raise
    except Exception as exc:
        logger.exception("Delivery %d was not understood", delivery_id)
        _finish(delivery_id, Outcome(Delivery.State.FAULTY, [redact(f"{type(exc).__name__}: {exc}")]))


def process_pending() -> bool:
    """Processes a batch of what requests left behind, oldest first; returns whether there may be more."""
    pending = Delivery.objects.filter(state=Delivery.State.PENDING).order_by("id").values_list("pk", flat=True)
    ids = list(pending[:BATCH])
    for delivery_id in ids:
        process(delivery_id)
    return len(ids) == BATCH


def replay(delivery_ids: list[int]) -> int:
    """Makes deliveries pending again; the jobs process them. Returns how many."""
    return Delivery.objects.filter(pk__in=delivery_ids).update(
        state=Delivery.State.PENDING, notes="", processed_at=None
    )


def _finish(delivery_id: int, outcome: Outcome) -> None:
    Delivery.objects.filter(pk=delivery_id).update(
        state=outcome.state, notes="\n".join(outcome.notes), processed_at=Now()
    )
