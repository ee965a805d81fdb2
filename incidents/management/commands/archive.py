from collections import Counter
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone
from django.utils.dateparse import parse_date, parse_datetime
from tqdm import tqdm

from incidents.archive import Writer, closed
from incidents.exceptions import ArchiveError
from incidents.models import Attachment


class Command(BaseCommand):
    help = (
        "Moves closed incidents that were last changed before a date to a file, with their histories and what belongs "
        "to them. Repeated with the same file, it goes on where it was interrupted. `restore_archive` reads it back."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--before", required=True, help="a date, midnight in UTC, or a time with its offset")
        parser.add_argument("file", type=Path, help="such as incidents-2025.jsonl.gz")

    def handle(self, *args: Any, before: str, file: Path, **options: Any) -> None:
        moment = parse_before(before)
        try:
            with Writer(file, moment) as writer, tqdm(total=writer.expected, disable=None) as progress:
                for size in writer.batches():
                    progress.update(size)
        except ArchiveError as exc:
            raise CommandError(str(exc)) from None
        except OSError as exc:
            raise CommandError(f"The file cannot be written: {exc.strerror}.") from None
        self.stdout.write(f"{file} holds {told(writer.counts)}.")
        if left := closed(moment).count():
            self.stdout.write(f"{left} closed incidents stay: something is still to happen or was said about them.")
        if waiting := closed(moment).filter(attachments__state=Attachment.State.PENDING).distinct().count():
            self.stdout.write(f"{waiting} of them wait for a file that is still to be fetched.")
        if writer.not_copied:
            self.stdout.write(f"{len(writer.not_copied)} of them have a file that could not be copied: see the log.")


def parse_before(text: str) -> datetime:
    """Raises CommandError."""
    try:
        day: date | None = parse_date(text)
        moment = datetime(day.year, day.month, day.day, tzinfo=UTC) if day else parse_datetime(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise CommandError("--before takes a date such as 2026-01-01, or a time with its offset.")
    if moment > timezone.now():
        raise CommandError("--before takes a time in the past.")
    return moment


def told(counts: Counter[str]) -> str:
    return ", ".join(f"{number} {name}" for name, number in counts.items() if number) or "nothing"
