from datetime import timedelta

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class IncidentsConfig(AppConfig):
    name = "incidents"
    verbose_name = _("Incidents")

    def ready(self) -> None:
        from core import jobs, metrics
        from incidents.attachments import checks  # noqa: F401
        from incidents.attachments.jobs import Orphans, delete_files
        from incidents.attachments.thumbnails import make_thumbnails
        from incidents.idempotency import purge_expired_keys
        from incidents.metrics import incidents

        jobs.register(jobs.Job("purge_expired_keys", purge_expired_keys, every=timedelta(hours=1)))
        jobs.register(jobs.Job("delete_files", delete_files, every=timedelta(minutes=1)))
        jobs.register(jobs.Job("delete_orphans", Orphans().step, every=timedelta(hours=6)))
        jobs.register(jobs.Job("make_thumbnails", make_thumbnails, every=timedelta(seconds=2)))
        metrics.register(incidents)
