"""History of chats, taken from an export: it becomes the same incidents and comments as the bot would have made."""

from collections import Counter, deque
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import lru_cache
from itertools import batched, groupby
from operator import attrgetter
from typing import Any

from django.db import reset_queries, transaction
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import activate, get_language

from incidents.models import Channel, Incident
from incidents.services import Comment, import_incidents
from incidents.store import store
from telegram import chats
from telegram.bot_api import client
from telegram.models import Account, Card, Chat, ChatAlias, Message
from telegram.reading.authors import Author
from telegram.reading.reports import NotUnderstoodError, Report, fitted
from telegram.reading.texts import find_command
from telegram.receiving import accounts
from telegram.receiving.messages import username_of

BATCH = 1_000
# Batches. With one, it is read before the last statements of the batch that is written, which then run alone.
READ_AHEAD = 2
MESSAGE_COLUMNS = (
    "alias_id", "message_id", "incident_id", "role", "words", "has_text", "edited_at", "media_group_id", "thread_id",
    "link",
)  # fmt: skip


class History:
    """Records reports; `counts` says what became of them. A dry run takes back all that it wrote."""

    def __init__(self, *, dry_run: bool) -> None:
        self.dry_run = dry_run
        self.counts: Counter[str] = Counter()
        self.error: NotUnderstoodError | OSError | None = None
        self.bot_id = client.bot_id()
        self.username = username_of(self.bot_id)
        linked = Account.objects.filter(user__is_active=True)
        self.usernames = dict(linked.values_list("telegram_id", "user__username"))
        self.outside_name = lru_cache(10_000)(accounts.outside_name)

    def record(self, found: Iterable[Report | NotUnderstoodError]) -> None:
        """In batches, each in a transaction. Raises what `found` raises, after what came before is recorded."""
        batches = self._batches(found)
        # A thread reads the next batches while the database writes this one, in the language that is active here.
        with ThreadPoolExecutor(1, initializer=activate, initargs=(get_language(),)) as reader:
            following = deque(reader.submit(next, batches, None) for _ in range(READ_AHEAD))
            while batch := following.popleft().result():
                following.append(reader.submit(next, batches, None))
                with transaction.atomic():
                    self._record(*batch)
                    transaction.set_rollback(self.dry_run)
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

    def _record(self, chat_id: int, batch: tuple[Report, ...]) -> None:
        alias = chats.add(self.bot_id, chat_id)
        chat = Chat.objects.select_for_update(no_key=True).get(pk=alias.chat_id)
        incidents: list[tuple[Incident, str]] = []
        comments: list[Comment] = []
        messages: list[tuple[Report, Incident, Message.Role]] = []
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
        import_incidents(incidents, comments, channel=Channel.TELEGRAM)
        store.insert_rows(Message, MESSAGE_COLUMNS, (_row(alias, *message) for message in messages))
        self.counts.update({"incidents": len(incidents), "comments": len(comments)})

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


def _row(alias: ChatAlias, report: Report, incident: Incident, role: Message.Role) -> tuple[Any, ...]:
    """The values of MESSAGE_COLUMNS."""
    return (
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
