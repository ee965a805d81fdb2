"""Whatever arrives, each function returns or says that it did not understand; the result can be stored."""

import contextlib

from hypothesis import given
from hypothesis import strategies as st

from telegram.reading import kinds, reports, texts, updates
from tests.helpers.telegram_messages import json_values, message

FIELDS = sorted(
    {*kinds.MEDIA, *kinds.SKIPPED, *kinds.METADATA, "text", "rich_message", "blocks", "type", "items", "cells"}
    | {"title", "first_name", "duration", "id", "sender_user", "options", "tasks", "user", "offset", "length", "credit"}
    | {"file_id", "file_unique_id", "file_name", "file_size", "mime_type", "width", "height", "media", "voice_note"}
)
TYPES = ["paragraph", "list", "table", "details", "blockquote", "map", "photo", "url", "user", "channel", "mention"]
values = json_values(st.sampled_from(FIELDS)) | st.sampled_from(TYPES)
fields = st.dictionaries(st.sampled_from(FIELDS), values, max_size=8)
block = st.fixed_dictionaries({"type": st.sampled_from(TYPES) | values}, optional={"text": values, "blocks": values})


@given(fields, st.booleans())
def test_messages(fields, whole):
    sent = message(**fields) if not whole else fields
    with contextlib.suppress(reports.NotUnderstoodError):
        report = reports.read(sent)
        assert report.description.strip()
        assert len(report.description) <= 20_000
        assert len(report.author.name) <= 150
        stored = "".join(filter(None, [report.description, report.author.name, report.media_group_id, report.link]))
        assert "\0" not in stored.encode().decode()
        for file in report.files:
            assert file.id and file.name and len(file.unique_id) <= 255
            assert file.size is None or 0 <= file.size < 2**63
            f"{file.id}{file.unique_id}{file.name}".encode()
        report.read_replied()
        report.read_original()
    texts.read(sent)


@given(st.lists(block | values, max_size=5))
def test_rich_messages(blocks):
    assert reports.read(message(rich_message={"blocks": blocks})).description


@given(st.dictionaries(st.sampled_from(["update_id", *updates.ALLOWED_UPDATES, "poll"]), fields | values) | values)
def test_updates(update):
    with contextlib.suppress(reports.NotUnderstoodError):
        read = updates.read(update)
        assert read.callback_query
        with contextlib.suppress(reports.NotUnderstoodError):
            assert read.membership
        assert read.report
