"""
Fetches the files that came with messages: each until it is stored, or certain not to come.

What is to be fetched stands in the database, so that a process may die anywhere: the next one fetches the file again.
The file is saved first, and then named by a compare-and-swap on the attachment's state.
"""

import logging
import threading
from dataclasses import dataclass
from datetime import timedelta
from queue import Empty, SimpleQueue
from tempfile import TemporaryFile
from time import monotonic
from typing import NamedTuple

from django.conf import settings
from django.core.files import File as OpenFile
from django.db.models import Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import override

from incidents.attachments.services import StoredFile, fail_attachment, retry_attachment, save_file, store_attachment
from incidents.models import Attachment
from telegram.bot_api import client
from telegram.bot_api.client import TelegramError
from telegram.models import File
from telegram.reading.values import dictionary, integer, string
from telegram.sending.failures import Action, action_of

logger = logging.getLogger(__name__)

MAX_IN_FLIGHT = 4  # each with up to 20 MB in a temporary file
MAX_WAIT_SECONDS = 1.0  # in a step, for the next file to come
GET_FILE_TIMEOUT = (5, 30)  # seconds: the response comes when the Bot API server has the file
DOWNLOAD_SECONDS = 120.0
# A thread that is still not done hangs: another file may have its place.
STUCK_SECONDS = 300.0
PAUSE_SECONDS = 60.0  # while the token is refused, or the storage fails
MIN_BACKOFF, MAX_BACKOFF = timedelta(seconds=2), timedelta(minutes=10)
BACKOFF_STEPS = 9  # from the one to the other
MAX_FAILURES = 150  # which take a day
# Those of an export have no id: Telegram cannot be asked for them.
FETCHABLE = ~Q(file_id="")
FAILED = FETCHABLE & Q(attachment__state=Attachment.State.FAILED, attachment__deleted_at=None)


class Failure(NamedTuple):
    """
    Why there is no file yet, and what is to be done.

    `counts` is whether it is one of MAX_FAILURES: where Telegram could not be asked, nothing is known of the file.
    """

    action: Action
    reason: str
    counts: bool = False
    retry_after: int = 0  # seconds


@dataclass(eq=False)
class Attempt:
    """`outcome` is what the thread found out."""

    file: File
    began_at: float  # on the clock of time.monotonic()
    outcome: StoredFile | Failure | None = None


class Fetcher:
    """Fetches what is due. Of a job's thread; HTTP and the storage run in others, which leave the database alone."""

    def __init__(self) -> None:
        self._in_flight: dict[int, Attempt] = {}  # by the attachment's id
        self._ended: SimpleQueue[Attempt] = SimpleQueue()
        self._paused_until = 0.0

    def step(self) -> bool:
        """Returns whether there may be more to do at once."""
        if monotonic() >= self._paused_until:
            self._begin()
        timeout = MAX_WAIT_SECONDS
        busy = bool(self._in_flight)
        while self._in_flight:
            try:
                attempt = self._ended.get(timeout=timeout)
            except Empty:
                break
            timeout = 0.0  # others may begin
            # One that was given up may end after all.
            if self._in_flight.get(attempt.file.pk) is attempt:
                self._end(attempt)
        for attempt in list(self._in_flight.values()):
            if monotonic() > attempt.began_at + STUCK_SECONDS:
                attempt.outcome = Failure(Action.LATER, "It took too long.", counts=True)
                self._end(attempt)
        return busy

    def _begin(self) -> None:
        due = _waiting().filter(due_at__lte=timezone.now()).exclude(pk__in=self._in_flight).order_by("due_at", "pk")
        files = due.select_related("attachment", "message__alias__chat")
        for file in files[: MAX_IN_FLIGHT - len(self._in_flight)]:
            if not file.file_id:  # A person has pressed `Fetch again`.
                with override(file.message.alias.chat.language):
                    _give_up(file, not_exported(file.message.link))
                continue
            if is_too_large(file.attachment.size):
                _give_up(file, too_large(file))
                continue
            attempt = self._in_flight[file.pk] = Attempt(file, monotonic())
            threading.Thread(target=self._run, args=(attempt,), name="telegram-file", daemon=True).start()

    def _run(self, attempt: Attempt) -> None:
        try:
            attempt.outcome = fetch(attempt.file)
        except Exception as exc:
            logger.exception("A file that came with a message could not be stored")
            attempt.outcome = Failure(Action.BOT_PAUSED, f"It could not be stored: {type(exc).__name__}.")
        self._ended.put(attempt)

    def _end(self, attempt: Attempt) -> None:
        """Records the outcome. Where that fails, the file is fetched again."""
        file, outcome = attempt.file, attempt.outcome
        del self._in_flight[file.pk]
        match outcome:
            case StoredFile():
                store_attachment(file.attachment, outcome)
                File.objects.filter(pk=file.pk).update(failures=0, error="")
            case Failure(action=Action.CHAT_THROTTLED):
                logger.warning("Files are fetched again in %d seconds: %s", outcome.retry_after, outcome.reason)
                self._paused_until = monotonic() + outcome.retry_after
                # For the process that comes next, too
                until = timezone.now() + timedelta(seconds=outcome.retry_after)
                pending().filter(due_at__lt=until).update(due_at=until)
            case Failure(action=Action.BOT_PAUSED):
                self._paused_until = monotonic() + PAUSE_SECONDS
                File.objects.filter(pk=file.pk).update(error=outcome.reason[:255])
            case Failure(action=Action.LATER | Action.UNKNOWN) if not outcome.counts or file.failures < MAX_FAILURES:
                due_at = timezone.now() + min(MIN_BACKOFF * 2 ** min(file.failures, BACKOFF_STEPS), MAX_BACKOFF)
                failures = file.failures + (outcome.counts or file.failures < BACKOFF_STEPS)
                changes = {"failures": failures, "error": outcome.reason[:255], "due_at": due_at}
                File.objects.filter(pk=file.pk).update(**changes)
            case Failure():
                _give_up(file, outcome.reason)


def fetch(file: File) -> StoredFile | Failure:
    """Gets the file from Telegram into the storage, by way of a temporary file: it is saved if it is whole."""
    try:
        found = dictionary(client.request("getFile", {"file_id": file.file_id}, timeout=GET_FILE_TIMEOUT))
    except TelegramError as exc:
        return _refused(file, exc, action_of(exc))
    path, expected = string(found.get("file_path")), integer(found.get("file_size"))
    if is_too_large(expected):
        return Failure(Action.GIVE_UP, too_large(file))
    if not path:
        return Failure(Action.LATER, "getFile: no file_path", counts=True)
    size = 0
    with TemporaryFile() as temporary:
        try:
            for chunk in client.read_file(path, until=monotonic() + DOWNLOAD_SECONDS):
                temporary.write(chunk)
                size += len(chunk)
                if is_too_large(size):
                    return Failure(Action.GIVE_UP, too_large(file))
        except TelegramError as exc:
            # 404 is no fault of the token here: the path is valid for an hour.
            action = action_of(exc) if exc.status in (401, 429) else Action.LATER
            return _refused(file, exc, action)
        if expected not in (None, size):
            return Failure(Action.LATER, f"file: {size} of {expected} bytes came", counts=True)
        return save_file(OpenFile(temporary))


def pending() -> QuerySet[File]:
    """Returns the files that are still to be fetched by this bot: no other can."""
    return _waiting().filter(FETCHABLE)


def _waiting() -> QuerySet[File]:
    return File.objects.filter(attachment__state=Attachment.State.PENDING, message__alias__bot_id=client.bot_id())


def failed_files() -> QuerySet[File]:
    """Returns the files that are not fetched until a person asks for it."""
    return File.objects.filter(FAILED)


def is_too_large(size: int | None) -> bool:
    return size is not None and size > min(client.FILE_LIMIT, settings.ATTACHMENT_MAX_BYTES)


def too_large(file: File) -> str:
    with override(file.message.alias.chat.language):
        limit = min(client.FILE_LIMIT, settings.ATTACHMENT_MAX_BYTES) >> 20
        text = _("The file is larger than %d MB: see it in Telegram.") % limit
    return f"{text} {file.message.link}".strip()


def not_exported(link: str) -> str:
    return f"{_('The file is not in the export: see it in Telegram.')} {link}".strip()


def retry(files: QuerySet[File]) -> None:
    """Fetches files anew, as if they had never failed."""
    for file in files.filter(FAILED).select_related("attachment"):
        retry_attachment(file.attachment)
    files.update(failures=0, error="", due_at=timezone.now())


def _refused(file: File, error: TelegramError, action: Action) -> Failure:
    if "file is too big" in error.description:
        return Failure(Action.GIVE_UP, too_large(file))
    if action == Action.CHAT_THROTTLED:
        return Failure(action, str(error), retry_after=min(error.retry_after or 30, 10**6))
    return Failure(action, str(error), counts=error.status is not None)


def _give_up(file: File, reason: str) -> None:
    # `Fetch again` makes the attachment pending: it begins anew then.
    File.objects.filter(pk=file.pk).update(failures=0, error=reason[:255], due_at=timezone.now())
    if fail_attachment(file.attachment, reason):
        logger.warning("A file of incident %d cannot be fetched: %s", file.attachment.incident_id, reason)
