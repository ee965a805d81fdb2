from typing import get_args

from django.db import models

from tests.benchmarks.peers.shapes import Source, Status


class Incident(models.Model):
    description = models.TextField(max_length=5000)
    status = models.CharField(max_length=20, choices=[(status, status) for status in get_args(Status)], default="open")
    source = models.CharField(max_length=20, choices=[(source, source) for source in get_args(Source)])
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        db_table = "incident"
        managed = False  # made by schema.sql

    def __str__(self) -> str:
        return f"{self.pk}: {self.description[:50]}"
