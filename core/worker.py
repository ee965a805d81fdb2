"""
gunicorn's threaded worker, in which a thread is given to whole requests only: slow clients keep nobody waiting.

The thread that polls handles a request itself: passing it to another and back costs as much as half an answer. Where
one lasts, a deputy polls meanwhile, and what it reads is handled by the thread pool.
"""

import os
import re
import signal
import socket
import struct
import sys
from collections import OrderedDict
from concurrent.futures import Future
from functools import partial
from selectors import EVENT_READ
from threading import Lock, Thread, get_ident
from time import monotonic, sleep
from typing import Any

from gunicorn.http import wsgi
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
LASTING, IDLE = 0.01, 0.05  # seconds between two looks of the deputy, and where there was nothing to see
STALLED = struct.pack("ll", 10, 0)  # seconds and microseconds without progress that free a thread


class Connection(TConn):
    """A client, and what has arrived of its next request."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.state: OrderedDict[Connection, None] = OrderedDict()
        self.received = bytearray()
        self.length = 0  # of the whole request, 0 while its head is incomplete
        self.whole = True  # False where a request goes on to its thread before its end has come
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

    def take(self) -> bytes:
        """The request, or what there is of it."""
        data = bytes(self.received)
        self.received.clear()
        self.length = 0
        return data


class Response(wsgi.Response):
    """Head and body leave together: apart they are two packets, and wake the client twice."""

    head = b""
    headers_sent: bool

    def send_headers(self) -> None:
        if not self.headers_sent:
            lines = [*self.default_headers(), *(f"{name}: {value}\r\n" for name, value in self.headers), "\r\n"]
            self.head = "".join(lines).encode("latin-1")
            self.headers_sent = True

    def flush(self) -> None:
        if self.head:
            self.sock.sendall(self.head)
            self.head = b""

    def _emit_body(self, data: bytes) -> None:
        if self.chunked:
            self.flush()
        data, self.head = self.head + data, b""
        super()._emit_body(data)

    def sendfile(self, respiter: Any) -> bool:
        self.send_headers()
        self.flush()
        return super().sendfile(respiter)

    def close(self) -> None:
        self.send_headers()
        self.flush()
        super().close()


wsgi.Response = Response  # gunicorn has no setting for it


class Worker(ThreadWorker):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # Who waits for what. Each has one time-out for all, so that the oldest is the first to expire.
        self.kept: OrderedDict[Connection, None] = OrderedDict()
        self.reading: OrderedDict[Connection, None] = OrderedDict()
        self.closing: OrderedDict[Connection, None] = OrderedDict()
        self.held = 0
        # By itself a worker would end before there is another, and nobody might be listening meanwhile.
        self.max_requests: int
        self.renew_every, self.max_requests = self.max_requests, sys.maxsize
        self.renew_at = self.renew_every
        self.successor_at = 0.0

        self.polling = Lock()  # held by the thread that polls
        self.handling = 0  # the number of the request that the main thread is at
        self.handled = 0
        self.relieved = False  # whether the deputy has polled since the main thread did

    def run(self) -> None:
        self.main_thread = get_ident()
        Thread(target=self.deputise, name="deputy", daemon=True).start()
        with self.polling:
            super().run()

    def deputise(self) -> None:
        try:
            self.stand_in()
        except Exception:
            self.log.exception("The deputy failed: this worker stops")
            self.alive = False

    def stand_in(self) -> None:
        """Polls while the main thread is at a request that lasts."""
        seen, pause = 0, IDLE
        while True:
            sleep(pause)
            pause = LASTING if self.handled != seen else IDLE
            lasting, seen = seen, self.handled
            while self.handling and self.handling == lasting:
                with self.polling:
                    if self.handling == lasting:
                        self.relieved = True
                        self.notify()
                        self.murder_keepalived()
                        for key, _ in self.poller.select(1.0):
                            key.data(key.fileobj)

    def wait_for_and_dispatch_events(self, timeout: float) -> None:
        self.relieved = False
        for key, _ in self.poller.select(timeout):
            key.data(key.fileobj)
            if self.relieved:
                break  # the deputy may have read the rest

    def enqueue_req(self, connection: Connection) -> None:
        if get_ident() != self.main_thread:  # but the deputy, which goes on polling
            super().enqueue_req(connection)
            return
        self.handled += 1
        self.handling = self.handled
        self.polling.release()
        try:
            keep = self.handle(connection)
        finally:
            self.handling = 0
            if self.polling.locked():
                self.method_queue.defer(int)  # does nothing but wake the deputy
            self.polling.acquire()
        self.finish(connection, keep)

    def notify(self) -> None:
        super().notify()
        if self.successor_at:
            if self.successor_at < monotonic() or not self.alive:
                os.kill(self.ppid, signal.SIGTTOU)  # one worker less: the oldest
                self.successor_at = 0.0
        elif self.nr >= self.renew_at:
            os.kill(self.ppid, signal.SIGTTIN)  # one worker more
            self.successor_at = monotonic() + SUCCESSOR_STARTS
            self.renew_at += self.renew_every

    def accept(self, listener: socket.socket) -> None:
        try:
            sock, address = listener.accept()
        except (BlockingIOError, ConnectionAbortedError):
            return
        if self.nr_conns >= self.worker_connections - 1:
            for state in (self.closing, self.reading, self.kept):
                if state:
                    self.drop(next(iter(state)))
                    break
        self.nr_conns += 1
        self.wait(Connection(self.cfg, sock, address, listener.getsockname()), self.reading, self.cfg.timeout)

    def set_accept_enabled(self, enabled: bool) -> None:
        super().set_accept_enabled(enabled)
        if not self.alive:
            self.notify()
            # What the kernel has accepted for this worker nobody else can answer; what comes later, others can.
            for listener in self.sockets:
                before = -1
                while before < self.nr_conns:
                    before = self.nr_conns
                    self.accept(listener)
                listener.close()

    def wait(self, connection: Connection, state: OrderedDict[Connection, None], seconds: float) -> None:
        connection.sock.setblocking(False)
        self.move(connection, state, seconds)
        self.poller.register(connection.sock, EVENT_READ, partial(self.read, connection))

    def move(self, connection: Connection, state: OrderedDict[Connection, None], seconds: float) -> None:
        connection.state.pop(connection, None)
        connection.state = state
        connection.timeout = monotonic() + seconds
        state[connection] = None

    def forget(self, connection: Connection) -> None:
        del connection.state[connection]
        self.held -= len(connection.received)
        self.poller.unregister(connection.sock)

    def drop(self, connection: Connection) -> None:
        self.forget(connection)
        self.nr_conns -= 1
        connection.close()

    def read(self, connection: Connection, sock: socket.socket) -> None:
        try:
            data = sock.recv(65_536)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data or self.held > MOST_HELD:
            self.drop(connection)
        elif connection.state is not self.closing:
            if connection.state is self.kept:
                self.move(connection, self.reading, self.cfg.timeout)
            self.proceed(connection, data)

    def proceed(self, connection: Connection, data: bytes) -> None:
        connection.received += data
        self.held += len(data)
        try:
            ready = connection.has_request()
        except (LimitRequestHeaders, OSError) as exc:
            self.handle_error(None, connection.sock, connection.client, exc)
            self.forget(connection)
            self.close(connection)
        else:
            if ready:
                self.forget(connection)
                connection.init()
                connection.parser.unreader.unread(connection.take())
                self.enqueue_req(connection)

    def _keepalive_after(self, connection: Connection, keepalive: bool) -> bool:
        # The rest of a request that is not here is not waited for.
        return connection.whole and super()._keepalive_after(connection, keepalive)

    def finish_request(self, connection: Connection, future: Future) -> None:
        try:
            keep = future.result()
        except Exception:
            keep = False
        self.finish(connection, keep)

    def finish(self, connection: Connection, keep: bool) -> None:
        if not keep:
            self.close(connection)
        elif following := connection.parser.unreader.take_buffered():
            # Not at once: of a thousand requests in one packet each would go a call deeper.
            self.method_queue.defer(self.resume, connection, following)
        else:
            self.wait(connection, self.kept, self.cfg.keepalive if self.alive else STOP_KEEPALIVE_LINGER)

    def resume(self, connection: Connection, following: bytes) -> None:
        self.wait(connection, self.reading, self.cfg.timeout)
        self.proceed(connection, following)

    def close(self, connection: Connection) -> None:
        """Ends the answer, and leaves the client the time to read it."""
        try:
            connection.sock.shutdown(socket.SHUT_WR)
        except OSError:
            self.nr_conns -= 1
            connection.close()
        else:
            self.wait(connection, self.closing, LINGER)

    def murder_keepalived(self, force: bool = False) -> None:
        now = monotonic()
        for state in (self.kept, self.reading, self.closing):
            while state and (force or next(iter(state)).timeout <= now):
                self.drop(next(iter(state)))

    def _cap_keepalive(self, deadline: float) -> None:
        for connection in [*self.kept, *self.reading]:
            if not connection.received:
                connection.timeout = min(connection.timeout, deadline)
                connection.state.move_to_end(connection, last=False)
