"""What becomes of a message: a report, a comment, a part of an album, or nothing; and what its edits change."""

from dataclasses import dataclass
from datetime import UTC, datetime

from django.utils import timezone

from incidents.models import Channel, Incident
from incidents.services import add_comment, change_incident, create_incident
from intake.inbox import Outcome
from intake.models import Delivery
from telegram import card_states
from telegram.models import Bot, Card, Chat, ChatAlias, Message
from telegram.reading.reports import ARCHIVED, NotUnderstoodError, Report, Skip, album_description
from telegram.reading.texts import Command
from telegram.receiving import accounts
from telegram.receiving.attachments import attach
from telegram.sending import cards

Role = Message.Role
NEVER = datetime.min.replace(tzinfo=UTC)


def username_of(bot_id: int) -> str:
    """Returns the bot's username; empty until Telegram has told it."""
    return Bot.objects.filter(pk=bot_id).values_list("username", flat=True).first() or ""


def is_ours(command: Command, bot_id: int) -> bool:
    """Returns whether a command is for this bot, or for any. Most name no bot, and need no query for its name."""
    return not command.bot or command.is_for(username_of(bot_id))


def incident_of(alias: ChatAlias, message_id: int | None) -> int | None:
    """Returns the incident of which a message of the chat is a report, comment, copy or card."""
    if message_id is None:
        return None
    taken = Message.objects.filter(alias=alias, message_id=message_id)
    return taken.values_list("incident", flat=True).first() or card_incident(alias, message_id)


def refuse_archived(alias: ChatAlias, message_id: int | None) -> None:
    """Raises NotUnderstoodError where a message is known, and its incident archived."""
    known = Message.objects.filter(alias=alias, message_id=message_id, incident=None)
    if message_id is not None and known.exists():
        raise NotUnderstoodError(ARCHIVED)


def card_incident(alias: ChatAlias, message_id: int | None) -> int | None:
    """Returns the incident that a message of the bot shows."""
    # The chat's cards are known by the ids that its messages have now, not by those before it became a supergroup.
    if message_id is None or alias.telegram_id != alias.chat.telegram_id:
        return None
    return Card.objects.filter(chat=alias.chat, message_id=message_id).values_list("incident", flat=True).first()


def replied_card(report: Report, bot_id: int) -> int | None:
    """Returns the incident of the card that a message replies to, known as a card or not."""
    return cards.number_of(report.replied, bot_id) if report.replied else None


@dataclass
class Reader:
    """Records a message, or an edit of one, in a transaction that has locked the chat."""

    bot_id: int
    alias: ChatAlias
    delivery: Delivery

    def take(self, report: Report, *, is_edit: bool) -> Outcome:
        """Records the message; an edit changes what was recorded. Raises NotUnderstoodError."""
        skip = self._skip(report) or self._take(report, is_edit=is_edit)
        if skip:
            return Outcome(Delivery.State.SKIPPED, [skip])
        outcome = Outcome()
        if report.unknown:
            outcome.fault("the kind of the message, or of a block in it, is not known")
        return outcome

    # These return why nothing is recorded, None if something is.

    def _skip(self, report: Report) -> Skip | None:
        command = report.command
        # Until the bot's name is known, a command for any bot may be for this one.
        if command and not is_ours(command, self.bot_id) and username_of(self.bot_id):
            return Skip.OTHER_BOTS_COMMAND
        if command and command.name != "incident":
            return Skip.OTHER_COMMAND
        if report.reply_to and (number := replied_card(report, self.bot_id)):
            card_states.adopt(self.alias, number, report.reply_to)
        if report.author.bot_id == self.bot_id or self._is_card(report):
            return Skip.OWN_MESSAGE
        return None if command else report.skip

    def _is_card(self, report: Report) -> bool:
        # Only a channel's posts hide that the bot wrote them; in other chats it is the author of its cards.
        return report.author.user_id is None and card_incident(self.alias, report.message_id) is not None

    def _take(self, report: Report, *, is_edit: bool) -> Skip | None:
        if message := self._taken(report):
            skip = self._edit(message, report) if is_edit else None
            attach(message, report)
            return skip
        if self._is_copy(report) or self._join_album(self.alias, report):
            return None
        return self._command(report) if report.command else self._plain(report)

    def _taken(self, report: Report) -> Message | None:
        """What came of the message before."""
        if report.message_id is None:
            return self.delivery.messages.first()
        return Message.objects.filter(alias=self.alias, message_id=report.message_id).first()

    def _command(self, report: Report) -> Skip | None:
        """`/incident TEXT`, or `/incident` as a reply: the message that it replies to is the report then."""
        is_empty = not report.has_text and report.kind == "text"
        if incident := incident_of(self.alias, report.reply_to) or self._record_replied(report):
            if not is_empty:
                self._comment(incident, report)
            return None
        if is_empty:
            return Skip.EMPTY_COMMAND
        self._record(self.alias, report)
        return None

    def _plain(self, report: Report) -> Skip | None:
        if incident := incident_of(self.alias, report.reply_to):
            self._comment(incident, report)
            return None
        if not self.alias.chat.allowed:
            return Skip.NOT_ALLOWED
        if self.alias.chat.mode == Chat.Mode.COMMAND:
            username = username_of(self.bot_id).lower()
            if report.mentions.isdisjoint((username, self.bot_id)):
                return Skip.NOT_ADDRESSED
            # A bare mention as a reply is like a bare command.
            mention = f"@{username}"
            if report.typed.lower() == mention and (incident := self._record_replied(report)):
                if report.description.lower() != mention:
                    self._comment(incident, report)
                return None
        self._record(self.alias, report)
        return None

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
            refuse_archived(channel, message_id)
            if not channel.chat.allowed or channel.chat.mode != Chat.Mode.ALL:
                return False
            # The copy came first: the post is recorded from it.
            original = report.read_original()
            incident = self._join_album(channel, original) or self._record(channel, original)
        self._remember(self.alias, report, incident, Role.COPY)
        return True

    # What is made of it: these return the incident.

    def _record(self, alias: ChatAlias, report: Report) -> int:
        report = report.with_answered()
        incident = create_incident(
            description=report.description,
            source=alias.chat.source,
            urgent=report.is_urgent,
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

    def _record_replied(self, command: Report) -> int | None:
        """Of the message that a command replies to; None for this bot's own and service messages."""
        report = command.read_replied()
        if report is None:
            return None
        if incident := incident_of(self.alias, report.message_id) or self._join_album(self.alias, report):
            return incident
        refuse_archived(self.alias, report.message_id)
        if report.message_id is None or report.author.bot_id == self.bot_id or report.skip == Skip.SERVICE:
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
        self._mark(incident_id, report, is_edit=replaces is not None)

    def _mark(self, incident_id: int, report: Report, *, is_edit: bool = False) -> None:
        """Marks the incident where the message says that it is urgent; an edit does so if it never was before."""
        if not report.is_urgent:
            return
        incident = Incident.objects.select_for_update().get(pk=incident_id)
        if not (is_edit and incident.changes.filter(changes__has_key="urgent").exists()):
            actor = accounts.actor_of(report.author)
            change_incident(incident, values={"urgent": True}, actor=actor, channel=Channel.TELEGRAM)

    def _remember(self, alias: ChatAlias, report: Report, incident_id: int, role: Role) -> None:
        is_album = role in (Role.REPORT, Role.PART)
        message = Message.objects.create(
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
        attach(message, report, is_new=True)

    # Albums are messages with the same media_group_id. They may come in any order and however late.

    def _join_album(self, alias: ChatAlias, report: Report) -> int | None:
        album = _album(alias, report.media_group_id or "")
        if not album or report.message_id is None:
            return None
        incident_id, before = album[0].incident_id, _words(album)
        if incident_id is None:
            raise NotUnderstoodError(ARCHIVED)
        self._remember(alias, report, incident_id, Role.PART)
        self._describe(incident_id, before, _words(_album(alias, album[0].media_group_id)), report)
        self._mark(incident_id, report)
        # The card tells how many parts there are.
        card_states.outdate(Card.objects.filter(incident=incident_id, chat=alias.chat), timezone.now())
        return incident_id

    # Edits

    def _edit(self, message: Message, report: Report) -> Skip | None:
        if report.is_live:
            return Skip.MOVED
        # Edits of the same second are told apart by their deliveries.
        order = (report.edited or NEVER, self.delivery.pk)
        if message.role in (Role.COPY, Role.PRESS) or order <= (message.edited_at or NEVER, message.edit_id or 0):
            return None
        if message.role == Role.REPORT:
            report = report.with_answered()
        elif message.role == Role.COMMENT:
            report = report.as_comment()
        if message.incident_id is None:
            raise NotUnderstoodError(ARCHIVED)
        words = message.words
        before = _words(_album(self.alias, message.media_group_id)) or words
        message.words, message.has_text = report.description, report.has_text
        message.edited_at, message.edit_id = report.edited, self.delivery.pk
        message.save(update_fields=["words", "has_text", "edited_at", "edit_id"])
        after = _words(_album(self.alias, message.media_group_id)) or message.words
        if message.role != Role.COMMENT:
            self._describe(message.incident_id, before, after, report)
            self._mark(message.incident_id, report, is_edit=True)
        elif after != before:
            self._comment(message.incident_id, report, replaces=words)
        return None

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


def _album(alias: ChatAlias, media_group_id: str) -> list[Message]:
    """The report and the other parts so far, in the order of the chat; empty for what is no album."""
    parts = Message.objects.filter(alias=alias, media_group_id=media_group_id, role__in=(Role.REPORT, Role.PART))
    return list(parts.order_by("message_id")) if media_group_id else []


def _words(album: list[Message]) -> str:
    return album_description((part.words, part.has_text) for part in album)
