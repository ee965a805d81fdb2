"""What becomes of a message: a report, a comment, a part of an album, or nothing; and what its edits change."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from django.utils import timezone

from incidents.models import Channel, Incident
from incidents.services import add_comment, change_incident, create_incident
from intake.inbox import Outcome
from intake.models import Delivery
from telegram.models import Bot, Card, Chat, ChatAlias, Message
from telegram.reading import reports
from telegram.reading import texts as commands
from telegram.reading.reports import Report
from telegram.reading.updates import Update
from telegram.reading.values import dictionary
from telegram.receiving import accounts
from telegram.sending import cards, sender

Role = Message.Role
NEVER = datetime.min.replace(tzinfo=UTC)


def username_of(bot_id: int) -> str:
    """Empty until Telegram has told it."""
    return Bot.objects.filter(pk=bot_id).values_list("username", flat=True).first() or ""


def incident_of(alias: ChatAlias, message_id: int | None) -> int | None:
    """The incident of which a message of the chat is a report, comment, copy or card."""
    if message_id is None:
        return None
    taken = Message.objects.filter(alias=alias, message_id=message_id)
    return taken.values_list("incident", flat=True).first() or card_incident(alias, message_id)


def card_incident(alias: ChatAlias, message_id: int | None) -> int | None:
    """The incident that a message of the bot shows."""
    # The chat's cards are known by the ids that its messages have now, not by those before it became a supergroup.
    if message_id is None or alias.telegram_id != alias.chat.telegram_id:
        return None
    return Card.objects.filter(chat=alias.chat, message_id=message_id).values_list("incident", flat=True).first()


def replied_card(message: object, bot_id: int) -> int | None:
    """The incident of the card that a message replies to, known as a card or not."""
    return cards.number_of(reports.replied(message), bot_id)


@dataclass
class Reader:
    """Of a message, or an edit of one, in a transaction that has locked the chat."""

    bot_id: int
    alias: ChatAlias
    update: Update
    delivery: Delivery

    def take(self) -> Outcome:
        username = username_of(self.bot_id)
        command = commands.command(self.update.message, username=username)
        # Until the bot's name is known, a command for any bot may be for this one.
        if command and username and not command.ours:
            return _skipped("a command for another bot")
        if command and command.name != "incident":
            return _skipped("a command")
        # Of "/incident Течь" the report is "Течь".
        report = reports.read(self.update.message, text=command.text if command else None)
        if report.reply_to and (number := replied_card(self.update.message, self.bot_id)):
            sender.adopt(self.alias, number, report.reply_to)
        if report.author.bot_id == self.bot_id or card_incident(self.alias, report.message_id):
            return _skipped("a message of this bot")
        if report.skip and not command:
            return _skipped(report.skip)
        if message := self._taken(report):
            skip = self._edit(message, report) if self.update.edited else ""
        elif self._is_copy(report) or self._join_album(self.alias, report):
            skip = ""
        else:
            skip = self._command(report) if command else self._plain(report)
        if skip:
            return _skipped(skip)
        outcome = Outcome()
        if report.unknown:
            outcome.fault("the kind of the message, or of a block in it, is not known")
        return outcome

    def _taken(self, report: Report) -> Message | None:
        """What came of the message before."""
        if report.message_id is None:
            return self.delivery.messages.first()
        return Message.objects.filter(alias=self.alias, message_id=report.message_id).first()

    # What it is: these return why nothing is recorded, or an empty string.

    def _command(self, report: Report) -> str:
        """`/incident TEXT`, or `/incident` as a reply: the message that it replies to is the report then."""
        replied = reports.replied(self.update.message)
        incident = incident_of(self.alias, report.reply_to) or (self._record_replied(replied) if replied else None)
        if incident:
            if report.has_text or report.kind != "text":
                self._comment(incident, report)
            return ""
        if not report.has_text and report.kind == "text":
            return "a command without text"
        self._record(self.alias, report)
        return ""

    def _plain(self, report: Report) -> str:
        if incident := incident_of(self.alias, report.reply_to):
            self._comment(incident, report)
            return ""
        if not self.alias.chat.allowed:
            return "the chat is not allowed"
        if self.alias.chat.mode == Chat.Mode.COMMAND:
            username = username_of(self.bot_id)
            if not commands.mentions(self.update.message, username=username, bot_id=self.bot_id):
                return "not addressed to the bot"
            # A bare mention as a reply is like a bare command.
            replied, mention = reports.replied(self.update.message), f"@{username}".lower()
            if report.typed.lower() == mention and replied and (incident := self._record_replied(replied)):
                if report.description.lower() != mention:
                    self._comment(incident, report)
                return ""
        self._record(self.alias, report)
        return ""

    def _is_copy(self, report: Report) -> bool:
        """Of a channel's post, in its discussion group, where the post is a report or card of an allowed channel."""
        if report.copy_of is None:
            return False
        chat_id, message_id = report.copy_of
        channel = ChatAlias.objects.filter(bot_id=self.bot_id, telegram_id=chat_id).first()
        if channel is None:
            return False
        channel.chat = Chat.objects.select_for_update(no_key=True).get(pk=channel.chat_id)
        incident = incident_of(channel, message_id)
        if incident is None:
            if not channel.chat.allowed or channel.chat.mode != Chat.Mode.ALL:
                return False
            # The copy came first: the post is recorded from it.
            message = dictionary(self.update.message)
            post = {"chat": dictionary(message.get("forward_origin")).get("chat"), "message_id": message_id}
            original = reports.read(message | post)
            incident = self._join_album(channel, original) or self._record(channel, original)
        self._remember(self.alias, report, incident, Role.COPY)
        return True

    # What is made of it: these return the incident.

    def _record(self, alias: ChatAlias, report: Report) -> int:
        report = report.with_answered()
        incident = create_incident(
            description=report.description,
            source=alias.chat.source,
            created_at=report.date,
            actor=accounts.actor_of(report.author),
            channel=Channel.TELEGRAM,
        )
        self._remember(alias, report, incident.pk, Role.REPORT)
        # Another bot may reply to whatever it is sent: cards for its reports could go on for ever.
        if report.author.bot_id is None:
            Card.objects.create(
                incident=incident,
                chat=alias.chat,
                reply_to=report.message_id,
                thread_id=report.thread_id,
                direct_topic_id=report.direct_topic_id,
                due_at=timezone.now(),
            )
        return incident.pk

    def _record_replied(self, replied: dict[str, Any]) -> int | None:
        """Of the message that a command replies to; None for this bot's own and service messages."""
        report = reports.read({"chat": dictionary(self.update.message).get("chat")} | replied)
        if incident := incident_of(self.alias, report.message_id) or self._join_album(self.alias, report):
            return incident
        if report.message_id is None or report.author.bot_id == self.bot_id or report.skip == "service message":
            return None
        return self._record(self.alias, report)

    def _comment(self, incident_id: int, report: Report, *, replaces: str | None = None) -> None:
        report = report.as_comment()
        add_comment(
            incident_id=incident_id,
            text=report.description,
            replaces=replaces,
            actor=accounts.actor_of(report.author),
            channel=Channel.TELEGRAM,
        )
        if replaces is None:
            self._remember(self.alias, report, incident_id, Role.COMMENT)

    def _remember(self, alias: ChatAlias, report: Report, incident_id: int, role: Role) -> None:
        is_album = role in (Role.REPORT, Role.PART)
        Message.objects.create(
            alias=alias,
            message_id=report.message_id,
            delivery=self.delivery,
            incident_id=incident_id,
            role=role,
            words=report.description,
            has_text=report.has_text,
            edited_at=report.edited,
            edit_id=self.delivery.pk,
            media_group_id=report.media_group_id or "" if is_album else "",
            thread_id=report.thread_id,
            direct_topic_id=report.direct_topic_id,
            link=report.link or "",
        )

    # Albums are messages with the same media_group_id. They may come in any order and however late.

    def _join_album(self, alias: ChatAlias, report: Report) -> int | None:
        album = _album(alias, report.media_group_id or "")
        if not album or report.message_id is None:
            return None
        incident_id, before = album[0].incident_id, _words(album)
        self._remember(alias, report, incident_id, Role.PART)
        self._describe(incident_id, before, _words(_album(alias, album[0].media_group_id)), report)
        # The card tells how many parts there are.
        Card.objects.filter(incident=incident_id, chat=alias.chat).update(due_at=timezone.now())
        return incident_id

    # Edits

    def _edit(self, message: Message, report: Report) -> str:
        if report.is_live:
            return "a live location that moved"
        # Edits of the same second are told apart by their deliveries.
        order = (report.edited or NEVER, self.delivery.pk)
        if message.role in (Role.COPY, Role.PRESS) or order <= (message.edited_at or NEVER, message.edit_id or 0):
            return ""
        if message.role == Role.REPORT:
            report = report.with_answered()
        elif message.role == Role.COMMENT:
            report = report.as_comment()
        words = message.words
        before = _words(_album(self.alias, message.media_group_id)) or words
        message.words, message.has_text = report.description, report.has_text
        message.edited_at, message.edit_id = report.edited, self.delivery.pk
        message.save(update_fields=["words", "has_text", "edited_at", "edit_id"])
        after = _words(_album(self.alias, message.media_group_id)) or message.words
        if message.role != Role.COMMENT:
            self._describe(message.incident_id, before, after, report)
        elif after != before:
            self._comment(message.incident_id, report, replaces=words)
        return ""

    def _describe(self, incident_id: int, before: str, after: str, report: Report) -> None:
        """Changes the description, unless a person changed it since: theirs stays, and the new words are a comment."""
        if after == before:
            return
        actor = accounts.actor_of(report.author)
        incident = Incident.objects.select_for_update().get(pk=incident_id)
        if incident.description == before:
            change_incident(incident, values={"description": after}, actor=actor, channel=Channel.TELEGRAM)
        else:
            add_comment(incident_id=incident_id, text=after, actor=actor, channel=Channel.TELEGRAM)


def _skipped(note: str) -> Outcome:
    return Outcome(Delivery.State.SKIPPED, [note])


def _album(alias: ChatAlias, media_group_id: str) -> list[Message]:
    """The report and the other parts so far, in the order of the chat; empty for what is no album."""
    parts = Message.objects.filter(alias=alias, media_group_id=media_group_id, role__in=(Role.REPORT, Role.PART))
    return list(parts.order_by("message_id")) if media_group_id else []


def _words(album: list[Message]) -> str:
    return reports.album_description((part.words, part.has_text) for part in album)
