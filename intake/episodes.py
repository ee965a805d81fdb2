"""
Calls of senders become incidents, by the rule of episodes: at most one is open for each sender and fingerprint.

`inbox.process` locks the sender's row, so that one call is decided on after the other; the constraints of Episode stand
behind that. A decision depends on the call and the episodes before it: processing a call again changes nothing.
"""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import datetime, timedelta
from hashlib import sha256
from itertools import chain, islice
from operator import attrgetter
from typing import cast

from django.db import transaction
from django.db.models import Max, QuerySet

from core.db.postgresql import DOWN
from core.log.redaction import redact
from incidents.actors import Named
from incidents.models import Incident, Status
from incidents.services import (
    FEW,
    change_statuses,
    import_incidents,
    lock_statuses,
    mark_urgent,
    new_incident,
)
from incidents.store import store
from intake.inbox import Outcome
from intake.models import Delivery, Episode, Sender
from intake.notes import note
from intake.parsers import Format, parse
from intake.parsers.reading import UnreadableError, read
from intake.parsers.types import Fault, Ignored, Notice, Part, Reason, Report, Resolution

logger = logging.getLogger(__name__)

PARTS = 500  # in one transaction
MAX_BEGUN = 4  # calls, each with its body


# Calls of which some parts are done: the next part and those behind it, by delivery, number of the parts done, and
# format. A call is thereby read once, however many transactions it takes; another process reads it anew.
_begun: dict[tuple[int, int, str], tuple[list[Part], Iterator[Part]]] = {}


def handle(delivery: Delivery) -> Outcome:
    """Makes incidents of a call, or of its next PARTS parts."""
    sender, done = cast("Sender", delivery.sender), delivery.parts_done
    try:
        begun = _begun.pop((delivery.pk, done, sender.format), None)
        first, parts = begun or ([], _parts(delivery, sender))
    except UnreadableError as exc:
        outcome = Outcome()
        outcome.fault(note(None, exc.reason))
        return outcome
    batch = first + list(islice(parts, PARTS - len(first)))
    outcome = _take(delivery, sender, batch)
    if done:
        outcome.state = Delivery.State.PROCESSED
    if first := list(islice(parts, 1)):
        outcome.parts = done + PARTS
        while len(_begun) >= MAX_BEGUN:
            _begun.pop(next(iter(_begun)), None)
        _begun[delivery.pk, outcome.parts, sender.format] = first, parts
    return outcome


def _parts(delivery: Delivery, sender: Sender) -> Iterator[Part]:
    """Returns the parts of a call that are not done. Raises UnreadableError."""
    payload, notices = read(bytes(delivery.body), delivery.content_type, sender.format)
    return islice(chain(notices, parse(sender.format, payload, sender.paths)), delivery.parts_done, None)


def _take(delivery: Delivery, sender: Sender, parts: Sequence[Part]) -> Outcome:
    """Takes all parts at once. Where that fails, takes each half of them, until a part that fails is alone."""
    try:
        with transaction.atomic():
            return _Batch(delivery, sender, parts).take()
    except DOWN:
        raise
    except Exception as exc:
        if len(parts) > 1:
            middle = len(parts) // 2
            outcome = _take(delivery, sender, parts[:middle])
            outcome.add(_take(delivery, sender, parts[middle:]))
            return outcome
        logger.warning("A part was not recorded", exc_info=True)
        outcome = Outcome(Delivery.State.SKIPPED)
        outcome.fault(note(parts[0].index, redact(f"{type(exc).__name__}: {exc}")))
        return outcome


@dataclass(slots=True)
class _Episode:
    """A row of Episode: an instance of the model takes twenty times as long."""

    sender_id: int
    fingerprint: str
    incident_id: int | None = None
    opened_by_id: int | None = None
    part: int | None = None
    closed_by_id: int | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None
    closed_at: datetime | None = None
    description_hash: bytes | None = None
    varied_by: int | None = None
    urgent: bool = False
    id: int | None = None


COLUMNS = [field.name for field in fields(_Episode)]
values_of = attrgetter(*COLUMNS)


class _Batch:
    """
    Decides in memory what parts become, and writes it in bulk.

    What was decided is written before a part that depends on it: an incident is not made and changed in one write, nor
    changed twice.
    """

    def __init__(self, delivery: Delivery, sender: Sender, parts: Sequence[Part]) -> None:
        self.parts = parts
        self.delivery = delivery
        self.sender = sender
        self.actor = Named(sender.name)
        reported = [part.index for part in parts if isinstance(part, Report)]
        self.made: dict[int | None, _Episode] = {}
        if reported:
            made = Episode.objects.filter(opened_by=delivery, part__range=(reported[0], reported[-1]))
            self.made = {episode.part: episode for episode in _read(made)}
        known = {part.fingerprint for part in parts if isinstance(part, (Report, Resolution)) and part.fingerprint}
        episodes = Episode.objects.filter(sender=sender, fingerprint__in=known)
        newest = episodes.values("fingerprint").annotate(newest=Max("pk")).values("newest")
        self.latest = {each.fingerprint: each for each in _read(Episode.objects.filter(pk__in=newest))}
        self.statuses: dict[int, str] = {}  # of locked incidents
        self.ended: list[_Episode] = []
        self.opened: list[tuple[_Episode, Incident | None]] = []  # with a new incident, or none
        self.changed: dict[int, Status] = {}  # of incidents
        self.escalated: list[_Episode] = []
        self.marked: list[int] = []  # incidents

    def take(self) -> Outcome:
        outcome = Outcome(Delivery.State.SKIPPED)
        for part in self.parts:
            self._take(part, outcome)
        self._write()
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
                self._escalate(part)
                if self._varies(part):
                    outcome.warn(note(part.index, Reason.VARIES))
            case Report() | Resolution():
                skipped = self._report(part) if isinstance(part, Report) else self._resolve(part)
                if skipped:
                    outcome.notes.append(note(part.index, skipped))
                else:
                    outcome.state = Delivery.State.PROCESSED

    def _write(self) -> None:
        # First what ended: at most one episode of a problem is open.
        ends = [(episode.id, episode.ended_at, episode.closed_at, episode.closed_by_id) for episode in self.ended]
        if ends:
            store.update_rows(Episode, ("ended_at", "closed_at", "closed_by_id"), ends)
        if self.opened:
            made = [incident for _, incident in self.opened if incident]
            import_incidents([(incident, self.actor.username) for incident in made], (), channel=self.sender.channel)
            for episode, incident in self.opened:
                if incident:
                    episode.incident_id = incident.pk
            self._insert([episode for episode, _ in self.opened])
        if self.escalated:
            store.update_rows(Episode, ("urgent",), [(episode.id, True) for episode in self.escalated])
        if self.marked:
            mark_urgent(self.marked, actor=self.actor, channel=self.sender.channel)
        for status in (Status.RESOLVED, Status.OPEN):
            if incidents := [incident_id for incident_id, new in self.changed.items() if new == status]:
                change_statuses(incidents, status, actor=self.actor, channel=self.sender.channel)
        self.ended, self.opened, self.changed, self.statuses = [], [], {}, {}
        self.escalated, self.marked = [], []

    def _insert(self, episodes: Sequence[_Episode]) -> None:
        if len(episodes) <= FEW:
            for episode in episodes:
                episode.id = Episode.objects.create(**asdict(episode)).pk
            return
        for episode, pk in zip(episodes, store.reserve_ids(Episode, len(episodes)), strict=True):
            episode.id = pk
        store.insert_rows(Episode, COLUMNS, map(values_of, episodes))

    def _is_open(self, fingerprint: str | None) -> bool:
        latest = self.latest.get(fingerprint or "")
        return latest is not None and latest.closed_at is None

    def _escalate(self, report: Report) -> None:
        """Marks the incident of an open problem by the first repeat that is urgent."""
        episode = self.latest[cast("str", report.fingerprint)]
        if not report.urgent or episode.urgent:
            return
        if episode.id is None or episode.incident_id in self.changed:
            self._write()
        episode.urgent = True
        self.escalated.append(episode)
        self._mark(episode.incident_id)

    def _mark(self, incident_id: int | None) -> None:
        if incident_id:  # else it is archived
            self.marked.append(incident_id)

    def _varies(self, report: Report) -> bool:
        """
        Returns whether a repeat is the first of its episode with another description: its id may name two problems.

        Values that go up and down are no news, so that it is said once for each episode, and only of ids that are found
        by a path.
        """
        episode, digest = self.latest[cast("str", report.fingerprint)], self._hash(report)
        if digest is None or episode.description_hash is None or bytes(episode.description_hash) == digest:
            return False
        mine = Episode.objects.filter(pk=cast("int", episode.id))
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
        reopened = self._reopen(latest, starts_at) if latest else None
        new = None
        if reopened is None:
            created_at = starts_at or self.delivery.received_at
            new = new_incident(
                description=report.description,
                source=self.sender.source,
                urgent=report.urgent,
                created_at=created_at,
            )
        elif report.urgent:
            self._mark(reopened)
        episode = _Episode(
            sender_id=self.sender.pk,
            fingerprint=report.fingerprint or f"delivery:{self.delivery.pk}:{report.index}",
            incident_id=reopened,
            opened_by_id=self.delivery.pk,
            part=report.index,
            started_at=starts_at,
            description_hash=self._hash(report),
            # Nothing can end it.
            closed_at=None if report.fingerprint else self.delivery.received_at,
            urgent=report.urgent,
        )
        self.opened.append((episode, new))
        self.made[report.index] = self.latest[episode.fingerprint] = episode
        return None

    def _identify(self, made: _Episode, report: Report) -> None:
        """
        Takes the problem's id from a replay, whose path was missing before: calls to come are repeats, or end it.

        Unless the problem came by its id since: what is known of its end stays.
        """
        separate = made.fingerprint.startswith(f"delivery:{self.delivery.pk}:")
        if separate and report.fingerprint and report.fingerprint not in self.latest:
            Episode.objects.filter(pk=cast("int", made.id)).update(fingerprint=report.fingerprint, closed_at=None)
            made.fingerprint, made.closed_at = report.fingerprint, None
            self.latest[made.fingerprint] = made

    def _resolve(self, resolution: Resolution) -> Reason | None:
        latest = self.latest.get(resolution.fingerprint)
        ends_at = self._cap(resolution.ends_at)
        if latest is None or latest.closed_at:
            # Remembered, since its firing may come late: it must make no incident then.
            if ends_at and (latest is None or (latest.ended_at and latest.ended_at < ends_at)):
                episode = _Episode(
                    sender_id=self.sender.pk,
                    fingerprint=resolution.fingerprint,
                    closed_by_id=self.delivery.pk,
                    ended_at=ends_at,
                    closed_at=self.delivery.received_at,
                )
                self.opened.append((episode, None))
                self.latest[resolution.fingerprint] = episode
            return Reason.NOTHING_TO_RESOLVE
        if (latest.opened_by_id or 0) > self.delivery.pk or _precedes(ends_at, latest.started_at):
            return Reason.LATE
        if latest.id is None or latest.incident_id in self.changed:
            self._write()
        latest.ended_at, latest.closed_at, latest.closed_by_id = ends_at, self.delivery.received_at, self.delivery.pk
        self.ended.append(latest)
        self.changed[cast("int", latest.incident_id)] = Status.RESOLVED
        return None

    def _is_late(self, starts_at: datetime | None, latest: _Episode) -> bool:
        """Returns whether a firing was sent, or processed for the first time, before the end that is known."""
        closed_by = latest.closed_by_id or 0
        if starts_at and latest.ended_at:
            return starts_at <= latest.ended_at or self.delivery.pk < closed_by
        return self.delivery.pk <= closed_by

    def _reopen(self, latest: _Episode, starts_at: datetime | None) -> int | None:
        """Returns the last episode's incident if that ended recently enough, unless a person has closed it."""
        if latest.incident_id is None or latest.closed_at is None:
            return None
        if starts_at and latest.ended_at:
            pause = starts_at - latest.ended_at
        else:
            pause = self.delivery.received_at - latest.closed_at
        if pause >= timedelta(minutes=self.sender.reopen_within_minutes):
            return None
        status = self._lock(latest.incident_id)
        if status == Status.CLOSED:
            return None
        if status == Status.RESOLVED:
            self.changed[latest.incident_id] = Status.OPEN
        return latest.incident_id

    def _lock(self, incident_id: int) -> str:
        """
        Returns the incident's status with what was decided before; it stays until the transaction ends.

        All incidents that may be asked for are locked together, in the order of their ids.
        """
        if incident_id in self.changed:
            self._write()
        if incident_id not in self.statuses:
            closed = (each.incident_id for each in self.latest.values() if each.closed_at and each.incident_id)
            self.statuses = lock_statuses(closed)
        return self.statuses.get(incident_id, Status.CLOSED)  # archived meanwhile

    def _cap(self, at: datetime | None) -> datetime | None:
        return at and min(at, self.delivery.received_at)


def _read(episodes: QuerySet[Episode]) -> list[_Episode]:
    return [_Episode(*row) for row in episodes.values_list(*COLUMNS)]


def _precedes(one: datetime | None, other: datetime | None) -> bool:
    return bool(one and other and one < other)
