"""What the bot says at once."""

import logging

from core import bot_api
from core.bot_api import TelegramError
from telegram.models import Chat

logger = logging.getLogger(__name__)

PRESS_LIMIT = 200  # characters of the answer to a press


def answer_press(callback_id: str, text: str) -> None:
    """Shows the text to the person who pressed a button; a press that is too old is no fault."""
    try:
        bot_api.call("answerCallbackQuery", callback_query_id=callback_id, text=text[:PRESS_LIMIT])
    except TelegramError as exc:
        logger.info("A press was not answered: %s", exc)


def show_open(chat: Chat, thread_id: int | None = None) -> None:
    """Has the list of what is open sent to the chat, or to its topic."""
