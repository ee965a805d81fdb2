"""
Calls of senders become incidents, by the rule of episodes: at most one is open for each sender and fingerprint.

`inbox.process` locks the sender's row, so that one call is decided on after the other; the constraints of Episode stand
behind that. A decision depends on the call and the episodes before it: processing a call again changes nothing.
"""

import logging
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from hashlib import sha256
from itertools import chain, groupby, islice
from operator import attrgetter, itemgetter
from typing import cast

from django.db import transaction
from django.db.models import Max

from core.db.postgresql import DOWN
from core.log.redaction import redact
from incidents.actors import Named
from incidents.models import Incident, Status
from incidents.services import FEW, change_statuses, import_incidents, lock_incidents, new_incident
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
    outcome = _take(delivery, sender, batch)
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


def _take(delivery: Delivery, sender: Sender, parts: Sequence[Part]) -> Outcome:
    """Takes the parts all at once; where that fails, each half of them, so that a part which fails is alone in it."""
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
        made = Episode.objects.filter(
            opened_by=delivery, part__range=(min(reported, default=0), max(reported, default=0))
        )
        self.made = {episode.part: episode for episode in made}
        known = {part.fingerprint for part in parts if isinstance(part, (Report, Resolution)) and part.fingerprint}
        episodes = Episode.objects.filter(sender=sender, fingerprint__in=known)
        newest = episodes.values("fingerprint").annotate(newest=Max("pk")).values("newest")
        self.latest = {episode.fingerprint: episode for episode in Episode.objects.filter(pk__in=newest)}
        self.incidents: dict[int, Incident] = {}  # locked, or made here
        self.ended: list[Episode] = []
        self.opened: list[tuple[Episode, Incident | None]] = []  # with a new incident, or none
        self.changed: dict[int, tuple[Incident, Status]] = {}

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
        ends = [(episode.pk, episode.ended_at, episode.closed_at, episode.closed_by_id) for episode in self.ended]
        if ends:
            store.update_rows(Episode, ("ended_at", "closed_at", "closed_by_id"), ends)
        if self.opened:
            made = [incident for _, incident in self.opened if incident]
            import_incidents([(incident, self.actor.username) for incident in made], (), channel=self.sender.channel)
            for episode, incident in self.opened:
                if incident:
                    episode.incident_id = incident.pk
                    self.incidents[incident.pk] = incident
            self._insert([episode for episode, _ in self.opened])
        for status, changes in groupby(sorted(self.changed.values(), key=itemgetter(1)), key=itemgetter(1)):
            incidents = [incident for incident, _ in changes]
            change_statuses(incidents, status, actor=self.actor, channel=self.sender.channel)
        self.ended, self.opened, self.changed = [], [], {}

    def _insert(self, episodes: Sequence[Episode]) -> None:
        if len(episodes) <= FEW:
            Episode.objects.bulk_create(episodes)
            return
        for episode, pk in zip(episodes, store.reserve_ids(Episode, len(episodes)), strict=True):
            episode.pk = pk
        columns = [field.attname for field in Episode._meta.concrete_fields]
        store.insert_rows(Episode, columns, map(attrgetter(*columns), episodes))

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
        new = None
        if incident is None:
            created_at = starts_at or self.delivery.received_at
            new = new_incident(description=report.description, source=self.sender.source, created_at=created_at)
        episode = Episode(
            sender_id=self.sender.pk,
            fingerprint=report.fingerprint or f"delivery:{self.delivery.pk}:{report.index}",
            incident_id=incident and incident.pk,
            opened_by_id=self.delivery.pk,
            part=report.index,
            started_at=starts_at,
            description_hash=self._hash(report),
            # Nothing can end it.
            closed_at=None if report.fingerprint else self.delivery.received_at,
        )
        self.opened.append((episode, new))
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
                episode = Episode(
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
        if latest.pk is None:
            self._write()
        latest.ended_at, latest.closed_at, latest.closed_by_id = ends_at, self.delivery.received_at, self.delivery.pk
        self.ended.append(latest)
        incident = self._lock(latest.incident_id)
        if incident.status not in (Status.RESOLVED, Status.CLOSED):
            self.changed[incident.pk] = incident, Status.RESOLVED
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
            self.changed[incident.pk] = incident, Status.OPEN
        return incident

    def _lock(self, incident_id: int | None) -> Incident:
        """
        Returns the incident as it is with what was decided before; until the transaction ends no one else changes it.

        All that may be asked for are locked together, in the order of their ids.
        """
        pk = cast("int", incident_id)
        if pk in self.changed:
            self._write()
        if pk not in self.incidents:
            ends = {part.fingerprint for part in self.parts if isinstance(part, Resolution)}
            episodes = [each for each in self.latest.values() if each.closed_at or each.fingerprint in ends]
            self.incidents |= lock_incidents(each.incident_id for each in episodes if each.incident_id)
        return self.incidents[pk]

    def _cap(self, at: datetime | None) -> datetime | None:
        return at and min(at, self.delivery.received_at)


def _precedes(one: datetime | None, other: datetime | None) -> bool:
    return bool(one and other and one < other)
