from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils.translation import override
from tqdm import tqdm

from telegram.history import export
from telegram.history.importer import History
from telegram.models import Chat
from telegram.reading.reports import NotUnderstoodError


class Command(BaseCommand):
    help = (
        "Records the history of chats from Telegram Desktop's export in JSON, and the files beside it: with its dates, "
        "without cards. It may be repeated, and what the bot recorded is left alone."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path, help="result.json, of a chat or of a whole account")
        parser.add_argument("--chat", type=int, help="only the chat with this id, as the admin shows it")
        parser.add_argument("--dry-run", action="store_true", help="tell what would be recorded, and record nothing")

    def handle(self, *args: Any, file: Path, chat: int | None, dry_run: bool, **options: Any) -> None:
        history = History(file.parent, dry_run=dry_run)
        row = Chat._meta
        zone = ZoneInfo(row.get_field("time_zone").get_default())
        try:
            with file.open("rb") as raw, override(row.get_field("language").get_default()):
                with tqdm.wrapattr(raw, "read", total=file.stat().st_size, desc=file.name, disable=None) as read:
                    history.record(export.read(read, only=chat, zone=zone))
        except OSError as exc:
            reason = f"The file cannot be read: {exc.strerror}."
            raise CommandError(f"{reason} Until there: {self._told(history)}.") from None
        except NotUnderstoodError as exc:
            raise CommandError(f"{exc} Until there: {self._told(history)}.") from None
        self.stdout.write(f"{'Nothing was written. ' if dry_run else ''}{self._told(history).capitalize()}.")

    def _told(self, history: History) -> str:
        kinds = ("incidents", "comments", "recorded before", "skipped", "not understood", "files", "missing files")
        return ", ".join(f"{history.counts[kind]} {kind}" for kind in kinds)
