"""The table of failures: what a refusal of the Bot API means for what was to be sent."""

import re
from enum import Enum, auto

from telegram.bot_api.client import TelegramError


class Action(Enum):
    DONE = auto()  # Telegram shows it already
    NEW_CARD = auto()  # the message to edit is gone
    WITHOUT_REPLY = auto()  # the message to reply to is gone
    WITHOUT_THREAD = auto()  # the topic is closed or gone
    MIGRATED = auto()  # the chat became a supergroup
    CHAT_PAUSED = auto()  # until its administrators change something, or a person presses retry
    CHAT_THROTTLED = auto()  # until the time that Telegram names
    LATER = auto()  # with a backoff
    UNKNOWN = auto()  # Telegram may have done it
    BOT_PAUSED = auto()  # the token or the address of the API is wrong
    GIVE_UP = auto()  # this message will never be taken


# Of status 400, by what the description contains; the first row that matches holds. Upper case are names of errors that
# the Bot API passes on as they are.
DESCRIPTIONS: list[tuple[str, Action]] = [
    ("message is not modified|MESSAGE_NOT_MODIFIED", Action.DONE),
    ("(message|reply message) to be replied not found|repl(y|ied) message not found", Action.WITHOUT_REPLY),
    ("message to reply not found|REPLY_MESSAGE_ID_INVALID|REPLY_TO_INVALID", Action.WITHOUT_REPLY),
    ("message to (be )?edit(ed)? not found|message can't be edited", Action.NEW_CARD),
    (
        "message identifier is not specified|MESSAGE_ID_INVALID|MESSAGE_EDIT_TIME_EXPIRED|MESSAGE_AUTHOR_REQUIRED",
        Action.NEW_CARD,
    ),
    ("thread not found|topic not found|TOPIC_(CLOSED|DELETED|ID_INVALID)|not a forum", Action.WITHOUT_THREAD),
    ("SLOWMODE_WAIT", Action.LATER),
    # Of getFile. Any fault of Telegram's own is told so: on_update_file in Client.cpp of tdlib/telegram-bot-api
    ("file is temporarily unavailable", Action.LATER),
    ("not enough rights|no rights|need administrator rights|not a member|chat not found", Action.CHAT_PAUSED),
    ("chat was (upgraded|deactivated|deleted)|user is deactivated|PEER_ID_INVALID", Action.CHAT_PAUSED),
    (r"CHAT_\w*(FORBIDDEN|RESTRICTED|REQUIRED)|CHANNEL_(PRIVATE|INVALID)", Action.CHAT_PAUSED),
    ("USER_(BANNED_IN_CHANNEL|IS_BLOCKED|DEACTIVATED)|PAYMENT_REQUIRED", Action.CHAT_PAUSED),
]


def action_of(error: TelegramError) -> Action:
    """What is to be done after a call that sends or edits a message, or asks for a file."""
    if error.supergroup is not None:
        return Action.MIGRATED
    if error.unknown:
        return Action.UNKNOWN
    match error.status:
        case 429:
            return Action.CHAT_THROTTLED
        case 403:
            return Action.CHAT_PAUSED
        case 401 | 404:
            return Action.BOT_PAUSED
        case 400:
            found = (action for part, action in DESCRIPTIONS if re.search(part, error.description, re.IGNORECASE))
            return next(found, Action.GIVE_UP)
        case 413:
            return Action.GIVE_UP
        case None if not error.transient:
            return Action.BOT_PAUSED
    # No connection, 5xx, and what is no response of the Bot API at all, such as a redirect
    return Action.LATER
