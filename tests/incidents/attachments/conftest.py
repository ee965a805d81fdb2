import pytest
from django.core.files.storage import storages

from incidents.models import Attachment


@pytest.fixture(autouse=True)
def media(settings, tmp_path, monkeypatch):
    entry = settings.STORAGES["attachments"]
    entry = entry | {"OPTIONS": entry["OPTIONS"] | {"location": tmp_path}}
    settings.STORAGES = settings.STORAGES | {"attachments": entry}
    monkeypatch.setattr(Attachment._meta.get_field("file"), "storage", storages["attachments"])
    return tmp_path
