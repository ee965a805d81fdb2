"""History of chats, taken from an export: it becomes the same incidents and comments as the bot would have made."""

from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import lru_cache
from itertools import batched, groupby
from operator import attrgetter
from pathlib import Path
from typing import Any

from django.db import reset_queries, transaction
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import activate, get_language

from incidents.attachments.content import clean_name
from incidents.attachments.services import fail_attachment, retry_attachment, store_attachment
from incidents.models import Attachment, Channel, Incident
from incidents.services import AttachedFile, Comment, import_incidents
from incidents.store import store
from telegram import chats
from telegram.bot_api import client
from telegram.history.files import Folder, file_of
from telegram.models import Account, Card, Chat, ChatAlias, File, Message
from telegram.reading.authors import Author
from telegram.reading.files import File as ExportedFile
from telegram.reading.reports import NotUnderstoodError, Report, fitted
from telegram.reading.texts import find_command
from telegram.receiving import accounts
from telegram.receiving.attachments import KINDS, ROLES
from telegram.receiving.fetching import not_exported
from telegram.receiving.messages import username_of

BATCH = 1_000
STORED_WITHIN = timedelta(hours=1)
EXPORTED = "export"  # in place of a file's unique id, which exports do not have
MESSAGE_COLUMNS = (
    "id", "alias_id", "message_id", "incident_id", "role", "words", "has_text", "edited_at", "media_group_id",
    "thread_id", "link",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Rows:
    """What a batch becomes; the dictionaries are by the message's number in the chat."""

    alias: ChatAlias
    incidents: list[tuple[Incident, str]]
    comments: list[Comment | AttachedFile]
    messages: list[tuple[Report, Incident, Message.Role]]
    pks: dict[int | None, int]  # of new messages, and of those known before that get a file
    files: dict[int | None, Attachment]
    exported: dict[int | None, ExportedFile]  # what can be stored, known before or not

    def counts(self) -> dict[str, int]:
        missing = sum(attachment.state == Attachment.State.FAILED for attachment in self.files.values())
        return {
            "incidents": len(self.incidents),
            "comments": len(self.comments) - len(self.files),
            "files": len(self.files) - missing,
            "missing files": missing,
        }


class History:
    """
    Records reports, and their files from a folder; `counts` says what became of them.

    A dry run takes back all that it wrote, and stores no file.
    """

    def __init__(self, folder: Path, *, dry_run: bool) -> None:
        self.folder = Folder(folder)
        self.dry_run = dry_run
        self.counts: Counter[str] = Counter()
        self.error: NotUnderstoodError | OSError | None = None
        self.bot_id = client.bot_id()
        self.username = username_of(self.bot_id)
        linked = Account.objects.filter(user__is_active=True)
        self.usernames = dict(linked.values_list("telegram_id", "user__username"))
        self.outside_name = lru_cache(10_000)(accounts.outside_name)

    def record(self, found: Iterable[Report | NotUnderstoodError]) -> None:
        """
        In batches, each in a transaction. Raises what `found` raises, after what came before is recorded.

        Files are stored after the transaction that announces them, which is not to wait for a storage that is slow. Of
        a process that dies in between, the next import stores what is left.
        """
        batches = self._batches(found)
        # A thread reads the next batch in the language that is active here. It begins when the database has rows to
        # write: earlier it would take turns with what makes them, and be done before the wait for the database.
        with ThreadPoolExecutor(1, initializer=activate, initargs=(get_language(),)) as reader:
            following = reader.submit(next, batches, None)
            while batch := following.result():
                with transaction.atomic():
                    rows = self._prepare(*batch)
                    following = reader.submit(next, batches, None)
                    _write(rows)
                    transaction.set_rollback(self.dry_run)
                self.counts.update(rows.counts())
                if not self.dry_run:
                    self._store_files(rows)
                reset_queries()  # which DEBUG keeps: they hold the whole history
        if self.error:
            raise self.error

    def _batches(self, found: Iterable[Report | NotUnderstoodError]) -> Iterator[tuple[int, tuple[Report, ...]]]:
        """The chat's id and the reports of each batch."""
        for chat_id, reports in groupby(self._understood(found), key=attrgetter("chat_id")):
            for batch in batched(reports, BATCH):
                yield chat_id, batch

    def _understood(self, found: Iterable[Report | NotUnderstoodError]) -> Iterable[Report]:
        try:
            for report in found:
                if isinstance(report, NotUnderstoodError) or report.message_id is None:
                    self.counts["not understood"] += 1
                else:
                    yield report
        except (NotUnderstoodError, OSError) as exc:  # of the whole file: the batch that was begun is recorded first
            self.error = exc

    def _prepare(self, chat_id: int, batch: tuple[Report, ...]) -> _Rows:
        alias = chats.add(self.bot_id, chat_id)
        chat = Chat.objects.select_for_update(no_key=True).get(pk=alias.chat_id)
        incidents: list[tuple[Incident, str]] = []
        comments: list[Comment | AttachedFile] = []
        messages: list[tuple[Report, Incident, Message.Role]] = []
        # Each file, and why it cannot be imported
        found = {
            each.message_id: (file, self.folder.why_not(file, each.link)) for each in batch if (file := file_of(each))
        }
        files: dict[int | None, Attachment] = {}
        targets = _targets(alias, batch)
        for each in batch:
            report = self._read(each, chat) if each.message_id not in targets else None
            if report is None or report.message_id is None:
                self.counts["recorded before" if each.message_id in targets else "skipped"] += 1
                continue
            now = timezone.now()
            at, actor = min(report.date or now, now), self._actor(report.author)
            if target := targets.get(report.reply_to or 0):
                comments.append(Comment(target, report.description, at, actor))
                role = Message.Role.COMMENT
            else:
                target = Incident(
                    description=report.description,
                    source=chat.source,
                    urgent=report.is_urgent,
                    created_at=at,
                    updated_at=now,
                )
                incidents.append((target, actor))
                role = Message.Role.REPORT
            targets[report.message_id] = target
            messages.append((report, target, role))
            if report.message_id in found:
                files[report.message_id] = _announce(*found[report.message_id], target)
                comments.append(AttachedFile(files[report.message_id], at, actor))
        numbers = [report.message_id for report, *_ in messages]
        pks = dict(zip(numbers, store.reserve_ids(Message, len(numbers)), strict=True))
        recorded = {each.message_id: each for each in batch if each.message_id in found and each.message_id not in pks}
        for pk, number, incident_id in _without_files(alias, recorded):
            pks[number], files[number] = pk, _announce(*found[number], Incident(pk=incident_id))
            comments.append(AttachedFile(files[number], timezone.now(), self._actor(recorded[number].author)))
        exported = {number: file for number, (file, error) in found.items() if not error}
        return _Rows(alias, incidents, comments, messages, pks, files, exported)

    def _store_files(self, rows: _Rows) -> None:
        """Stores the files that are there and have not been stored yet, also those that an earlier export lacked."""
        if not rows.exported:
            return
        files = File.objects.filter(message__alias=rows.alias, message__message_id__in=rows.exported)
        waiting = files.filter(unique_id=EXPORTED, attachment__deleted_at=None)
        waiting = waiting.exclude(attachment__state=Attachment.State.STORED)
        for row in waiting.select_related("attachment", "message"):
            stored = self.folder.save(rows.exported[row.message.message_id])
            if stored is None:
                fail_attachment(row.attachment, not_exported(row.message.link))
                continue
            with transaction.atomic():
                retry_attachment(row.attachment)
                store_attachment(row.attachment, stored)

    def _read(self, report: Report, chat: Chat) -> Report | None:
        """None for what the bot would not have recorded."""
        if report.skip or (self.bot_id and report.author.user_id == self.bot_id):
            return None
        command = find_command(report.description) if report.has_text else None
        if command is None:
            return report if chat.mode == Chat.Mode.ALL else None
        if command.name != "incident" or not command.text or (self.username and not command.is_for(self.username)):
            return None
        return replace(report, description=fitted(command.text), typed=command.text)

    def _actor(self, author: Author) -> str:
        return self.usernames.get(author.user_id or 0) or self.outside_name(author.name)


def _announce(file: ExportedFile, error: str, incident: Incident) -> Attachment:
    """Returns the attachment as it stands until its file is stored, or for good."""
    return Attachment(
        incident=incident,
        kind=KINDS[file.kind],
        name=clean_name(file.name, file.kind),
        size=file.size,
        state=Attachment.State.FAILED if error else Attachment.State.PENDING,
        error=error[:255],
    )


def _write(rows: _Rows) -> None:
    import_incidents(rows.incidents, rows.comments, channel=Channel.TELEGRAM)
    store.insert_rows(Message, MESSAGE_COLUMNS, (_row(rows.pks, rows.alias, *message) for message in rows.messages))
    # Until then the job leaves alone what is stored here.
    due_at = timezone.now() + STORED_WITHIN
    File.objects.bulk_create(
        File(attachment=attachment, message_id=rows.pks[number], unique_id=EXPORTED, due_at=due_at)
        for number, attachment in rows.files.items()
    )


def _targets(alias: ChatAlias, batch: tuple[Report, ...]) -> dict[int, Incident | None]:
    """
    The incidents of the messages and cards that the batch consists of, or replies to, as far as they are known.

    None of those that are archived.
    """
    ids = {report.message_id for report in batch if report.message_id is not None}
    replied = {report.reply_to for report in batch if report.reply_to} - ids
    # An export is in the order of its ids: the range of a batch holds little more than a list of them, and costs less.
    known = Q(message_id__range=(min(ids), max(ids))) | Q(message_id__in=replied)
    shown = Card.objects.filter(known, chat=alias.chat_id).values_list("message_id", "incident")
    taken = Message.objects.filter(known, alias=alias).values_list("message_id", "incident")
    return {number: Incident(pk=pk) if pk else None for number, pk in [*shown, *taken] if number is not None}


def _without_files(alias: ChatAlias, numbers: Iterable[int | None]) -> Iterable[tuple[int, int | None, int | None]]:
    """Of messages that are known: their ids, numbers and incidents, where none of their files is."""
    if not numbers:
        return ()
    known = Message.objects.filter(alias=alias, message_id__in=numbers, role__in=ROLES, incident__isnull=False)
    return known.filter(files=None).values_list("pk", "message_id", "incident")


def _row(
    pks: dict[int | None, int], alias: ChatAlias, report: Report, incident: Incident, role: Message.Role
) -> tuple[Any, ...]:
    """The values of MESSAGE_COLUMNS."""
    return (
        pks[report.message_id],
        alias.pk,
        report.message_id,
        incident.pk,
        role,
        report.description,
        report.has_text,
        report.edited,
        "",
        report.thread_id,
        report.link or "",
    )
