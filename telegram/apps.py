from datetime import timedelta

from django.apps import AppConfig
from django.conf import settings


class TelegramConfig(AppConfig):
    name = "telegram"
    verbose_name = "Telegram"

    def ready(self) -> None:
        from core import health, jobs, metrics
        from incidents import archive
        from incidents.models import Channel
        from intake import inbox
        from telegram.bot_api import checks as alert_checks  # noqa: F401  # registers its own
        from telegram.metrics import waits
        from telegram.models import Card, File, Message
        from telegram.receiving import checks, poller, updates  # noqa: F401
        from telegram.receiving.fetching import Fetcher
        from telegram.sending.sender import Sender
        from telegram.status import health_detail

        inbox.handlers[Channel.TELEGRAM] = updates.handle
        metrics.register(waits)
        archive.tables += [
            archive.Table(Message, remains={"incident_id": None, "words": ""}),
            archive.Table(Card),
            archive.Table(File, incident="attachment__incident_id"),
        ]
        archive.holds.append(Card.objects.exclude(due_at=None).all)
        health.register("telegram", health_detail)
        if settings.TELEGRAM_BOT_TOKEN:
            jobs.register(jobs.Job("telegram_send", Sender().step, every=timedelta(seconds=1)))
            jobs.register(jobs.Job("telegram_files", Fetcher().step, every=timedelta(seconds=1)))
            jobs.register(jobs.Job("telegram_bot", poller.refresh_bot, every=timedelta(minutes=10)))
            if not settings.TELEGRAM_WEBHOOK_URL:
                jobs.register(jobs.Job("telegram_poll", poller.poll, every=timedelta(seconds=5)))
