"""A TCP forwarder, as a Kubernetes Service is one: a change of its target leaves open connections where they are."""

import socket
import threading
from contextlib import suppress
from typing import Self

from tests.helpers.servers import free_port


class Forwarder:
    def __init__(self, target: int) -> None:
        self.port, self.target = free_port(), target
        self._listener = socket.create_server(("127.0.0.1", self.port))
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with suppress(OSError):  # closed
            while True:
                client, _ = self._listener.accept()
                try:
                    server = socket.create_connection(("127.0.0.1", self.target))
                except OSError:
                    client.close()
                    continue
                for pair in ((client, server), (server, client)):
                    threading.Thread(target=_copy, args=pair, daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *args: object) -> None:
        self._listener.close()


def _copy(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65_536):
            target.sendall(data)
    for each in (source, target):
        with suppress(OSError):
            each.shutdown(socket.SHUT_RDWR)
