"""
Calls of senders become incidents, by the rule of episodes: at most one is open for each sender and fingerprint.

`inbox.process` locks the sender's row, so that one call is decided on after the other; the constraints of Episode stand
behind that. A decision depends on the call and the episodes before it: processing a call again changes nothing.
"""

import logging
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from datetime import datetime, timedelta
from hashlib import sha256
from itertools import chain, islice
from typing import cast

from django.db import transaction
from django.db.models import Max

from core.db.postgresql import DOWN
from core.log.redaction import redact
from incidents.actors import Named
from incidents.models import Incident, Status
from incidents.services import change_incident, create_incident
from intake.inbox import Outcome
from intake.models import Delivery, Episode, Sender
from intake.notes import note
from intake.parsers import Format, parse
from intake.parsers.reading import UnreadableError, read
from intake.parsers.types import Fault, Ignored, Notice, Part, Reason, Report, Resolution

logger = logging.getLogger(__name__)

PARTS = 500  # in one transaction
MAX_BEGUN = 4  # calls, each with its body


# Calls of which some parts are done: the parts that are left, by delivery, number of the parts done, and format. A call
# is thereby read once, however many transactions it takes; another process reads it anew.
_begun: dict[tuple[int, int, str], Iterator[Part]] = {}


def handle(delivery: Delivery) -> Outcome:
    """Makes incidents of a call, or of its next PARTS parts."""
    sender, done = cast("Sender", delivery.sender), delivery.parts_done
    try:
        parts = _begun.pop((delivery.pk, done, sender.format), None) or _parts(delivery, sender)
    except UnreadableError as exc:
        outcome = Outcome()
        outcome.fault(note(None, exc.reason))
        return outcome
    batch = list(islice(parts, PARTS))
    try:
        with transaction.atomic():
            outcome = _Call(delivery, sender, batch, savepoints=False).take_all()
    except DOWN:
        raise
    except Exception:  # again, with a savepoint for each part: half as fast
        outcome = _Call(delivery, sender, batch, savepoints=True).take_all()
    if done:
        outcome.state = Delivery.State.PROCESSED
    if len(batch) == PARTS:
        outcome.parts = done + PARTS
        while len(_begun) >= MAX_BEGUN:
            _begun.pop(next(iter(_begun)), None)
        _begun[delivery.pk, outcome.parts, sender.format] = parts
    return outcome


def _parts(delivery: Delivery, sender: Sender) -> Iterator[Part]:
    """Returns the parts of a call that are not done. Raises UnreadableError."""
    payload, notices = read(bytes(delivery.body), delivery.content_type, sender.format)
    return islice(chain(notices, parse(sender.format, payload, sender.paths)), delivery.parts_done, None)


class _Call:
    def __init__(self, delivery: Delivery, sender: Sender, parts: Sequence[Part], *, savepoints: bool) -> None:
        self.parts = parts
        self.savepoints = savepoints
        self.delivery = delivery
        self.sender = sender
        self.actor = Named(sender.name)
        reported = [part.index for part in parts if isinstance(part, Report)]
        made = Episode.objects.filter(
            opened_by=delivery, part__range=(min(reported, default=0), max(reported, default=0))
        )
        self.made = {episode.part: episode for episode in made}
        known = {part.fingerprint for part in parts if isinstance(part, (Report, Resolution)) and part.fingerprint}
        episodes = Episode.objects.filter(sender=sender, fingerprint__in=known)
        newest = episodes.values("fingerprint").annotate(newest=Max("pk")).values("newest")
        self.latest = {episode.fingerprint: episode for episode in Episode.objects.filter(pk__in=newest)}

    def take_all(self) -> Outcome:
        """With savepoints a part that fails does not affect the others; without them its error is raised."""
        outcome = Outcome(Delivery.State.SKIPPED)
        for part in self.parts:
            self._take(part, outcome)
        return outcome

    def _take(self, part: Part, outcome: Outcome) -> None:
        match part:
            case Fault(index, error):
                outcome.fault(note(index, error))
            case Notice(warning, detail, index):
                outcome.warn(note(index, warning, detail))
            case Ignored(reason, index):
                outcome.notes.append(note(index, reason))
            case Report() if self._is_open(part.fingerprint):  # a repeat
                outcome.state = Delivery.State.PROCESSED
                if self._varies(part):
                    outcome.warn(note(part.index, Reason.VARIES))
            case Report() | Resolution():
                try:
                    with transaction.atomic() if self.savepoints else nullcontext():
                        skipped = self._report(part) if isinstance(part, Report) else self._resolve(part)
                except DOWN:
                    raise
                except Exception as exc:
                    if not self.savepoints:
                        raise
                    logger.warning("Part %d was not recorded", part.index, exc_info=True)
                    outcome.fault(note(part.index, redact(f"{type(exc).__name__}: {exc}")))
                else:
                    if skipped:
                        outcome.notes.append(note(part.index, skipped))
                    else:
                        outcome.state = Delivery.State.PROCESSED

    def _is_open(self, fingerprint: str | None) -> bool:
        latest = self.latest.get(fingerprint or "")
        return latest is not None and latest.closed_at is None

    def _varies(self, report: Report) -> bool:
        """
        Returns whether a repeat is the first of its episode with another description: its id may name two problems.

        Values that go up and down are no news, so that it is said once for each episode, and only of ids that are found
        by a path.
        """
        episode, digest = self.latest[cast("str", report.fingerprint)], self._hash(report)
        if digest is None or episode.description_hash is None or bytes(episode.description_hash) == digest:
            return False
        mine = Episode.objects.filter(pk=episode.pk)
        if episode.opened_by_id == self.delivery.pk:  # a replay, by another path of the description
            mine.update(description_hash=digest)
        if (episode.opened_by_id or 0) >= self.delivery.pk:
            return False
        if episode.varied_by is None:
            mine.update(varied_by=self.delivery.pk)
            episode.varied_by = self.delivery.pk
        return episode.varied_by == self.delivery.pk

    def _hash(self, report: Report) -> bytes | None:
        return sha256(report.description.encode()).digest() if self.sender.format == Format.GENERIC else None

    def _report(self, report: Report) -> Reason | None:
        if made := self.made.get(report.index):
            self._identify(made, report)
            return None
        latest = self.latest.get(report.fingerprint or "")
        starts_at = self._cap(report.starts_at)
        if latest and self._is_late(starts_at, latest):
            return Reason.LATE
        incident = self._reopen(latest, starts_at) if latest else None
        if incident is None:
            incident = create_incident(
                description=report.description,
                source=self.sender.source,
                created_at=starts_at or self.delivery.received_at,
                actor=self.actor,
                channel=self.sender.channel,
            )
        episode = Episode.objects.create(
            sender=self.sender,
            fingerprint=report.fingerprint or f"delivery:{self.delivery.pk}:{report.index}",
            incident=incident,
            opened_by=self.delivery,
            part=report.index,
            started_at=starts_at,
            description_hash=self._hash(report),
            # Nothing can end it.
            closed_at=None if report.fingerprint else self.delivery.received_at,
        )
        self.made[report.index] = self.latest[episode.fingerprint] = episode
        return None

    def _identify(self, made: Episode, report: Report) -> None:
        """Takes the problem's id from a replay, whose path was missing before: calls to come are repeats, or end it."""
        if made.fingerprint.startswith("delivery:") and report.fingerprint:
            Episode.objects.filter(pk=made.pk).update(fingerprint=report.fingerprint, closed_at=None)
            made.fingerprint, made.closed_at = report.fingerprint, None
            self.latest[made.fingerprint] = made

    def _resolve(self, resolution: Resolution) -> Reason | None:
        latest = self.latest.get(resolution.fingerprint)
        ends_at = self._cap(resolution.ends_at)
        if latest is None or latest.closed_at:
            # Remembered, since its firing may come late: it must make no incident then.
            if ends_at and (latest is None or (latest.ended_at and latest.ended_at < ends_at)):
                self.latest[resolution.fingerprint] = Episode.objects.create(
                    sender=self.sender,
                    fingerprint=resolution.fingerprint,
                    closed_by=self.delivery,
                    ended_at=ends_at,
                    closed_at=self.delivery.received_at,
                )
            return Reason.NOTHING_TO_RESOLVE
        if (latest.opened_by_id or 0) > self.delivery.pk or _precedes(ends_at, latest.started_at):
            return Reason.LATE
        end = {"ended_at": ends_at, "closed_at": self.delivery.received_at, "closed_by": self.delivery}
        Episode.objects.filter(pk=latest.pk).update(**end)
        incident = self._lock(latest.incident_id)
        if incident.status != Status.CLOSED:
            self._change(incident, Status.RESOLVED)
        for field, value in end.items():
            setattr(latest, field, value)
        return None

    def _is_late(self, starts_at: datetime | None, latest: Episode) -> bool:
        """Returns whether a firing was sent, or processed for the first time, before the end that is known."""
        closed_by = latest.closed_by_id or 0
        if starts_at and latest.ended_at:
            return starts_at <= latest.ended_at or self.delivery.pk < closed_by
        return self.delivery.pk <= closed_by

    def _reopen(self, latest: Episode, starts_at: datetime | None) -> Incident | None:
        """Returns the incident of the last episode if that ended recently enough, unless a person has closed it."""
        if latest.incident_id is None or latest.closed_at is None:
            return None
        if starts_at and latest.ended_at:
            pause = starts_at - latest.ended_at
        else:
            pause = self.delivery.received_at - latest.closed_at
        if pause >= timedelta(minutes=self.sender.reopen_within_minutes):
            return None
        incident = self._lock(latest.incident_id)
        if incident.status == Status.CLOSED:
            return None
        if incident.status == Status.RESOLVED:
            self._change(incident, Status.OPEN)
        return incident

    def _lock(self, incident_id: int | None) -> Incident:
        """Nothing that a person does comes between the look at the status and its change."""
        return Incident.objects.select_for_update(no_key=True).get(pk=cast("int", incident_id))

    def _change(self, incident: Incident, status: Status) -> None:
        change_incident(incident, values={"status": status}, actor=self.actor, channel=self.sender.channel)

    def _cap(self, at: datetime | None) -> datetime | None:
        return at and min(at, self.delivery.received_at)


def _precedes(one: datetime | None, other: datetime | None) -> bool:
    return bool(one and other and one < other)
