from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from incidents.models import Attachment, Incident, Source
from intake.models import Delivery


class Bot(models.Model):
    """What Telegram says of the bot; the id is the first part of its token."""

    id = models.BigIntegerField(primary_key=True)
    username = models.CharField(max_length=64)
    can_read_all_group_messages = models.BooleanField()  # privacy mode is off
    checked_at = models.DateTimeField()
    # Why no updates came the last time that they were asked for; empty where they came
    trouble = models.CharField(max_length=255, blank=True)
    # Digest of the webhook's address and secret as they were registered: Telegram does not show the secret.
    webhook_digest = models.CharField(max_length=64, blank=True)

    def __str__(self) -> str:
        return f"@{self.username}"


class Chat(models.Model):
    """A chat of one bot, whatever ids Telegram has called it by."""

    class Mode(models.TextChoices):
        ALL = "all", _("every message is a report")
        COMMAND = "command", _("/incident and mentions are reports")

    bot_id = models.BigIntegerField(editable=False)
    # The id it is reached by now; earlier ones are among its aliases.
    telegram_id = models.BigIntegerField(_("Telegram id"))
    title = models.CharField(_("title"), max_length=255, blank=True)
    type = models.CharField(max_length=16, blank=True, editable=False)
    username = models.CharField(max_length=64, blank=True, editable=False)
    allowed = models.BooleanField(_("allowed"), default=False)
    mode = models.CharField(_("mode"), max_length=8, choices=Mode, default=Mode.ALL)
    source = models.CharField(_("source"), max_length=16, choices=Source, default=Source.OPERATOR)
    language = models.CharField(_("language"), max_length=2, choices=settings.LANGUAGES, default="ru")
    time_zone = models.CharField(_("time zone"), max_length=64, default="Europe/Moscow")
    remind_after_minutes = models.PositiveIntegerField(
        _("remind after, minutes"),
        null=True,
        blank=True,
        help_text=_("Empty: as TELEGRAM_REMIND_AFTER_MINUTES says. 0: never."),
    )
    # The interval by which the reminders of its cards are planned; 0: none
    planned_minutes = models.PositiveIntegerField(null=True, editable=False)
    # What Telegram lets the bot do there: my_chat_member
    membership = models.CharField(max_length=16, blank=True, editable=False)
    can_send = models.BooleanField(default=True, editable=False)
    is_admin = models.BooleanField(default=False, editable=False)
    membership_at = models.DateTimeField(null=True, editable=False)
    # Updates that were not stored, since the chat was not allowed, and when that was logged last
    ignored = models.PositiveIntegerField(default=0, editable=False)
    ignored_logged_at = models.DateTimeField(null=True, editable=False)
    # Nothing is sent until then (429), or, with a reason, until something changes or a person presses retry.
    paused_until = models.DateTimeField(_("paused until"), null=True, editable=False, db_column="rests_until")
    pause_reason = models.CharField(
        _("paused because"), max_length=255, blank=True, editable=False, db_column="rest_reason"
    )
    # Incidents with a larger id get a card here, unless they came from a chat. Only TELEGRAM_NOTIFY_CHAT's has one.
    notify_after_id = models.BigIntegerField(null=True, editable=False)
    # /open was asked for, and the list is not sent yet
    open_asked_at = models.DateTimeField(null=True, editable=False)
    open_thread_id = models.BigIntegerField(null=True, editable=False)

    class Meta:
        verbose_name = _("chat")
        verbose_name_plural = _("chats")
        constraints = [
            models.UniqueConstraint(fields=["bot_id", "telegram_id"], name="chat_once"),
            models.CheckConstraint(condition=Q(mode__in=["all", "command"]), name="chat_mode_known"),
            models.CheckConstraint(condition=Q(source__in=Source.values), name="chat_source_known"),
        ]

    def __str__(self) -> str:
        return self.title or str(self.telegram_id)


class ChatAlias(models.Model):
    """An id that Telegram calls a chat by, or did before it became a supergroup."""

    bot_id = models.BigIntegerField()
    telegram_id = models.BigIntegerField()
    chat = models.ForeignKey(Chat, models.CASCADE, related_name="aliases")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["bot_id", "telegram_id"], name="alias_once")]

    def __str__(self) -> str:
        return str(self.telegram_id)


class Message(models.Model):
    """What came of a message: a report, a part or comment of one, or a press of a button."""

    class Role(models.TextChoices):
        REPORT = "report", _("report")
        PART = "part", _("part of an album")
        COMMENT = "comment", _("comment")
        COPY = "copy", _("copy in the discussion group")
        PRESS = "press", _("press of a button")

    # Not the chat: a group that becomes a supergroup begins to number its messages anew.
    alias = models.ForeignKey(ChatAlias, models.PROTECT, related_name="messages")
    # Null for what Telegram gives no message id of its own: its delivery identifies it.
    message_id = models.BigIntegerField(null=True)
    delivery = models.ForeignKey(Delivery, models.SET_NULL, null=True, related_name="messages")
    # Null while the incident is archived: the message stays known, so that it is not recorded once more.
    incident = models.ForeignKey(
        Incident, models.PROTECT, null=True, related_name="messages", verbose_name=_("incident")
    )
    role = models.CharField(max_length=8, choices=Role)
    # The words as they were taken last: an incident with another description was edited by a person.
    words = models.TextField()
    has_text = models.BooleanField(default=True)  # the author typed some of the words
    # The last edit that was taken: its time, and its delivery for those in the same second
    edited_at = models.DateTimeField(null=True)
    edit_id = models.BigIntegerField(null=True)
    media_group_id = models.CharField(max_length=100, blank=True)
    thread_id = models.BigIntegerField(null=True)
    direct_topic_id = models.BigIntegerField(null=True)
    link = models.URLField(max_length=255, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["alias", "message_id"], name="message_once"),
            models.UniqueConstraint(
                fields=["delivery"], name="message_without_id_once", condition=Q(message_id__isnull=True)
            ),
            models.UniqueConstraint(
                fields=["alias", "media_group_id"],
                name="album_once",
                condition=Q(role="report") & ~Q(media_group_id=""),
            ),
        ]
        indexes = [models.Index(fields=["incident"], name="message_incident")]

    def __str__(self) -> str:
        return f"{self.alias_id} {self.message_id}"


class Card(models.Model):
    """The message of the bot that shows an incident in a chat. A loop brings those up to date that are outdated."""

    class State(models.TextChoices):
        """Changed by `card_states` only; docs/architecture.md has the table of its changes."""

        NEW = "new", _("waits to be sent")
        SENDING = "sending", _("waits to be sent")  # a sendMessage was begun whose response is not known yet
        UNKNOWN = "unknown", _("waits to be sent")  # it has no known response: the card may be in the chat already
        SHOWN = "shown", _("shown")
        OUTDATED = "outdated", _("waits to be sent")
        FAILED = "failed", _("failed")  # until a person presses retry, or the incident changes

    incident = models.ForeignKey(Incident, models.PROTECT, related_name="cards", verbose_name=_("incident"))
    chat = models.ForeignKey(Chat, models.PROTECT, related_name="cards", verbose_name=_("chat"))
    # The message that it replies to, and where
    reply_to = models.BigIntegerField(null=True)
    thread_id = models.BigIntegerField(null=True)
    direct_topic_id = models.BigIntegerField(null=True)
    message_id = models.BigIntegerField(null=True)  # null until Telegram has accepted it
    # The incident's updated_at that it shows; null: nothing yet
    shows = models.DateTimeField(null=True)
    attachments = models.PositiveIntegerField(default=0, db_default=0)  # how many it tells of
    state = models.CharField(_("state"), max_length=8, choices=State, default=State.NEW, db_default=State.NEW)
    send_began_at = models.DateTimeField(null=True)  # of the call under way
    sends_unknown = models.PositiveSmallIntegerField(default=0)  # of the message that is to be sent
    due_at = models.DateTimeField(_("due at"), null=True, db_index=True)  # null: nothing to do; else not before then
    failures = models.PositiveSmallIntegerField(default=0)  # in a row
    error = models.CharField(_("error"), max_length=255, blank=True)
    replaced = models.BooleanField(default=False)  # it was deleted in the chat, and sent anew: that happens once
    outside_topic = models.BooleanField(_("outside its topic"), default=False)  # which is closed or gone
    remind_at = models.DateTimeField(_("reminder at"), null=True, db_index=True)
    # The interval counts from here: from the card, or its last reminder; in the future while it is put off
    remind_from = models.DateTimeField(null=True)
    reminder_id = models.BigIntegerField(null=True)  # the last reminder's message

    class Meta:
        verbose_name = _("card")
        verbose_name_plural = _("cards")
        constraints = [
            models.UniqueConstraint(fields=["incident", "chat"], name="card_once"),
            models.UniqueConstraint(fields=["chat", "message_id"], name="card_message_once"),
            models.CheckConstraint(
                condition=Q(state__in=["new", "sending", "unknown", "shown", "outdated", "failed"]),
                name="card_state_known",
            ),
        ]
        indexes = [models.Index(fields=["-id"], name="card_state_failed", condition=Q(state="failed"))]

    def __str__(self) -> str:
        return f"№{self.incident_id}"

    @property
    def is_sent(self) -> bool:
        """Whether it is in the chat. A negative id stood for a message of the group that the chat was."""
        return self.message_id is not None and self.message_id > 0


class File(models.Model):
    """
    Where an attachment is to be had from: a file that came with a message.

    A job fetches those whose attachment is pending; state and size are the attachment's.
    """

    attachment = models.OneToOneField(
        Attachment, models.PROTECT, primary_key=True, related_name="telegram_file", verbose_name=_("attachment")
    )
    message = models.ForeignKey(Message, models.PROTECT, related_name="files", db_index=False)
    file_id = models.TextField()  # of this bot; empty for a file of an export
    unique_id = models.CharField(max_length=255)
    due_at = models.DateTimeField(_("due at"), default=timezone.now)  # while it is pending, not before then
    failures = models.PositiveSmallIntegerField(default=0)  # in a row
    error = models.CharField(_("error"), max_length=255, blank=True)  # of the last attempt

    class Meta:
        verbose_name = _("file")
        verbose_name_plural = _("files")
        constraints = [models.UniqueConstraint(fields=["message", "unique_id"], name="file_once")]

    def __str__(self) -> str:
        return str(self.attachment)


class Account(models.Model):
    """A Telegram account that belongs to a user."""

    telegram_id = models.BigIntegerField(_("Telegram id"), primary_key=True)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, related_name="telegram_accounts", verbose_name=_("user")
    )

    class Meta:
        verbose_name = _("Telegram account")
        verbose_name_plural = _("Telegram accounts")

    def __str__(self) -> str:
        return str(self.telegram_id)


class LinkCode(models.Model):
    """A one-time code that a user sends to the bot in private, to link the account to itself."""

    user = models.OneToOneField(settings.AUTH_USER_MODEL, models.CASCADE)
    code_hash = models.BinaryField(max_length=32, unique=True)
    expires_at = models.DateTimeField()

    def __str__(self) -> str:
        return str(self.user_id)
