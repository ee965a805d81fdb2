"""Files that came with messages are fetched from Telegram, once, and what it refuses is said."""

import hashlib
import threading
from datetime import timedelta

import pytest
from django.core.files.storage import storages
from django.utils import timezone

from incidents.attachments.services import fail_attachment, retry_attachment
from incidents.models import Attachment
from telegram.models import ChatAlias, File
from telegram.receiving import fetching
from tests.helpers.bot_api import BOT, TOKEN
from tests.helpers.telegram_messages import GROUP
from tests.helpers.updates import write

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]
CONTENT = b"%PDF-1.7 " + bytes(range(256)) * 1000
LINK = "https://t.me/c/1234567890/10"


class Clock:
    def __init__(self):
        self.now = timezone.now() + timedelta(minutes=1)  # after the defaults of columns

    def monotonic(self):
        return self.now.timestamp()

    def pass_(self, seconds):
        self.now += timedelta(seconds=seconds)


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(timezone, "now", lambda: clock.now)
    monkeypatch.setattr(fetching, "monotonic", clock.monotonic)
    return clock


@pytest.fixture
def stored(settings, tmp_path):
    """Returns the files in the storage."""
    folder = tmp_path / "attachments"
    attachments = {"BACKEND": "django.core.files.storage.FileSystemStorage", "OPTIONS": {"location": folder}}
    settings.STORAGES = settings.STORAGES | {"attachments": attachments}
    return lambda: [path for path in folder.rglob("*") if path.is_file()]


@pytest.fixture
def api(telegram_api, group, clock, stored):
    telegram_api.add_chat(GROUP)
    return telegram_api


@pytest.fixture
def fetcher(api):
    return fetching.Fetcher()


def send(api, content=CONTENT, number=10, **fields):
    """A message with a file, whose size its sender may tell."""
    document = api.upload(content, file_name="a.pdf") | fields
    write(message_id=number, document=document, caption="Течь")


def run(fetcher):
    """The job, until nothing is on its way."""
    while fetcher.step():
        pass


def state():
    return Attachment.objects.values_list("state", "error").get()


def test_a_file(api, fetcher, stored):
    send(api)
    run(fetcher)
    attachment = Attachment.objects.get()
    assert (attachment.state, attachment.size, attachment.content_type) == ("stored", len(CONTENT), "application/pdf")
    assert attachment.sha256 == hashlib.sha256(CONTENT).hexdigest()
    with storages["attachments"].open(attachment.file.name) as file:
        assert file.read() == CONTENT
    assert len(stored()) == 1
    run(fetcher)
    assert len(api.called("getFile")) == len(api.called("download")) == 1


def test_an_empty_file(api, fetcher):
    send(api, b"")
    run(fetcher)
    assert state() == ("stored", "")


@pytest.mark.parametrize("size", [20 * 2**20 + 1, 2**62])
def test_one_that_is_said_to_be_too_large_is_not_asked_for(api, fetcher, size):
    send(api, file_size=size)
    run(fetcher)
    assert state() == ("failed", f"The file is larger than 20 MB: see it in Telegram. {LINK}")
    assert api.called("getFile") == []


def test_one_that_is_too_large_for_telegram(api, fetcher, stored, caplog):
    send(api, bytes(20 * 2**20 + 1), file_size=None)
    run(fetcher)
    assert state() == ("failed", f"The file is larger than 20 MB: see it in Telegram. {LINK}")
    assert (api.called("download"), stored()) == ([], [])
    assert "cannot be fetched: The file is larger" in caplog.text


@pytest.mark.parametrize("is_told", [True, False])
def test_one_that_is_too_large_for_the_service(api, fetcher, stored, settings, is_told):
    settings.ATTACHMENT_MAX_BYTES = 2**20
    send(api, bytes(2**20 + 1), file_size=None)
    if not is_told:
        api.damage(bytes(2**20 + 1))
        del api.files[File.objects.get().file_id]["content"]
        api._get_file = lambda params: {"file_path": "documents/file_0.bin"}
    run(fetcher)
    assert state() == ("failed", f"The file is larger than 1 MB: see it in Telegram. {LINK}")
    assert stored() == []


def test_the_limit_itself(api, fetcher):
    send(api, bytes(20 * 2**20))
    run(fetcher)
    assert state() == ("stored", "")


@pytest.mark.parametrize("body", [CONTENT[:-1], CONTENT + b"x", b""])
def test_another_length_than_telegram_names(api, fetcher, clock, stored, body):
    send(api)
    api.damage(body)
    run(fetcher)
    assert (state(), stored(), File.objects.get().failures) == (("pending", ""), [], 1)
    clock.pass_(2)
    run(fetcher)
    assert (state(), File.objects.values_list("failures", "error").get()) == (("stored", ""), (0, ""))


@pytest.mark.parametrize(
    ("method", "status", "description"),
    [
        ("getFile", 400, "wrong file_id or the file is temporarily unavailable"),
        ("getFile", 500, ""),
        ("getFile", 502, ""),
        ("download", 404, ""),
        ("download", 500, ""),
        ("download", 302, ""),
    ],
)
def test_faults_that_pass(api, fetcher, clock, method, status, description):
    send(api)
    api.fail(method, status, description)
    run(fetcher)
    run(fetcher)
    assert (state(), len(api.called("getFile"))) == (("pending", ""), 1)
    clock.pass_(2)
    run(fetcher)
    assert state() == ("stored", "")


@pytest.mark.parametrize("method", ["getFile", "download"])
def test_responses_that_are_lost(api, fetcher, clock, method):
    send(api)
    api.lose(method)
    run(fetcher)
    clock.pass_(2)
    run(fetcher)
    assert state() == ("stored", "")


def test_a_file_that_telegram_does_not_give_for_a_day(api, fetcher, clock):
    send(api)
    del api.files[File.objects.get().file_id]
    File.objects.update(failures=fetching.MAX_FAILURES - 1)
    run(fetcher)
    assert state() == ("pending", "")
    clock.pass_(600)
    run(fetcher)
    assert state() == ("failed", "getFile: 400 Bad Request: wrong file_id or the file is temporarily unavailable")


def test_the_pauses_before_a_file_is_given_up_take_a_day():
    steps = [min(step, fetching.BACKOFF_STEPS) for step in range(fetching.MAX_FAILURES)]
    pauses = [min(fetching.MIN_BACKOFF * 2**step, fetching.MAX_BACKOFF) for step in steps]
    assert pauses[fetching.BACKOFF_STEPS] == fetching.MAX_BACKOFF > pauses[fetching.BACKOFF_STEPS - 1]
    assert timedelta(hours=23) < sum(pauses, timedelta()) < timedelta(hours=25)


def test_telegram_out_of_reach_is_no_reason_to_give_up(api, fetcher, clock, settings):
    send(api)
    settings.TELEGRAM_API_URL = "http://127.0.0.1:1"
    for _ in range(15):
        run(fetcher)
        clock.pass_(600)
    assert (state(), File.objects.get().error) == (("pending", ""), "getFile: ConnectionError")
    assert File.objects.get().failures < fetching.MAX_FAILURES / 2
    settings.TELEGRAM_API_URL = api.url
    run(fetcher)
    assert state() == ("stored", "")


@pytest.mark.parametrize(
    ("status", "description"), [(400, "invalid file_id"), (400, "something new"), (403, "bot was kicked")]
)
def test_refusals_for_good(api, fetcher, status, description):
    send(api)
    api.fail("getFile", status, description)
    run(fetcher)
    assert state()[0] == "failed"
    assert description in state()[1]


def test_fetch_again(api, fetcher):
    send(api)
    api.fail("getFile", 400, "invalid file_id")
    run(fetcher)
    assert retry_attachment(Attachment.objects.get())
    run(fetcher)
    assert state() == ("stored", "")


def test_too_many_requests(api, fetcher, clock):
    for number in (10, 11):
        send(api, number=number)
    api.fail("getFile", 429, "Too Many Requests: retry after 300", retry_after=300)
    api.fail("getFile", 429, "Too Many Requests: retry after 300", retry_after=300)
    run(fetcher)
    send(api, number=12)
    for process in (fetcher, fetching.Fetcher()):  # and the one that comes next
        clock.pass_(100)
        run(process)
        calls = len(api.called("getFile"))
        assert calls == 2 if process is fetcher else calls == 3
    clock.pass_(301)
    run(fetcher)
    assert set(Attachment.objects.values_list("state", flat=True)) == {"stored"}


def test_a_download_that_is_throttled(api, fetcher, clock):
    send(api)
    api.fail("download", 429)
    run(fetcher)
    run(fetcher)
    assert len(api.called("download")) == 1
    clock.pass_(31)
    run(fetcher)
    assert state() == ("stored", "")


def test_a_token_that_is_refused(api, fetcher, clock):
    send(api)
    api.token = "1:x"
    run(fetcher)
    run(fetcher)
    assert (state(), len(api.called("getFile"))) == (("pending", ""), 1)
    api.token = TOKEN
    clock.pass_(61)
    run(fetcher)
    assert state() == ("stored", "")


def test_a_storage_that_fails(api, fetcher, clock, settings, tmp_path, caplog):
    good = settings.STORAGES
    (tmp_path / "file").touch()
    bad = {"BACKEND": "django.core.files.storage.FileSystemStorage", "OPTIONS": {"location": tmp_path / "file"}}
    send(api)
    settings.STORAGES = good | {"attachments": bad}
    run(fetcher)
    run(fetcher)
    assert (state(), len(api.called("getFile"))) == (("pending", ""), 1)
    assert "could not be stored" in caplog.text
    settings.STORAGES = good
    clock.pass_(61)
    run(fetcher)
    assert state() == ("stored", "")


def test_what_is_pending_no_longer_when_it_comes_leaves_nothing(api, fetcher, stored):
    send(api)
    point = threading.Event()

    def watch(at, method, params, result):
        if (at, method) == ("asked", "download"):
            point.wait(10)

    api.watch = watch
    fetching.MAX_WAIT_SECONDS, before = 0.01, fetching.MAX_WAIT_SECONDS
    assert fetcher.step()
    fetching.MAX_WAIT_SECONDS = before
    fail_attachment(Attachment.objects.get(), "It was given up.")
    point.set()
    run(fetcher)
    assert (state(), stored()) == (("failed", "It was given up."), [])


def test_a_file_that_hangs_holds_back_no_others(api, fetcher, clock):
    point = threading.Event()
    hanging = []

    def watch(at, method, params, result):
        if (at, method) == ("asked", "download") and len(hanging) < fetching.MAX_IN_FLIGHT:
            hanging.append(params)
            point.wait(30)

    api.watch = watch
    for number in range(fetching.MAX_IN_FLIGHT + 1):
        send(api, number=10 + number)
    api.wait_for(lambda: fetcher.step() and len(hanging) == fetching.MAX_IN_FLIGHT)
    clock.pass_(fetching.STUCK_SECONDS + 1)
    fetcher.step()
    run(fetcher)
    assert Attachment.objects.filter(state="stored").count() == 1
    point.set()
    clock.pass_(2)
    run(fetcher)
    assert Attachment.objects.filter(state="stored").count() == fetching.MAX_IN_FLIGHT + 1


def test_no_more_than_a_few_at_once(api, fetcher):
    at_once, most = 0, 0
    lock = threading.Lock()

    def watch(at, method, params, result):
        nonlocal at_once, most
        if method == "download":
            with lock:
                at_once += {"asked": 1, "responded": -1}.get(at, 0)
                most = max(most, at_once)

    api.watch = watch
    for number in range(12):
        send(api, number=10 + number)
    run(fetcher)
    assert Attachment.objects.filter(state="stored").count() == 12
    assert most <= fetching.MAX_IN_FLIGHT


def test_files_of_another_bot_are_left_alone(api, fetcher):
    send(api)
    ChatAlias.objects.update(bot_id=BOT["id"] + 1)
    run(fetcher)
    assert (state(), api.called("getFile")) == (("pending", ""), [])


def test_the_number_of_statements_is_the_same_with_many_that_wait(api, fetcher, clock, django_assert_num_queries):
    File.objects.update(due_at=clock.now + timedelta(hours=1))
    for number in range(20):
        send(api, number=10 + number)
    File.objects.update(due_at=clock.now + timedelta(hours=1))
    with django_assert_num_queries(1):
        fetcher.step()


def test_no_line_of_the_log_names_the_token(api, fetcher, clock, caplog):
    caplog.set_level("DEBUG")
    send(api)
    for method in ("getFile", "download"):
        for status in (400, 404, 500):
            api.fail(method, status, TOKEN)
            run(fetcher)
            clock.pass_(1000)
            Attachment.objects.update(state="pending")
        api.lose(method)
        run(fetcher)
        clock.pass_(1000)
        Attachment.objects.update(state="pending")
    lines = [record for record in caplog.records if not record.name.startswith(("urllib3", "django.db"))]
    assert not [record for record in lines if TOKEN in record.getMessage()]
    assert TOKEN not in "".join(File.objects.values_list("error", flat=True))
