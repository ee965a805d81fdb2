import signal
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from core.jobs import Runner


class Command(BaseCommand):
    help = "Runs the background jobs until SIGTERM or SIGINT. Several processes share the work."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--heartbeat", type=Path, help="a file that is touched every second while all jobs turn")

    def handle(self, *args: Any, heartbeat: Path | None, **options: Any) -> None:
        """Raises CommandError if the thread of a job has ended: a supervisor starts the process again."""
        runner = Runner()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: runner.stopping.set())
        runner.start()
        while not runner.stopping.wait(1):
            if heartbeat and runner.is_turning():
                heartbeat.touch()
        runner.stop()
        if runner.failed:
            raise CommandError(f"The thread of the job {runner.failed[0]} has ended.")
