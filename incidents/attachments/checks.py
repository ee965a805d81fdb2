"""System check of the folder of attachments, with `check --deploy`: other commands may run without the folder."""

import os
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core import checks
from django.core.files.storage import FileSystemStorage

from incidents.models import attachment_storage


@checks.register("attachments", deploy=True)
def check_folder(**kwargs: Any) -> list[checks.CheckMessage]:
    if not isinstance(attachment_storage(), FileSystemStorage):
        return []
    # The storage makes the folder.
    folder: Path = settings.MEDIA_ROOT
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    if folder.is_dir() and os.access(folder, os.W_OK | os.X_OK):
        return []
    message = f"MEDIA_ROOT, {settings.MEDIA_ROOT}, is not writable: no attachment can be stored."
    return [checks.Error(message, hint="Give it to the user of the service.", id="incidents.E001")]
