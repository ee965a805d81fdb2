from django.db import models
from django.db.models.functions import Now


class Heartbeat(models.Model):
    """The state of a job: its lease, last run and next run, by the database's clock."""

    job = models.CharField(max_length=100, primary_key=True)
    # The lease: no other process runs the job until it expires.
    holder = models.CharField(max_length=100, blank=True)
    expires_at = models.DateTimeField(db_default=Now())
    due_at = models.DateTimeField(db_default=Now())
    ran_at = models.DateTimeField(null=True)  # end of the last successful step
    failures = models.PositiveIntegerField(default=0)  # consecutive

    def __str__(self) -> str:
        return self.job
