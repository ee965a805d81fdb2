"""Whatever arrives, each function returns or says that it did not understand; the result can be stored."""

import contextlib

from hypothesis import given
from hypothesis import strategies as st

from telegram.reading import reports
from telegram.reading import texts as commands
from telegram.reading import updates as parsing
from tests.helpers.telegram_messages import json_values, message

FIELDS = sorted(
    {*reports.MEDIA, *reports.SKIPPED, *reports.METADATA, "text", "rich_message", "blocks", "type", "items", "cells"}
    | {"title", "first_name", "duration", "id", "sender_user", "options", "tasks", "user", "offset", "length", "credit"}
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
    commands.command(sent, username="our_bot")
    commands.mentions(sent, username="our_bot", bot_id=5)


@given(st.lists(block | values, max_size=5))
def test_rich_messages(blocks):
    assert reports.read(message(rich_message={"blocks": blocks})).description


@given(st.dictionaries(st.sampled_from(["update_id", *parsing.ALLOWED_UPDATES, "poll"]), fields | values) | values)
def test_updates(update):
    with contextlib.suppress(reports.NotUnderstoodError):
        parsing.membership(parsing.parse(update))
    parsing.migrations(update, asked=-5)
