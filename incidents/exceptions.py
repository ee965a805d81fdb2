from django.utils.translation import gettext_lazy as _
from rest_framework import status
from rest_framework.exceptions import APIException, ValidationError


class IdempotencyKeyInUse(APIException):
    status_code = status.HTTP_409_CONFLICT
    default_detail = _("A request with this Idempotency-Key is still being worked on, try again later.")
    default_code = "idempotency_key_in_use"
    wait = 1


class IdempotencyKeyReused(APIException):
    status_code = status.HTTP_422_UNPROCESSABLE_ENTITY
    default_detail = _("This Idempotency-Key was used with another request body.")
    default_code = "idempotency_key_reused"


class NotADuplicate(Exception):  # noqa: N818
    """Two incidents cannot be linked; the message says why, for people."""


class TooManyFilesError(ValidationError):
    def __init__(self) -> None:
        super().__init__({"file": [_("The incident has too many files.")]}, code="max_length")


class ArchiveError(Exception):
    """The message says what is wrong with the file of an archive, or with what belongs to it."""
