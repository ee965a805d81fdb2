"""Who wrote a message, and what people and chats are called."""

from dataclasses import dataclass

from django.utils.translation import gettext as _

from incidents.text import is_blank
from telegram.reading.values import Fields, dictionary, integer, line, shortened

AUTHOR_MAX_LENGTH = 150
GROUP_ANONYMOUS_BOT = 1087968824
# Accounts in whose name many write: Group Anonymous Bot, Channel Bot, Telegram itself, Replies.
SHARED_ACCOUNTS = {GROUP_ANONYMOUS_BOT, 136817688, 777000, 1271266957}


@dataclass(frozen=True, slots=True)
class Author:
    """
    Who wrote a message.

    `name` has at most 150 characters. `user_id` is the account, where one person or program surely stands behind it:
    None for chats, bots and shared accounts. `bot_id` is the account of another program that wrote as itself.
    """

    name: str
    user_id: int | None = None
    bot_id: int | None = None


def author_of(message: Fields) -> Author:
    """Reads who wrote a message: the user, or the chat in whose name it was sent with the signature of who sent it."""
    user, chat = dictionary(message.get("from")), dictionary(message.get("sender_chat"))
    if not chat and (not user or user.get("id") == GROUP_ANONYMOUS_BOT):
        chat = dictionary(message.get("chat"))
    if not chat:
        return author_of_user(user)
    origin = dictionary(message.get("forward_origin")) if message.get("is_automatic_forward") is True else {}
    signature = line(message.get("author_signature")) or line(origin.get("author_signature"))
    name = f"{chat_name(chat)} ({signature})" if signature else chat_name(chat)
    return Author(shortened(name, AUTHOR_MAX_LENGTH))


def author_of_user(user: object) -> Author:
    """Reads the author that a `User` is, such as the one who pressed a button."""
    fields = dictionary(user)
    user_id = integer(fields.get("id"))
    name = shortened(user_name(fields), AUTHOR_MAX_LENGTH)
    if user_id in SHARED_ACCOUNTS:
        return Author(name)
    return Author(name, bot_id=user_id) if fields.get("is_bot") is True else Author(name, user_id=user_id)


def chat_name(chat: object) -> str:
    """Returns a chat's title, the name of the person that a private chat is with, or its id."""
    fields = dictionary(chat)
    return first_shown(line(fields.get("title")), full_name(fields)) or _("chat %s") % integer(fields.get("id"))


def user_name(user: Fields) -> str:
    if name := full_name(user):
        return name
    user_id = integer(user.get("id"))
    return _("unknown author") if user_id is None else _("deleted account %s") % user_id


def full_name(fields: Fields) -> str:
    username = line(fields.get("username"))
    names = f"{line(fields.get('first_name'))} {line(fields.get('last_name'))}".strip()
    return first_shown(names, username and f"@{username}")


def first_shown(*texts: str) -> str:
    for text in texts:
        if not is_blank(text):
            return text
    return ""
