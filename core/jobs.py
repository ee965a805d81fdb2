"""
Background jobs: leased loops, which `manage.py run_jobs` runs.

Any number of processes may run them: for each job one process holds a lease in the database. Task queues were
compared first: django-tasks-db, huey and procrastinate run single tasks. A loop would have to enqueue its own next run,
and would end for good if it failed to; procrastinate needs PostgreSQL, huey its own store. None has a lease for a loop.
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

from core.db.postgresql import is_unavailable
from core.db.time_limit import limit_statements
from core.log.context import LogContext, log_context
from core.models import Heartbeat

logger = logging.getLogger(__name__)

# A step is over by then, or has lost its lease.
STATEMENT_SECONDS = 30.0
LEASE = timedelta(seconds=60)  # twice as long as the longest step
POLL = timedelta(seconds=5)  # interval at which a job that is not due or is leased elsewhere is checked
FIRST_BACKOFF, LONGEST_BACKOFF = timedelta(seconds=5), timedelta(minutes=5)
LATE = timedelta(minutes=5)
FAILING = 6  # consecutive failures, whose backoffs together exceed LATE
STOP_SECONDS = 5.0  # that shutdown waits for running steps
STUCK_SECONDS = 2 * LEASE.total_seconds()  # no step takes that long, nor a database that does not answer


class NotNowError(Exception):
    """Raised by a step that another system keeps from its work: a warning, and the job is tried again later."""


@dataclass(frozen=True)
class Job:
    """
    `step` does a bounded part of the work, in less than half of LEASE, and returns whether more work is left.

    The process may be killed anywhere in a step.
    """

    name: str
    step: Callable[[], bool]
    every: timedelta


registered: dict[str, Job] = {}


def register(job: Job) -> None:
    """Called by AppConfig.ready()."""
    registered[job.name] = job


def late() -> list[str]:
    """Names the jobs that are overdue by more than LATE and that no process holds, or that keep failing."""
    overdue = Q(expires_at__lt=Now(), due_at__lt=Now() - LATE)
    on_time = Heartbeat.objects.exclude(overdue | Q(failures__gte=FAILING)).values_list("job", flat=True)
    return sorted(registered.keys() - set(on_time))


class Runner:
    """The loops of one process: a thread for each job."""

    def __init__(self) -> None:
        self.holder = f"{socket.gethostname()[:60]} {secrets.token_hex(8)}"
        self.stopping = threading.Event()
        self.failed: list[str] = []  # jobs whose thread has ended
        self._turned_at = dict.fromkeys(registered, monotonic())
        self.threads = [
            threading.Thread(target=self._loop, args=[job], name=job.name, daemon=True) for job in registered.values()
        ]

    def start(self) -> None:
        logger.info("Running the jobs %s", ", ".join(registered))
        for thread in self.threads:
            thread.start()

    def stop(self) -> None:
        """Waits up to STOP_SECONDS for running steps; the lease of an unfinished one expires."""
        self.stopping.set()
        until = monotonic() + STOP_SECONDS
        for thread in self.threads:
            thread.join(max(0.0, until - monotonic()))

    def is_turning(self) -> bool:
        """Returns whether all loops turn, as they do without a database too."""
        return monotonic() - min(self._turned_at.values()) < STUCK_SECONDS

    def _loop(self, job: Job) -> None:
        limit_statements(STATEMENT_SECONDS)
        try:
            while not self.stopping.is_set():
                self._turned_at[job.name] = monotonic()
                with log_context(LogContext(job=job.name)):
                    try:
                        close_old_connections()
                        self.run_if_due(job)
                    except (DatabaseError, InterfaceError) as exc:
                        logger.warning("The job waits: the database is unavailable or not migrated: %s", exc)
                self.stopping.wait(min(POLL, job.every).total_seconds())
        except BaseException:
            logger.exception("The thread of the job %s ends, and with it the process", job.name)
            self.failed.append(job.name)
        finally:
            self.stopping.set()
            connections.close_all()

    def run_if_due(self, job: Job) -> None:
        """Runs the job if it is due and no other process holds its lease. Raises the exceptions of django.db."""
        heartbeat = self._acquire(job)
        if heartbeat is None:
            return
        try:
            while (more := job.step()) and not self.stopping.is_set():
                self._turned_at[job.name] = monotonic()
                if not self._mine(job).update(expires_at=Now() + LEASE, ran_at=Now()):
                    logger.warning("The lease was lost: a step took longer than %s", LEASE)
                    return
        except Exception as exc:
            if is_unavailable(exc):
                raise
            backoff = min(FIRST_BACKOFF * 2 ** min(heartbeat.failures, 10), LONGEST_BACKOFF)
            if isinstance(exc, NotNowError):
                logger.warning("Next attempt in %s: %s", backoff, exc)
            else:
                logger.exception("The job failed; next attempt in %s", backoff)
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
            # A concurrent process skips the locked row. SQLite has one writer at a time.
            heartbeat = free.select_for_update(skip_locked=True).first()
            if heartbeat:
                Heartbeat.objects.filter(pk=heartbeat.pk).update(holder=self.holder, expires_at=Now() + LEASE)
        return heartbeat

    def _mine(self, job: Job) -> QuerySet[Heartbeat]:
        return Heartbeat.objects.filter(job=job.name, holder=self.holder)
