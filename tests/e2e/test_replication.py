"""Synchronous replication whose standby is away: nothing is acknowledged that stands on this server alone."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest
import requests

from tests.helpers.servers import wait_until

pytestmark = pytest.mark.e2e

BODY = {"description": "Самокат не в сети", "source": "operator"}
WAITING = "FROM pg_stat_activity WHERE wait_event = 'SyncRep'"


@pytest.fixture(scope="module")
def environment():
    return {
        "TELEGRAM_BOT_TOKEN": f"7:{'a' * 35}",
        "TELEGRAM_WEBHOOK_URL": "https://incidents.example/api/v1/intake/telegram/",
        "TELEGRAM_WEBHOOK_SECRET": "secret",
        "TELEGRAM_INTAKE_CHATS": "5",
        "TELEGRAM_API_URL": "http://127.0.0.1:9",
    }


@pytest.fixture
def one(service, api):
    return f"{service.url}/api/v1/incidents/{api.post(f'{service.url}/api/v1/incidents/', json=BODY).json()['id']}/"


@contextmanager
def standby_away(postgres):
    with postgres.connect() as admin:
        admin.execute("ALTER SYSTEM SET synchronous_standby_names = 'missing'")
        admin.execute("SELECT pg_reload_conf()")
        wait_until(lambda: postgres.connect().execute("SHOW synchronous_standby_names").fetchone() == ("missing",))
        try:
            yield admin
        finally:
            admin.execute("ALTER SYSTEM RESET synchronous_standby_names")
            admin.execute("SELECT pg_reload_conf()")


def freed(postgres, request, function="pg_cancel_backend"):
    """The response, once an administrator has freed the session that waits for the standby."""
    with ThreadPoolExecutor(1) as threads, standby_away(postgres) as admin:
        response = threads.submit(request)
        while not response.done():
            admin.execute(f"SELECT {function}(pid) {WAITING}")
        return response.result()


def assert_unavailable(response):
    assert (response.status_code, response.json()["errors"][0]["code"]) == (503, "503 service_unavailable")
    assert int(response.headers["Retry-After"]) > 0


@pytest.mark.parametrize("function", ["pg_cancel_backend", "pg_terminate_backend"])
def test_report_is_503_and_recorded_once_when_sent_again_with_its_key(postgres, service, api, function):
    def report():
        return api.post(
            f"{service.url}/api/v1/incidents/", json=BODY, headers={"Idempotency-Key": function}, timeout=30
        )

    count = api.get(f"{service.url}/api/v1/incidents/").json()["count"]
    assert_unavailable(freed(postgres, report, function))
    # It stands here already, and still on no standby.
    assert_unavailable(freed(postgres, report, function))
    again = report()
    assert (again.status_code, again.headers["Idempotency-Replayed"]) == (201, "true")
    assert api.get(f"{service.url}/api/v1/incidents/").json()["count"] == count + 1


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [("post", "../", BODY), ("patch", "", {"status": "closed"}), ("post", "comments/", {"text": "Выехал техник"})],
)
def test_write_without_a_key_is_503(postgres, api, one, method, path, body):
    url = requests.compat.urljoin(one, path)
    assert_unavailable(freed(postgres, lambda: getattr(api, method)(url, json=body, timeout=30)))


def test_write_in_the_admin_is_503(postgres, service, one):
    browser = requests.Session()
    log_in = f"{service.url}/api/admin/login/"
    browser.get(log_in)
    account = {"username": "torture", "password": service.env["DJANGO_SUPERUSER_PASSWORD"]}
    form = account | {"csrfmiddlewaretoken": browser.cookies["csrftoken"], "next": "/api/admin/"}
    assert browser.post(log_in, data=form, allow_redirects=False).status_code == 302
    url = f"{service.url}/api/admin/incidents/incident/{one.split('/')[-2]}/comment/"
    form = {"text": "Выехал техник", "csrfmiddlewaretoken": browser.cookies["csrftoken"]}
    assert_unavailable(freed(postgres, lambda: browser.post(url, data=form, timeout=30)))


def test_call_of_a_sender_is_not_acknowledged(postgres, service):
    secret = service.manage("add_sender", "zabbix", "--format", "generic", "--description", "text")
    url = f"{service.url}/api/v1/intake/zabbix/{secret}/"
    assert_unavailable(freed(postgres, lambda: requests.post(url, json={"text": "насос"}, timeout=30)))


def test_update_of_telegram_is_not_acknowledged(postgres, service):
    chat, author = {"id": 5, "type": "group", "title": "x"}, {"id": 8, "is_bot": False, "first_name": "A"}
    message = {"message_id": 1, "date": 1_790_000_000, "chat": chat, "from": author, "text": "насос"}
    headers = {"X-Telegram-Bot-Api-Secret-Token": "secret"}

    def update():
        url, body = f"{service.url}/api/v1/intake/telegram/", {"update_id": 1, "message": message}
        return requests.post(url, json=body, headers=headers, timeout=30)

    assert_unavailable(freed(postgres, update))
    assert_unavailable(freed(postgres, update))
    assert update().status_code == 200


def test_without_an_administrator_the_wait_is_given_up_and_leaves_no_session(postgres, service, api):
    with standby_away(postgres) as admin:
        assert_unavailable(api.post(f"{service.url}/api/v1/incidents/", json=BODY, timeout=30))
        wait_until(lambda: admin.execute(f"SELECT count(*) {WAITING}").fetchone() == (0,))


def test_ready_knows_that_no_write_is_committed(postgres, service):
    ready = f"{service.url}/api/health/ready/"
    with standby_away(postgres) as admin:
        for _ in range(3):
            response = requests.get(ready, timeout=3)
            assert (response.status_code, response.json()["checks"]["database"]) == (503, "unavailable")
        wait_until(lambda: admin.execute(f"SELECT count(*) {WAITING}").fetchone() == (0,))
    wait_until(lambda: requests.get(ready, timeout=3).status_code == 200)
