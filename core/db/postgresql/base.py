"""
Django's PostgreSQL backend with connections of our own.

https://docs.djangoproject.com/en/6.1/ref/databases/#subclassing-the-built-in-database-backends
"""

import select
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from time import monotonic
from typing import Any

import psycopg
from django.db import DEFAULT_DB_ALIAS
from django.db.backends.postgresql import base
from psycopg.abc import RV, PQGen
from psycopg.errors import Diagnostic
from psycopg.pq import TransactionStatus

from core.db.time_limit import seconds_for_statement, seconds_until_deadline

CANCEL_SECONDS = 1.0
LATE = "The database did not answer in time."
FIRST_NAME = "_pg3_0"  # of psycopg's prepared statements


class Connection(psycopg.Connection[Any]):
    """A statement fails if it has no answer in time (core.db.time_limit), or if its commit is on no standby."""

    is_replicated = True
    # Of a standby, for core.db.replica: the position up to which it said that it has replayed, and when, by monotonic()
    replayed, replayed_at = 0, 0.0

    def wait(self, gen: PQGen[RV], interval: float = 0.1, timeout: float | None = None) -> RV:
        """Called for each statement, commit and rollback. Raises OperationalError."""
        self.is_replicated = True
        if timeout is None:
            timeout = seconds_for_statement()
            if timeout == 0:  # A cancellation could come before the statement.
                self.close()
                raise psycopg.OperationalError(LATE)
        try:
            result = super().wait(gen, interval, timeout)
        except psycopg.OperationalError:
            if self.pgconn.transaction_status == TransactionStatus.ACTIVE:  # the time is over
                # The server would go on with a statement whose client has gone.
                with suppress(psycopg.Error):
                    self.cancel_safe(timeout=CANCEL_SECONDS)
                self.close()
            raise
        if not self.is_replicated:
            raise psycopg.OperationalError("The wait for synchronous replication was cancelled.")
        return result

    def hear(self, notice: Diagnostic) -> None:
        """
        Learns that a commit was acknowledged by this server alone.

        With synchronous replication a cancelled COMMIT succeeds with a WARNING. It has no SQLSTATE of its own, and its
        words are translated: https://www.postgresql.org/docs/current/warm-standby.html#SYNCHRONOUS-REPLICATION
        """
        if notice.source_function == "SyncRepWaitForLSN":
            self.is_replicated = False

    def is_dead(self) -> bool:
        """Returns whether it is closed, also by the server, which sends nothing else between statements."""
        if self.closed:
            return True
        poll = select.poll()
        poll.register(self, select.POLLIN)
        return bool(poll.poll(0))

    def is_to_standby(self) -> bool:
        """Returns whether the server was a hot standby when it last said; a pooler does not say it."""
        return self.pgconn.parameter_status(b"in_hot_standby") == b"on"


class Cursor(base.Cursor):
    """
    Prepares nothing, and leaves the connection's count of statements alone.

    Django's statements contain their values: psycopg would keep the texts of a hundred of them, with the bodies of
    calls in hexadecimal digits. It counts those that are executed with prepare=False, too.
    """

    def execute(self: Any, query: Any, params: Any = None, **options: Any) -> Any:
        threshold, self.connection.prepare_threshold = self.connection.prepare_threshold, None
        try:
            return super().execute(query, params, **options)  # type: ignore[misc]
        finally:
            self.connection.prepare_threshold = threshold


class DatabaseWrapper(base.DatabaseWrapper):
    _connecting: Future[Connection] | None = None  # what a deadline did not wait for

    def get_new_connection(self, conn_params: dict[str, Any]) -> Connection:
        self.isolation_level = psycopg.IsolationLevel.READ_COMMITTED
        connection = self._connect(conn_params | {"autocommit": True, "cursor_factory": Cursor})
        connection.add_notice_handler(connection.hear)
        self._adapt_to_pooler(connection)
        if self.alias == DEFAULT_DB_ALIAS and connection.is_to_standby():
            # Not kept: after a failover the same address may lead to the primary within seconds.
            self.close_at = monotonic()
        return connection

    def _connect(self, conn_params: dict[str, Any]) -> Connection:
        """
        Raises OperationalError before the deadline of the thread.

        The connect_timeout is for each of several hosts, after their names are resolved. A connection that comes after
        the deadline is for the next call, which else would come as late, behind the same host that does not answer.
        """
        future, self._connecting = self._connecting, None
        if future and future.done() and (future.exception() or future.result().is_dead()):
            future = None
        left = seconds_until_deadline()
        if future is None:
            if left is None:
                return Connection.connect(**conn_params)
            pool = ThreadPoolExecutor(1)
            future = pool.submit(Connection.connect, **conn_params)
            pool.shutdown(wait=False)
        try:
            return future.result(left)
        except TimeoutError:
            self._connecting = future
            raise psycopg.OperationalError(LATE) from None

    def _adapt_to_pooler(self, connection: Connection) -> None:
        """
        Turns off what needs a session of its own if a pooler, such as PgBouncer, is between.

        psycopg gives its prepared statements the same names in every client. Through a pooler of transactions a client
        would run another client's statement. Raises OperationalError where they are on and the pooler does not keep
        them apart.
        """
        setting = self.settings_dict["PREPARED_STATEMENTS"]
        if setting != "off":
            # A pooler has no process of the server to name when a client connects.
            (pid,) = connection.execute("SELECT pg_backend_pid()").fetchone() or (None,)
            if pid == connection.info.backend_pid:
                return
        self.settings_dict["DISABLE_SERVER_SIDE_CURSORS"] = True
        if setting == "on":
            _require_own_names(connection)
        else:
            connection.prepare_threshold = None


def _require_own_names(connection: Connection) -> None:
    """Raises OperationalError unless the pooler renames prepared statements, as PgBouncer does since 1.21."""
    try:
        with connection.transaction():
            # Not of Django's class, which prepares nothing
            cursor = psycopg.Cursor(connection).execute("SELECT name FROM pg_prepared_statements", prepare=True)
            if all(name != FIRST_NAME for (name,) in cursor.fetchall()):
                return
            connection.execute(f"DEALLOCATE {FIRST_NAME}")
    except psycopg.errors.DuplicatePreparedStatement:
        pass  # another client's
    connection.close()
    raise psycopg.OperationalError(
        "Set POSTGRES_PREPARED_STATEMENTS to auto: a pooler before PostgreSQL would mix up the clients' statements."
    )
