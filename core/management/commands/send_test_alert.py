from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from core import bot_api


class Command(BaseCommand):
    help = "Sends a message to TELEGRAM_LOGGING_CHAT, to prove that critical errors would arrive there."

    def handle(self, *args: Any, **options: Any) -> None:
        if not settings.TELEGRAM_BOT_TOKEN or not settings.TELEGRAM_LOGGING_CHAT:
            raise CommandError(
                "Alerts are off: set TELEGRAM_BOT_TOKEN (@BotFather gives it) and TELEGRAM_LOGGING_CHAT (@userinfobot)."
            )
        try:
            bot_api.call(
                "sendMessage",
                chat_id=settings.TELEGRAM_LOGGING_CHAT,
                text="A test alert: critical errors of the incident service will arrive here.",
            )
        except bot_api.TelegramError as exc:
            if exc.transient:
                advice = "Try again later, and see that this machine reaches TELEGRAM_API_URL."
            else:
                advice = "See that the token is right, and that the chat has the bot as a member or wrote /start to it."
            raise CommandError(f"Not sent. {exc}. {advice}") from None
        self.stdout.write(f"Sent to chat {settings.TELEGRAM_LOGGING_CHAT}.")
