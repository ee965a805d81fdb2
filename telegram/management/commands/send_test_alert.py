from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from telegram.bot_api import client


class Command(BaseCommand):
    help = "Sends a test message to TELEGRAM_LOGGING_CHAT."

    def handle(self, *args: Any, **options: Any) -> None:
        if not settings.TELEGRAM_BOT_TOKEN or not settings.TELEGRAM_LOGGING_CHAT:
            raise CommandError(
                "Alerts are off: set TELEGRAM_BOT_TOKEN (@BotFather gives it) and TELEGRAM_LOGGING_CHAT (@userinfobot)."
            )
        try:
            client.call(
                "sendMessage",
                chat_id=settings.TELEGRAM_LOGGING_CHAT,
                text="A test alert: critical errors of the incident service will arrive here.",
            )
        except client.TelegramError as exc:
            if exc.transient:
                advice = "Try again later, and check that this machine reaches TELEGRAM_API_URL."
            else:
                advice = "Check the token, and that the bot is a member of the chat or got /start from it."
            raise CommandError(f"Not sent. {exc}. {advice}") from None
        self.stdout.write(f"Sent to chat {settings.TELEGRAM_LOGGING_CHAT}.")
