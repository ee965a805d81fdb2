"""telegram.bot_api.client reads files of a Bot API server, and says why where it does not get them whole."""

import traceback
from time import monotonic

import pytest

from telegram.bot_api import client
from tests.helpers.bot_api import TOKEN

CONTENT = bytes(range(256)) * 1000


@pytest.fixture
def file(telegram_api):
    return telegram_api.upload(CONTENT)


def read(file, seconds=60.0):
    path = client.request("getFile", {"file_id": file["file_id"]})["file_path"]
    return b"".join(client.read_file(path, until=monotonic() + seconds))


def failure(file, **options):
    """Checks that nothing of it that could be logged holds the token."""
    with pytest.raises(client.TelegramError) as caught:
        read(file, **options)
    assert TOKEN not in "".join(traceback.format_exception(caught.value)) + repr(caught.value)
    return caught.value


def test_a_file(file):
    assert read(file) == CONTENT


def test_in_chunks(file, telegram_api):
    chunks = list(client.read_file(telegram_api.files[file["file_id"]]["file_path"], until=monotonic() + 60))
    assert max(map(len, chunks)) <= 1 << 16
    assert b"".join(chunks) == CONTENT


@pytest.mark.parametrize(
    ("path", "asked"),
    [
        ("documents/отчёт 1#a?b.pdf", "documents/%D0%BE%D1%82%D1%87%D1%91%D1%82%201%23a%3Fb.pdf"),
        (f"/var/lib/telegram-bot-api/{TOKEN}/documents/a.pdf", "documents/a.pdf"),
    ],
)
def test_paths(telegram_api, path, asked):
    with pytest.raises(client.TelegramError):
        list(client.read_file(path, until=monotonic() + 60))
    assert telegram_api.called("download") == [{"path": asked}]


@pytest.mark.parametrize("length", [len(CONTENT) + 1, "x"])
def test_another_length_than_announced(file, telegram_api, length):
    telegram_api.damage(CONTENT[:-1], headers={"Content-Length": str(length)})
    if length == "x":  # until the connection ends
        assert read(file) == CONTENT[:-1]
    else:
        assert failure(file).transient


def test_a_connection_that_ends_in_the_middle_of_chunks(file, telegram_api):
    telegram_api.damage(b"5\r\nabcde\r\n5\r\nab", headers={"Transfer-Encoding": "chunked"})
    assert failure(file).transient


def test_a_connection_that_ends_before_the_response(file, telegram_api):
    telegram_api.lose("download")
    assert failure(file).transient


def test_a_file_that_comes_a_byte_at_a_time(file, telegram_api):
    telegram_api.damage(b"x" * 1000, pause=0.01)
    error = failure(file, seconds=0.1)
    assert (error.transient, str(error)) == (True, "file: it comes too slowly")


@pytest.mark.parametrize("status", [401, 404, 429, 500])
def test_refusals(file, telegram_api, status):
    telegram_api.fail("download", status)
    assert failure(file).status == status
