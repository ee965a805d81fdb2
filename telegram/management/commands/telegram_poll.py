from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from telegram.bot_api import client


class Command(BaseCommand):
    help = "Tells whether the jobs can poll Telegram: not while a webhook is set. Waiting updates are never dropped."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--remove-webhook", action="store_true", help="remove the webhook that is set")

    def handle(self, *args: Any, remove_webhook: bool, **options: Any) -> None:
        if not settings.TELEGRAM_BOT_TOKEN:
            raise CommandError("Set TELEGRAM_BOT_TOKEN to the token that @BotFather gave you.")
        if remove_webhook and settings.TELEGRAM_WEBHOOK_URL:
            raise CommandError("The jobs would register it again: remove TELEGRAM_WEBHOOK_URL first.")
        try:
            info = client.request("getWebhookInfo", {})
            if remove_webhook:
                client.request("deleteWebhook", {})
        except client.TelegramError as exc:
            raise CommandError(f"Telegram did not take the call. {exc}.") from None
        waiting = info.get("pending_update_count", 0)
        if not info.get("url"):
            self.stdout.write(f"No webhook is set: the jobs can poll. {waiting} updates wait.")
        elif remove_webhook:
            self.stdout.write(f"The webhook was removed: the jobs can poll. {waiting} updates wait.")
        else:
            raise CommandError(f"A webhook is set, {waiting} updates wait. Polling needs --remove-webhook.")
