import signal
import threading
from typing import Any

from django.core.management.base import BaseCommand

from core.jobs import Runner


class Command(BaseCommand):
    help = "Runs the background jobs until SIGTERM or SIGINT. Several processes share the work."

    def handle(self, *args: Any, **options: Any) -> None:
        stop = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stop.set())
        runner = Runner()
        runner.start()
        stop.wait()
        runner.stop()
