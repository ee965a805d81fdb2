"""What went wrong elsewhere with alerts and webhooks; the numbers are those of the reports that were collected."""

import hmac
import json
from hashlib import sha256

import pytest
from django.test import Client

from incidents.models import Incident
from intake import inbox
from intake.models import Delivery
from tests.helpers.intake import alert, make_caller, resolved, statuses

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]

ZABBIX = {"description_path": "message", "dedup_path": "id", "resolved": "value=0"}


@pytest.fixture
def kuma(db):
    return make_caller("kuma", "uptime_kuma")


@pytest.fixture
def zabbix(db):
    return make_caller("zabbix", "generic", **ZABBIX)


def process_all():
    while inbox.process_pending():
        pass


@pytest.mark.slow
def test_intake_is_never_throttled(alertmanager):
    assert {alertmanager.post({"alerts": []}).status_code for _ in range(100)} == {200}


@pytest.mark.parametrize(
    "bad",
    [{"labels": "x"}, "text", None, 7, [], {}, {"status": "melting", "fingerprint": "B"}, {"status": "resolved"}],
)
def test_one_bad_alert_does_not_affect_the_others(alertmanager, bad):
    delivery = alertmanager.alerts(alert("A"), bad, alert("C"))
    assert statuses() == ["open", "open"]
    assert (delivery.state, delivery.faults, delivery.notes[:2]) == ("faulty", 1, "#2")


def test_a_call_in_which_all_is_bad_is_kept_and_seen(alertmanager):
    assert alertmanager.deliver({"alarms": []}).state == "faulty"


@pytest.mark.parametrize("values", [None, "text", 7, [], {"A": None, "B": "NaN"}])
def test_nulls_and_other_types(alertmanager, values):
    alertmanager.alerts(alert(values=values, valueString="", annotations=None, generatorURL=None))
    assert statuses() == ["open"]


@pytest.mark.slow
def test_twelve_megabytes_of_3000_alerts(alertmanager):
    alerts = [alert(str(number), annotations={"summary": "x" * 3_700}) for number in range(3_000)]
    body = json.dumps({"alerts": alerts}).encode()
    assert len(body) > 11_500_000
    assert alertmanager.post(body).status_code == 200
    process_all()
    delivery = Delivery.objects.get()
    assert (len(statuses()), delivery.state) == (3_000, "processed")
    assert (delivery.warnings, delivery.notes) == (0, "")


@pytest.mark.parametrize("name", ["DatasourceNoData", "DatasourceError"])
def test_a_rule_without_data_is_an_incident_of_its_own(alertmanager, name):
    alertmanager.alerts(alert("rule"))
    labels = {"alertname": name, "rulename": "Давление", "datasource_uid": "P1"}
    alertmanager.alerts(alert("other", labels=labels))
    assert statuses() == ["open", "open"]
    assert "Давление" in Incident.objects.last().description


@pytest.mark.parametrize("url", ["javascript:alert(1)", "data:text/html,x", "http://x/" + "a" * 3_000, 7, None])
def test_only_http_links_are_kept(alertmanager, url):
    alertmanager.alerts(alert(imageURL=url, generatorURL="http://localhost:3000/x"))
    description = Incident.objects.get().description
    assert "http://localhost:3000/x" in description
    assert str(url) not in description or url is None


def test_a_body_that_a_template_broke_is_repaired(zabbix):
    delivery = zabbix.deliver(b'{"id": "7", "message": "C:\\disk\nis full", "tags": {EVENT.TAGSJSON}}')
    assert (statuses(), delivery.notes) == (["open"], "repaired")


def test_a_body_that_cannot_be_repaired_is_400_kept_and_told(zabbix, caplog):
    assert zabbix.post(b'{"message": "a "quote" inside"}').status_code == 400
    assert Delivery.objects.get().state == "faulty"
    assert [record.levelname for record in caplog.records if record.name == "intake.inbox"] == ["ERROR"]


@pytest.mark.parametrize(
    "identity",
    [
        *(None, "", " ", "{EVENT.ID}", "*UNKNOWN*", "null", "None", "<nil>", "<no value>", "undefined"),
        *({}, [], float("nan"), float("inf"), "NaN", "[object Object]"),
    ],
)
def test_a_missing_id_never_merges(zabbix, identity):
    deliveries = [zabbix.deliver({"id": identity, "message": f"Проблема {number}"}) for number in range(2)]
    assert statuses() == ["open", "open"]
    assert [delivery.notes for delivery in deliveries] == ["no_id", "no_id"]


def test_no_path_of_an_id_never_merges(db):
    generic = make_caller("generic", "generic")
    for _ in range(2):
        generic.deliver({"text": "Печь погасла"})
    assert statuses() == ["open", "open"]


def beat(status, monitor=7, time="2023-09-16 10:41:24.905"):
    heartbeat = {"monitorID": monitor, "status": status, "time": time, "timezoneOffset": "+03:00", "msg": "timeout"}
    return {"heartbeat": heartbeat, "monitor": {"id": monitor, "name": "Склад"}, "msg": "[Склад] timeout"}


def test_up_without_down_makes_nothing(kuma):
    delivery = kuma.deliver(beat(1))
    assert (statuses(), delivery.state) == ([], "skipped")


def test_down_and_up_are_joined_by_the_monitor(kuma):
    kuma.deliver(beat(0))
    kuma.deliver(beat(0, monitor=8))
    kuma.deliver(beat(1, time="2023-09-16 10:43:24.905"))
    assert statuses() == ["resolved", "open"]


def test_a_test_message_is_neither_an_incident_nor_a_fault(kuma):
    delivery = kuma.deliver({"heartbeat": None, "monitor": None, "msg": "Uptime-Kuma Testing"})
    assert (statuses(), delivery.state) == ([], "skipped")


@pytest.mark.parametrize("header", ["Sentry-Hook-Signature", "Sentry-App-Signature"])
def test_sentry_signs_and_resolves(db, header):
    sentry = make_caller("sentry", "sentry")
    for action in ("created", "resolved"):
        body = json.dumps({"action": action, "data": {"issue": {"id": "7", "title": "KeyError"}}}).encode()
        headers = {header: hmac.new(sentry.secret.encode(), body, sha256).hexdigest()}
        assert Client().post(sentry.path, body, "application/json", headers=headers).status_code == 200
    assert statuses() == ["resolved"]


def test_a_huge_label_is_cut_in_the_incident_and_whole_in_the_delivery(alertmanager):
    alertmanager.alerts(alert(labels={"alertname": "A", "stack": "я" * 1_000_000}))
    process_all()
    assert len(Incident.objects.get().description) == 20_000
    assert json.loads(bytes(Delivery.objects.get().body))["alerts"][0]["labels"]["stack"] == "я" * 1_000_000


def test_a_number_and_its_text_are_the_same_id(zabbix):
    for identity in (7, "7", 7.0, " 7 "):
        zabbix.deliver({"id": identity, "message": "Проблема", "value": "NaN"})
    zabbix.deliver({"id": "7", "value": 0})
    assert statuses() == ["resolved"]


def test_what_databases_cannot_store_is_replaced(alertmanager):
    for char in ("\0", "\ud800"):
        alertmanager.alerts(alert(char, annotations={"summary": char}))
    assert statuses() == ["open", "open"]


def test_fields_to_come_are_ignored(alertmanager):
    alertmanager.alerts(alert(novel={"a": [1]}), notification_reason="repeat", routeLabels={"a": "b"})
    assert statuses() == ["open"]


def test_a_group_with_both_states(alertmanager):
    alertmanager.alerts(alert("A"), alert("B"))
    alertmanager.alerts(resolved("A"), alert("B"), alert("C"), status="firing")
    assert statuses() == ["resolved", "open", "open"]
