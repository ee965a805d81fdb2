"""
Deliveries: stored and committed as they came, then processed in transactions of their own, and replayed at will.

What is made of a delivery is unique by constraints of its own, so that processing it again makes nothing twice.
"""

import logging
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, field
from datetime import timedelta
from time import monotonic
from typing import Any
from uuid import uuid4

from django.conf import settings
from django.db import connection, transaction
from django.db.models import QuerySet
from django.db.models.functions import Length, Now
from django.utils import timezone

from core.db.postgresql import DOWN
from core.db.time_limit import deadline
from core.db.vendor import database
from core.log.context import LogContext, current_request_id, log_context
from core.log.redaction import redact
from intake.models import Delivery, Sender

logger = logging.getLogger(__name__)

LARGE_SIZE = 1024 * 1024  # bytes of a body
TURN_BATCH = 100  # deliveries in a sender's turn
TURN_SECONDS = 1.0  # of a sender, before the next one has its turn
STEP_SECONDS = 10.0  # of a job's step: far less than its lease
MAX_SOON_SECONDS = 0.5  # that a request spends on processing
MAX_SOON_WAIT_SECONDS = 3.0  # that it waits for the database meanwhile: some senders give up after four
MAX_SOON_SIZE = 64 * 1024  # bytes of a body that a request processes
MAX_NOTES = 100  # lines kept
PURGE_BATCH = 1_000  # deliveries in one transaction


@dataclass
class Outcome:
    """
    What became of a delivery, or of some of its parts. `notes` are for people: faults, warnings, why it was skipped.

    `parts` is how many parts are done now if more of them are left, None if all are.
    """

    state: Delivery.State = Delivery.State.PROCESSED
    notes: list[str] = field(default_factory=list)
    faults: int = 0
    warnings: int = 0
    parts: int | None = None

    def fault(self, note: str) -> None:
        self.state = Delivery.State.FAULTY
        self.faults += 1
        self.notes.append(note)

    def warn(self, note: str) -> None:
        self.warnings += 1
        self.notes.append(note)

    def add(self, other: "Outcome") -> None:
        """Adds what became of further parts."""
        if self.state == Delivery.State.SKIPPED:
            self.state = other.state
        self.faults += other.faults
        self.warnings += other.warnings
        self.notes += other.notes


type Handler = Callable[[Delivery], Outcome]
handlers: dict[str, Handler] = {}  # by channel; registered by AppConfig.ready()


def receive(
    *,
    channel: str,
    external_id: str | None = None,
    body: bytes,
    content_type: str = "",
    sender: Sender | None = None,
) -> Delivery:
    """Stores the delivery. If it has an external_id that is known, returns the one that was stored with it."""
    apart = len(body) > LARGE_SIZE
    values: dict[str, Any] = {
        "body": b"" if apart else body,
        "content_type": content_type,
        "sender": sender,
        "request_id": current_request_id(),
    }
    with transaction.atomic() if apart else nullcontext():
        if external_id is None:
            delivery, is_new = Delivery.objects.create(channel=channel, external_id=uuid4().hex, **values), True
        else:
            delivery, is_new = Delivery.objects.get_or_create(channel=channel, external_id=external_id, defaults=values)
        if apart and is_new:
            database.write_bytes(delivery, "body", body)
    if not is_new:
        database.wait_for_replication()  # the first call may have failed to
    if apart and not connection.in_atomic_block:
        connection.close()  # libpq keeps a buffer as large as the body
    return delivery


def process(delivery_id: int, *, is_begun: bool = False, handler: Handler | None = None) -> bool:
    """
    Processes a pending delivery, or some of its parts, in one transaction; returns whether it is still pending.

    A sender's deliveries are processed in their order: with an earlier one pending, that one is processed instead. The
    body of one that `is_begun` is read from the database only if the handler asks for it again. `handler` replaces that
    of its channel, for a delivery without a sender. Raises django.db's errors, which leave it pending.
    """
    delivery = None
    with log_context(LogContext(job=f"delivery {delivery_id}")) as context:
        try:
            with transaction.atomic():
                delivery = _lock(delivery_id, without_body=is_begun)
                if delivery is None:
                    return False
                # The call's log lines and changes have one id, whenever it is processed.
                context.request_id = delivery.request_id or context.request_id
                context.job = f"delivery {delivery.pk}"
                outcome = (handler or handlers[delivery.channel])(delivery)
                _save(delivery, outcome)
                return outcome.parts is not None or delivery.pk != delivery_id
        except DOWN:
            raise
        except Exception as exc:
            if delivery is None:
                raise
            logger.warning("Delivery %d was not understood", delivery.pk, exc_info=True)
            outcome = Outcome()
            outcome.fault(redact(f"{type(exc).__name__}: {exc}"))
            with transaction.atomic():
                unchanged = _lock(delivery.pk, without_body=True)
                # The lock was given up with the transaction that failed: another process may have gone on since.
                if unchanged and (unchanged.pk, unchanged.parts_done) == (delivery.pk, delivery.parts_done):
                    _save(delivery, outcome)
            return delivery.pk != delivery_id


def process_soon(delivery: Delivery) -> None:
    """Processes a delivery that just came, if that is quick; otherwise the jobs do. Raises django.db's errors."""
    end = monotonic() + MAX_SOON_SECONDS
    waiting = _pending().filter(sender=delivery.sender_id, pk__lte=delivery.pk).order_by("pk")
    with deadline(MAX_SOON_WAIT_SECONDS):
        size = waiting.annotate(size=Length("body")).values_list("size", flat=True).first()
        if size is not None and size <= MAX_SOON_SIZE:
            _process_until(end, delivery.pk)


def process_pending() -> bool:
    """
    Gives each sender with pending deliveries a turn; returns whether there may be more.

    What waited longest for its turn comes first, so that a large call, or thousands of them, hold up no other sender.
    """
    end = monotonic() + STEP_SECONDS
    senders = list(_pending().order_by().values_list("sender", flat=True).distinct())
    more = False
    for sender in sorted(senders, key=lambda sender: _served.get(sender, 0.0)):
        if monotonic() > end:
            return True
        _served[sender] = monotonic()
        more |= _take_turn(sender)
    return more


_served: dict[int | None, float] = {}  # when each sender last had a turn; Telegram's deliveries have none


def _take_turn(sender: int | None) -> bool:
    """Processes deliveries of the sender, oldest first; returns whether there may be more."""
    end = monotonic() + TURN_SECONDS
    pending = list(_pending().filter(sender=sender).order_by("pk").values_list("pk", "parts_done")[:TURN_BATCH])
    for pk, parts_done in pending:
        if _process_until(end, pk, is_begun=parts_done > 0) or monotonic() > end:
            return True
    return len(pending) == TURN_BATCH


def _process_until(end: float, delivery_id: int, *, is_begun: bool = False) -> bool:
    """Returns whether it is still pending."""
    while process(delivery_id, is_begun=is_begun):
        is_begun = True
        if monotonic() > end:
            return True
    return False


def replay(delivery_ids: list[int]) -> int:
    """Makes deliveries pending again; the jobs process them. Returns how many."""
    return Delivery.objects.filter(pk__in=delivery_ids).update(
        state=Delivery.State.PENDING, parts_done=0, faults=0, warnings=0, notes="", processed_at=None
    )


def purge_old_deliveries() -> bool:
    """Deletes a batch of the deliveries older than DELIVERY_RETENTION_DAYS; returns whether there may be more."""
    until = timezone.now() - timedelta(days=settings.DELIVERY_RETENTION_DAYS)
    old = Delivery.objects.filter(state__in=Delivery.WITHOUT_FAULTS, received_at__lt=until).order_by("received_at")
    # Django sets the episodes' references to null, for which it reads the rows: without their bodies.
    batch = Delivery.objects.filter(pk__in=list(old.values_list("pk", flat=True)[:PURGE_BATCH])).only("pk")
    return batch.delete()[1].get(Delivery._meta.label, 0) == PURGE_BATCH


def _pending() -> QuerySet[Delivery]:
    return Delivery.objects.filter(state=Delivery.State.PENDING)


def _lock(delivery_id: int, *, without_body: bool) -> Delivery | None:
    """Returns the delivery to be processed now; None if it is not pending, or another process has it."""
    pending = _pending().defer("body") if without_body else _pending()
    sender = Sender.objects.filter(deliveries=delivery_id).select_for_update(no_key=True, of=("self",)).first()
    if sender is None:
        return pending.filter(pk=delivery_id).select_for_update(skip_locked=True).first()
    delivery = pending.filter(sender=sender, pk__lte=delivery_id).order_by("pk").first()
    if delivery:
        delivery.sender = sender
    return delivery


def _save(delivery: Delivery, outcome: Outcome) -> None:
    faults = delivery.faults + outcome.faults
    notes = [*delivery.notes.splitlines(), *outcome.notes][:MAX_NOTES]
    warnings = delivery.warnings + outcome.warnings
    values: dict[str, Any] = {"faults": faults, "warnings": warnings, "notes": "\n".join(notes)}
    if outcome.parts is not None:
        values["parts_done"] = outcome.parts
    else:
        values |= {"state": Delivery.State.FAULTY if faults else outcome.state, "processed_at": Now()}
    Delivery.objects.filter(pk=delivery.pk).update(**values)
    if outcome.parts is None and _should_alert(delivery, faults, values["notes"]):
        whose = f"Sender {delivery.sender}" if delivery.sender else delivery.get_channel_display()
        logger.error("%s: delivery %d was not understood: %s", whose, delivery.pk, notes[-1])


def _should_alert(delivery: Delivery, faults: int, notes: str) -> bool:
    """
    Returns whether the faults are reported to the chat of critical errors.

    Those of a sender's first faulty delivery are, and the next ones only after a good one. Telegram's deliveries have
    no sender: each kind of fault is reported once, as long as one such delivery is kept.
    """
    if delivery.sender:
        if delivery.sender.has_faults == bool(faults):
            return False
        Sender.objects.filter(pk=delivery.sender.pk).update(has_faults=bool(faults))
        return bool(faults)
    alike = Delivery.objects.filter(channel=delivery.channel, state=Delivery.State.FAULTY, notes=notes)
    return bool(faults) and not alike.exclude(pk=delivery.pk).exists()
