"""
gunicorn's threaded worker, in which a thread is given to whole requests only: slow clients keep nobody waiting.

Its threads poll together, and the one that has read a request answers it: to pass it to another and the connection back
costs a quarter of a short answer.
"""

import re
import select
import signal
import socket
import struct
import sys
from enum import IntEnum
from heapq import nsmallest
from os import kill, read
from select import EPOLLIN, EPOLLONESHOT, EPOLLOUT
from threading import RLock, Thread
from time import monotonic, sleep
from typing import Any

from gunicorn.http.errors import LimitRequestHeaders
from gunicorn.workers.gthread import STOP_KEEPALIVE_LINGER, TConn, ThreadWorker

CONTENT_LENGTH = re.compile(rb"\r\ncontent-length[ \t]*:[ \t]*(\d{1,18})[ \t]*\r\n", re.IGNORECASE)
CHUNKED = re.compile(rb"\r\ntransfer-encoding[ \t]*:", re.IGNORECASE)
EXPECTS_CONTINUE = re.compile(rb"\r\nexpect[ \t]*:", re.IGNORECASE)
LARGEST_HEAD = 65_536
LARGEST_BODY = 3_145_728  # a longer one the service refuses unread
MOST_HELD = 134_217_728  # bytes of unfinished requests in a worker
LINGER = 2.0  # seconds that a client has to read its last answer
SUCCESSOR_STARTS = 2.0  # seconds given to a new worker before an old one stops
STALLED = struct.pack("ll", 10, 0)  # seconds and microseconds without progress that free a thread


class State(IntEnum):
    """What a connection waits for; where there are too many, the first of these goes first."""

    CLOSING = 0
    READING = 1
    KEPT = 2


class Connection(TConn):
    """A client, and what has arrived of its next request."""

    timeout: float

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.state = State.KEPT
        self.received = bytearray()
        self.length = 0  # of the whole request, 0 while its head is incomplete
        self.whole = True  # False where a request goes on to its thread before its end has come
        self.sock.setblocking(True)
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, STALLED)
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, STALLED)
        # Takes most answers whole: the thread need not wait for their reader.
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 262_144)

    def has_request(self) -> bool:
        """
        Is there something for a thread to do?

        Raises LimitRequestHeaders for a head that does not end.
        """
        if not self.length:
            head = self.received.find(b"\r\n\r\n") + 4
            if head < 4:
                if len(self.received) > LARGEST_HEAD:
                    raise LimitRequestHeaders("max buffer headers")
                return False
            found = CONTENT_LENGTH.search(self.received, 0, head)
            body = int(found[1]) if found else 0
            self.length = head + body
            self.whole = body <= LARGEST_BODY and not CHUNKED.search(self.received, 0, head)
            if self.whole and len(self.received) < self.length and EXPECTS_CONTINUE.search(self.received, 0, head):
                self.sock.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        return not self.whole or len(self.received) >= self.length

    def cork(self, corked: bool) -> None:
        """Head and body leave in one packet: apart they would wake the client twice."""
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, corked)


class Worker(ThreadWorker):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.lock = RLock()  # of the next three
        self.waiting: dict[int, Connection] = {}  # by descriptor; who takes one out is the one to deal with it
        self.held = 0  # bytes that they have received
        self.nr_conns = 0

        # By itself a worker would end before there is another, and nobody might be listening meanwhile.
        self.max_requests: int
        self.renew_every, self.max_requests = self.max_requests, sys.maxsize
        self.renew_at = self.renew_every
        self.successor_at = 0.0

    # The main thread tells gunicorn that the worker is alive, and drops whom nobody hears from

    def run(self) -> None:
        self.epoll = select.epoll()
        self.listeners = {listener.fileno(): listener for listener in self.sockets}
        for listener in self.sockets:
            listener.setblocking(False)
            self.epoll.register(listener, EPOLLIN)
        for _ in range(self.cfg.threads):
            Thread(target=self.serve, daemon=True).start()
        while self.alive and self.is_parent_alive():
            self.notify()
            self.drop_expired()
            if select.select([self.PIPE[0]], [], [], 1.0)[0]:  # a signal
                read(self.PIPE[0], 1)
        self.stop()

    def stop(self) -> None:
        # What the kernel has accepted for this worker nobody else can answer; what comes later, others can.
        self.alive = False
        self.listeners = {}
        # Whoever comes between the last look and the end of the listening is turned away: no thread may be in between.
        sys.setswitchinterval(1e-6)
        for listener in self.sockets:
            self.epoll.unregister(listener)
            while self.accept(listener):
                pass
            listener.close()
        end = monotonic() + self.cfg.graceful_timeout
        soon = monotonic() + STOP_KEEPALIVE_LINGER
        with self.lock:
            for connection in self.waiting.values():
                if not connection.received:
                    connection.timeout = min(connection.timeout, soon)
        while monotonic() < end:
            sleep(0.1)  # before the first look too: a thread may just have accepted somebody
            self.notify()
            self.drop_expired()
            if not self.nr_conns:
                break

    def notify(self) -> None:
        super().notify()
        if self.successor_at:
            if self.successor_at < monotonic() or not self.alive:
                kill(self.ppid, signal.SIGTTOU)  # one worker less: the oldest
                self.successor_at = 0.0
        elif self.nr >= self.renew_at:
            kill(self.ppid, signal.SIGTTIN)  # one worker more
            self.successor_at = monotonic() + SUCCESSOR_STARTS
            self.renew_at += self.renew_every

    def drop_expired(self) -> None:
        now = monotonic()
        with self.lock:
            self.drop([fd for fd, connection in self.waiting.items() if connection.timeout <= now])

    def drop(self, fds: list[int]) -> None:
        for fd in fds:
            if connection := self.take(fd):
                self.end(connection)

    # The other threads serve

    def serve(self) -> None:
        try:
            while True:
                for fd, event in self.epoll.poll(maxevents=1):
                    if listener := self.listeners.get(fd):
                        self.accept(listener)
                    elif connection := self.take(fd):
                        if event & EPOLLOUT:
                            self.proceed(connection)
                        else:
                            self.receive(connection)
        except BaseException:
            self.log.exception("A thread failed: its worker stops")
            self.alive = False

    def accept(self, listener: socket.socket) -> bool:
        """Whether there was somebody."""
        try:
            sock, address = listener.accept()
        except (BlockingIOError, ConnectionAbortedError):
            return False
        except OSError:
            if self.alive:
                raise
            return False  # another thread has closed it
        with self.lock:
            self.nr_conns += 1
            if self.nr_conns >= self.worker_connections:
                self.drop(nsmallest(1 + self.nr_conns // 100, self.waiting, self.precedence))
        connection = Connection(self.cfg, sock, address, sock.getsockname())
        self.epoll.register(sock, 0)
        self.wait(connection, State.READING, self.cfg.timeout)
        return True

    def precedence(self, fd: int) -> tuple[State, float]:
        connection = self.waiting[fd]
        return connection.state, connection.timeout

    def wait(self, connection: Connection, state: State, seconds: float, event: int = EPOLLIN) -> None:
        if state is not connection.state or state is State.KEPT:
            connection.state = state
            connection.timeout = monotonic() + seconds
        fd = connection.sock.fileno()
        with self.lock:
            self.waiting[fd] = connection
            self.held += len(connection.received)
        self.epoll.modify(fd, event | EPOLLONESHOT)

    def take(self, fd: int) -> Connection | None:
        with self.lock:
            connection = self.waiting.pop(fd, None)
            if connection:
                self.held -= len(connection.received)
        return connection

    def end(self, connection: Connection) -> None:
        with self.lock:
            self.nr_conns -= 1
        connection.close()

    def receive(self, connection: Connection) -> None:
        try:
            data = connection.sock.recv(65_536, socket.MSG_DONTWAIT)
        except BlockingIOError:  # its number was another's a moment ago
            self.wait(connection, connection.state, self.cfg.timeout)
            return
        except OSError:
            data = b""
        if not data or self.held > MOST_HELD:
            self.end(connection)
        elif connection.state is State.CLOSING:
            self.wait(connection, State.CLOSING, LINGER)
        else:
            connection.received += data
            self.proceed(connection)

    def proceed(self, connection: Connection) -> None:
        try:
            ready = connection.has_request()
        except (LimitRequestHeaders, OSError) as exc:
            self.handle_error(None, connection.sock, connection.client, exc)
            self.close(connection)
            return
        if not ready:
            self.wait(connection, State.READING, self.cfg.timeout)
            return
        connection.init()
        connection.parser.unreader.unread(bytes(connection.received))
        connection.length = 0
        connection.cork(connection.whole)  # else there may be a 100 Continue to send
        if not self.handle(connection):
            self.close(connection)
            return
        connection.cork(False)
        connection.received[:] = connection.parser.unreader.take_buffered()
        seconds = self.cfg.keepalive if self.alive else STOP_KEEPALIVE_LINGER
        # What has come already takes its turn behind the others': a socket that can be written to comes up at once.
        self.wait(connection, State.KEPT, seconds, EPOLLOUT if connection.received else EPOLLIN)

    def _keepalive_after(self, connection: Connection, keepalive: bool) -> bool:
        # The rest of a request that is not here is not waited for.
        return connection.whole and super()._keepalive_after(connection, keepalive)

    def close(self, connection: Connection) -> None:
        """Ends the answer, and leaves the client the time to read it."""
        try:
            connection.sock.shutdown(socket.SHUT_WR)
        except OSError:
            self.end(connection)
        else:
            connection.received.clear()
            self.wait(connection, State.CLOSING, LINGER)
