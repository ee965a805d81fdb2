"""
Reads from a standby that streams from the primary. They show all that was acknowledged before they began.

Each asks the primary how far its log of writes goes, by the statement that checks the token where there is one, and
waits until the standby has replayed that much. So nothing has to be remembered of who wrote what: a client needs no
header, an operator no cookie, and a token that was revoked is refused at once. What the standby cannot give in time,
the primary does.
"""

import logging
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from time import monotonic, sleep
from typing import Any

import psycopg
from django.conf import settings
from django.db import DEFAULT_DB_ALIAS, DatabaseError, InterfaceError, connections
from prometheus_client import Counter
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric

from core.db.postgresql import fetch, thread
from core.db.time_limit import deadline
from core.metrics import own_registry

logger = logging.getLogger(__name__)

REPLICA = "replica"  # in DATABASES, if there is one
ANSWER_SECONDS = 0.5  # in which it is connected to and says how far it is, besides what it is waited for
# In which one that was as far is not asked again: a busy thread saves most questions, and a frozen one is found out.
SURE_SECONDS = 0.1
# For which this process leaves alone a replica that is behind, or that does not answer
BEHIND_SECONDS, DOWN_SECONDS = 1.0, 5.0

# What is acknowledged is flushed. What is not may be flushed up to the middle of a record, which no standby can replay:
# the WAL writer goes by pages. It writes the rest within half a second, or the next commit does.
# 0 on a standby, which a failover leaves behind for a moment
POSITION = "SELECT CASE WHEN pg_is_in_recovery() THEN 0 ELSE (pg_current_wal_flush_lsn() - '0/0')::bigint END"
# Asked in a statement of its own: the snapshot of the next one is taken later. NULL if it is no standby, or no longer
REPLAYED = "SELECT CASE WHEN pg_is_in_recovery() THEN (pg_last_wal_replay_lsn() - '0/0')::bigint END"
# How long ago it replayed the last commit, by its clock
AGE = "SELECT extract(epoch FROM now() - pg_last_xact_replay_timestamp())::float8"


class _State:
    """Of this process."""

    rests_until = 0.0  # by monotonic()
    is_used = True


def is_configured() -> bool:
    return REPLICA in settings.DATABASES


def read[T](function: Callable[[], T], ask: Callable[..., Any] = fetch) -> T:
    """
    Returns what `function` reads, on the replica if it is as far as the primary was at the call.

    `function` may be called a second time, on the primary. `ask` fetches from the primary like
    `core.db.postgresql.fetch`, and may check the client besides.
    """
    if not is_configured():
        return function()
    failure: Exception | None = None
    if monotonic() >= _State.rests_until:
        ((position,),) = ask(POSITION, {})
        try:
            with _reading_from_replica():
                if _has_replayed(position):
                    result = function()
                    _reads().labels(REPLICA).inc()
                    _use()
                    return result
            _leave_alone(BEHIND_SECONDS, "It is behind, or no standby.")
        except (DatabaseError, InterfaceError) as exc:
            failure = exc
    result = function()  # It raises what is no fault of the replica.
    _reads().labels("primary").inc()
    # A conflict with what it replays ends a statement, and says nothing of the next one.
    if failure and not isinstance(failure.__cause__, psycopg.errors.SerializationFailure):
        _leave_alone(DOWN_SECONDS, str(failure))
    return result


@contextmanager
def _reading_from_replica() -> Iterator[None]:
    database = connections[REPLICA]
    if database.connection and database.connection.is_dead():
        database.close()
    before, thread.alias = thread.alias, REPLICA
    try:
        yield
    finally:
        thread.alias = before


def _has_replayed(position: int) -> bool:
    database = connections[REPLICA]
    end, pause = monotonic() + settings.REPLICA_WAIT_SECONDS, 0.001
    with deadline(settings.REPLICA_WAIT_SECONDS + ANSWER_SECONDS):
        database.ensure_connection()
        if position <= database.connection.replayed and monotonic() < database.connection.replayed_at + SURE_SECONDS:
            return bool(position)
        while position:
            ((replayed,),) = fetch(REPLAYED, [])
            if replayed is None:
                break
            if replayed >= position:
                if not database.settings_dict["DISABLE_SERVER_SIDE_CURSORS"]:  # A pooler may change the server.
                    database.connection.replayed, database.connection.replayed_at = replayed, monotonic()
                return True
            if monotonic() + pause > end:
                break
            sleep(pause)
            pause *= 2
    return False


def _use() -> None:
    if not _State.is_used:
        _State.is_used = True
        logger.warning("Reads go to the replica again")


def _leave_alone(seconds: float, why: str) -> None:
    _State.rests_until = monotonic() + seconds
    connections[REPLICA].close()  # The next one may be to another of several.
    if _State.is_used:
        _State.is_used = False
        logger.warning("Reads go to the primary, not to the replica: %s", why)


@cache
def _reads() -> Counter:
    # Without a replica there is no such metric.
    return Counter("database_reads_total", "Reads that may go to a replica.", ["database"], registry=own_registry)


def metrics() -> Iterable[Metric]:
    """Of the replica that this process is connected to, where there are several."""
    up = GaugeMetricFamily("database_replica_up", "Whether the replica answers.")
    lag = GaugeMetricFamily("database_replica_lag_bytes", "What the replica has not replayed of the log of writes.")
    age = GaugeMetricFamily("database_replica_lag_seconds", "Age of what it replayed last, 0 where nothing is left.")
    ((position,),) = fetch(POSITION, {})
    answers = 0
    with suppress(DatabaseError, InterfaceError), deadline(ANSWER_SECONDS), _reading_from_replica():
        ((replayed,),) = fetch(REPLAYED, [])
        ((seconds,),) = fetch(AGE, [])
        answers = 1
        if replayed is not None:
            lag.add_metric([], max(0, position - replayed))
            age.add_metric([], seconds or 0 if replayed < position else 0)
    up.add_metric([], answers)
    return up, lag, age


class Router:
    """Django's queries go where `read` says; all writes to the primary."""

    def db_for_read(self, model: Any, **hints: Any) -> str:
        return thread.alias

    def db_for_write(self, model: Any, **hints: Any) -> str:
        return DEFAULT_DB_ALIAS

    def allow_relation(self, one: Any, other: Any, **hints: Any) -> bool:
        return True

    def allow_migrate(self, db: str, app_label: str, **hints: Any) -> bool:
        return db == DEFAULT_DB_ALIAS
