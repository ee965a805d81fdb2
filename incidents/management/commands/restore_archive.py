from collections import Counter
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from incidents.archive import restore
from incidents.exceptions import ArchiveError
from incidents.management.commands.archive import told
from incidents.store import store


class Command(BaseCommand):
    help = "Writes the incidents of a file of `archive` back, with their ids. Those that are there are left alone."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path)

    def handle(self, *args: Any, file: Path, **options: Any) -> None:
        counts: Counter[str] = Counter()
        try:
            for restored in restore(file):
                counts += restored
        except (ArchiveError, OSError) as exc:
            reason = exc if isinstance(exc, ArchiveError) else f"The file cannot be read: {exc.strerror}."
            raise CommandError(f"{reason} Restored until there: {told(counts)}.") from None
        store.update_statistics()
        self.stdout.write(f"Restored: {told(counts)}.")
