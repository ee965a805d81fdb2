from django.db import models
from django.db.models.functions import Now


class Heartbeat(models.Model):
    """What is known of a job: which process runs it, when it ran, when it is due. All by the database's clock."""

    job = models.CharField(max_length=100, primary_key=True)
    # The lease: other processes leave the job alone until it expires.
    holder = models.CharField(max_length=100, blank=True)
    expires_at = models.DateTimeField(db_default=Now())
    due_at = models.DateTimeField(db_default=Now())
    ran_at = models.DateTimeField(null=True)  # the end of the last run without an error
    failures = models.PositiveIntegerField(default=0)  # in a row

    def __str__(self) -> str:
        return self.job
