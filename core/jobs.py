"""
What runs beside requests, in `manage.py run_jobs`: loops that bring up to date whatever is behind.

Any number of processes may run them: for each job one of them holds a lease in the database. Libraries were looked at
first: django-tasks-db, huey and procrastinate are queues of single tasks. A loop would have to enqueue itself, and ends
for good once it does not; procrastinate needs PostgreSQL, huey a store of its own. None keeps a lease over a loop.
"""

import logging
import secrets
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from time import monotonic

from django.db import DatabaseError, InterfaceError, close_old_connections, connections, transaction
from django.db.models import Q, QuerySet
from django.db.models.functions import Now

from core.db.postgresql import DOWN
from core.log.context import LogContext, log_context
from core.models import Heartbeat

logger = logging.getLogger(__name__)

LEASE = timedelta(seconds=60)  # twice as long as the longest step
POLL = timedelta(seconds=5)  # between two looks at a job that is not due, or that another process runs
FIRST_BACKOFF, LONGEST_BACKOFF = timedelta(seconds=5), timedelta(minutes=5)
LATE = timedelta(minutes=5)
FAILING = 6  # failures in a row, whose backoffs make LATE together
STOP = 5.0  # seconds that the end of the process waits for the steps at work


class NotNowError(Exception):
    """Raised by a step that another system keeps from its work: a warning, and the job is tried again later."""


@dataclass(frozen=True)
class Job:
    """
    `step` does a bounded part of the work, in under half of LEASE, and says whether more is to be done at once.

    It may be interrupted anywhere, as by a power failure.
    """

    name: str
    step: Callable[[], bool]
    every: timedelta


registered: dict[str, Job] = {}


def register(job: Job) -> None:
    """Called by AppConfig.ready()."""
    registered[job.name] = job


def late() -> list[str]:
    """The jobs that were due LATE ago and that no process runs, and those that have been failing for as long."""
    overdue = Q(expires_at__lt=Now(), due_at__lt=Now() - LATE)
    on_time = Heartbeat.objects.exclude(overdue | Q(failures__gte=FAILING)).values_list("job", flat=True)
    return sorted(registered.keys() - set(on_time))


class Runner:
    """The loops of a process: a thread for each job."""

    def __init__(self) -> None:
        self.holder = f"{socket.gethostname()[:60]} {secrets.token_hex(8)}"
        self.stopping = threading.Event()
        self.threads = [
            threading.Thread(target=self._loop, args=[job], name=job.name, daemon=True) for job in registered.values()
        ]

    def start(self) -> None:
        logger.info("Running the jobs %s", ", ".join(registered))
        for thread in self.threads:
            thread.start()

    def stop(self) -> None:
        """Waits for the steps at work, for STOP seconds in all; the lease of a longer one expires."""
        self.stopping.set()
        until = monotonic() + STOP
        for thread in self.threads:
            thread.join(max(0.0, until - monotonic()))

    def _loop(self, job: Job) -> None:
        try:
            while not self.stopping.is_set():
                with log_context(LogContext(job=job.name)):
                    try:
                        close_old_connections()
                        self.run_if_due(job)
                    except (DatabaseError, InterfaceError) as exc:
                        logger.warning("The job waits: the database is away or not migrated: %s", exc)
                self.stopping.wait(min(POLL, job.every).total_seconds())
        finally:
            connections.close_all()

    def run_if_due(self, job: Job) -> None:
        """Runs the job unless another process does, or it is not due. Raises django.db's errors."""
        heartbeat = self._acquire(job)
        if heartbeat is None:
            return
        try:
            while (more := job.step()) and not self.stopping.is_set():
                if not self._mine(job).update(expires_at=Now() + LEASE, ran_at=Now()):
                    logger.warning("The lease was lost: a step took longer than %s", LEASE)
                    return
        except DOWN:
            raise
        except Exception as exc:
            backoff = min(FIRST_BACKOFF * 2 ** min(heartbeat.failures, 10), LONGEST_BACKOFF)
            if isinstance(exc, NotNowError):
                logger.warning("The job is tried again in %s: %s", backoff, exc)
            else:
                logger.exception("The job failed, and is tried again in %s", backoff)
            self._mine(job).update(expires_at=Now(), due_at=Now() + backoff, failures=heartbeat.failures + 1)
        else:
            due_at = Now() if more else Now() + job.every
            self._mine(job).update(expires_at=Now(), due_at=due_at, ran_at=Now(), failures=0)

    def _acquire(self, job: Job) -> Heartbeat | None:
        free = Heartbeat.objects.filter(job=job.name, expires_at__lte=Now(), due_at__lte=Now())
        if not free.exists():
            Heartbeat.objects.get_or_create(job=job.name)
            return None
        with transaction.atomic():
            # Of two processes at the same instant the second skips the row that the first has locked. SQLite has one
            # writer at a time.
            heartbeat = free.select_for_update(skip_locked=True).first()
            if heartbeat:
                Heartbeat.objects.filter(pk=heartbeat.pk).update(holder=self.holder, expires_at=Now() + LEASE)
        return heartbeat

    def _mine(self, job: Job) -> QuerySet[Heartbeat]:
        return Heartbeat.objects.filter(job=job.name, holder=self.holder)
