"""What a template did not expand is no id: the rule knows the punctuation, and must not hit the ids of real systems."""

import pytest

from intake.parsers.values import fingerprint
from tests.helpers.intake import alert, make_caller, statuses

PLACEHOLDERS = [
    # Zabbix
    *("{EVENT.ID}", "zabbix-{EVENT.ID}", "{EVENT.TAGS.host}", '{EVENT.TAGS."Service name"}', "{ITEM.VALUE1}"),
    *("{$DEDUP}", "{$DEDUP:ctx}", "{#ID}", "{?last(/h/k)}", "{{ITEM.VALUE}.regsub(x, y)}", "*UNKNOWN*"),
    # Nagios, Icinga, healthchecks.io, PRTG, UptimeRobot
    *("$SERVICEPROBLEMID$", "$service.problem_id$", "$HOSTNAME$/$SERVICEDESC$", "$CODE", "$NAME_JSON", "%sensorid"),
    *("*monitorID*", "*monitor ID*", "web1: $SERVICEDESC$"),
    # Logstash, ElastAlert, Go, Grafana, Prometheus
    *("%{[alert][id]}", "%{id}", "logstash-%{host}", "<MISSING VALUE>", "rule-<MISSING VALUE>", "<no value>"),
    *("[no value]", "<nil>", "{{.Labels.x}}", "{{ $labels.instance }}", "{.Labels.x}", "%!s(MISSING)", "%!d(string=x)"),
    '<error expanding template: error executing template __alert_A: nil data; no entry for key "x">',
    # Jinja, ERB, Ruby, shells, JavaScript, Java, Python, Windows, Ant, Salesforce
    *("{{ alert.id }}", "{{alert-id}}", "{{{id}}}", "{% id %}", "<%= id %>", "#{id}", "${event.id}", "a-${event.id}-b"),
    *("$(id)", "$id", "$event.id", "alert-$id", "key=$id", "@{id}", "!{id}", "{!Id}", "%(id)s", "%s", "%1$s", "{0}"),
    *(
        "{event_id}",
        "{id}",
        "{ id }",
        "{event-id}",
        "{event[id]}",
        "{id|default}",
        "{host}/{id}",
        "alert-{0}",
        "{0}_{1}",
    ),
    *("%id%", "%ALERT_ID%", "a-%id%-b", "%event.id%", "[[id]]", "[[ event.id ]]", "@id@", "@@ID@@", "x/@id@"),
    *("#id#", "##ID##", "~id~", "|id|", "^id^", "!id!", "`id`", "<id>", "<event id>", "<host>", "<ID>-7"),
    # No value
    *("null", "None", "nil", "undefined", "[object Object]", "NaN", "(null)", "(none)", "<none>", '"null"', "Infinity"),
    *("https://x/alert-{id}", "/alerts?id={id}", "GET /a/{x} of {host}", r"%HOST%\%SERVICE%", r"CORP\%USER%"),
    # WhatsUp Gold; Home Assistant's states that are none
    *("%Device.DisplayName", "%ActiveMonitor.State", "unknown", "Unavailable", "<unknown>", "N/A", "n/a"),
    *("-", "--", "?", "{}", "[]", "()", "...", "***", "%", "$", "#"),
]
IDS = [
    *(
        "7",
        "0",
        "INC-7",
        "web-1",
        "web1.example.org",
        "web1:9100",
        "[::1]:9100",
        "10.0.0.1:80",
        "Печь погасла",
        "№ 7",
        "🔥",
    ),
    *(
        "{6F9619FF-8B86-D011-B42D-00CF4FC964FF}",
        "{6f9619ff8b86d011b42d00cf4fc964ff}",
        "a{F9168C5E-CEB2-4FAA-B6BF-329BF39FA1E4}",
    ),
    *("f9168c5e-ceb2-4faa-b6bf-329bf39fa1e4", "urn:uuid:f9168c5e-ceb2-4faa-b6bf-329bf39fa1e4", "sha256:" + "ab" * 32),
    *('up{job="node"}', 'a{b="c"}', '{b="c", d="e"}', "{b='c'}", 'rate(x{a="b"}[5m]) > 0', "up{}", "{a=b}"),
    *(
        '{"a": [2], "b": 1}',
        '["a", "b"]',
        "[[1, 2]]",
        '[["a", "b"]]',
        '{"a": {"b": "c"}}',
        "{id: 7}",
        "{a, b}",
        "{12345}",
    ),
    *(
        "http://x/a%20b%20c",
        "http://x/%D0%BF%D0%BE",
        "%E2%9C%85",
        "/a%2Fb%2F",
        "?q=a%40b&c=%24",
        "https://x/?a=1#b",
        "100%",
    ),
    *("/books/{id}{._format}", "/files/{name}.{ext}", "GET /a/{x}...{y}", "/{id:int}"),
    *(r"C:\%TEMP%\x", r"%SystemRoot%\System32\x.exe", "cn={1}mdb,cn=config", "olcDatabase={1}mdb,cn=config"),
    *("/users/{id}", "GET /users/{id}/items/{item_id}", "/users/<int:pk>", "/users/:id", "/a/*/b", "*.example.org"),
    *(
        "$100",
        "US$100",
        "100$",
        "PC01$",
        "C$",
        r"\\host\C$",
        r"C:\$Recycle.Bin",
        "MSSQL$SQLEXPRESS",
        "com.foo.Bar$Baz$1",
    ),
    *(
        "ops@example.org",
        "a@b@c",
        "@channel",
        "<20240115.7@mail.example.org>",
        "user@[10.0.0.1]",
        "#7",
        "#general",
        "C#",
    ),
    *(
        "Undefined variable $user in x.php",
        "app:<module>",
        "com.foo.Bar.<init>",
        "a.<locals>.b",
        "List<String>",
        "IRepository<T>",
    ),
    *(
        "<b>Disk</b> full",
        "<0.123.0>",
        "x{2}",
        "[0-9]{2}",
        "web{1..3}",
        "CPU 90% of 95%",
        "50%-60%",
        "[prod] disk full",
    ),
    *("a*b*c", "*.log*"),
    *(
        "__main__",
        "/dev/sda1",
        "disk:/var",
        '"7"',
        "'web-1'",
        "(7)",
        "nilgiri",
        "nonempty",
        "null-island",
        "undefined_x",
    ),
    *(
        "2024-01-15T10:30:00+03:00",
        "a|b|c",
        "a~b~c",
        "a^b",
        "!important",
        "=SUM(A1)",
        "1+1=2",
        "~/x",
        "50 %",
        "a #b# c",
    ),
]


@pytest.mark.parametrize("value", PLACEHOLDERS)
def test_a_placeholder_is_no_id(value):
    assert fingerprint(value) is None
    assert fingerprint(f" {value}\n") is None


@pytest.mark.parametrize("value", IDS)
def test_an_id_is_kept(value):
    assert fingerprint(value) == value


@pytest.mark.parametrize(
    "text", ["{", "{a", "$a", "%a", "<a ", "[[a", "@a", "{a[", "<A", "%(a", "{A.", "#a#", "{ .", "a "]
)
@pytest.mark.parametrize("start", ["", "{a", "{", "{a[b]", "[[", "<", "$"])
def test_the_rule_is_linear(start, text):
    fingerprint(start + text * (500_000 // len(text)))


@pytest.mark.django_db
@pytest.mark.both_databases
@pytest.mark.parametrize("value", ["%{[alert][id]}", "<MISSING VALUE>", "$SERVICEPROBLEMID$", "{event_id}"])
def test_two_problems_with_a_placeholder_are_two_incidents_which_its_end_does_not_end(value):
    sender = make_caller("probe", "generic", description_path="text", dedup_path="id", resolved="state=ok")
    deliveries = [sender.deliver({"id": value, "text": f"Проблема {number}"}) for number in range(2)]
    end = sender.deliver({"id": value, "state": "ok"})
    assert statuses() == ["open", "open"]
    assert [(delivery.warnings, delivery.notes) for delivery in deliveries] == [(1, "no_id")] * 2
    assert (end.state, end.notes) == ("faulty", "#1: resolved_without_id")


@pytest.mark.django_db
@pytest.mark.both_databases
@pytest.mark.parametrize("value", ["{{ .Fingerprint }}", "<no value>"])
def test_a_placeholder_in_place_of_a_fingerprint_leaves_the_labels(value):
    alertmanager = make_caller("alertmanager", "alertmanager")
    alertmanager.alerts(alert(value, labels={"a": "1"}), alert(value, labels={"a": "2"}))
    alertmanager.alerts(alert(value, labels={"a": "1"}))
    assert statuses() == ["open", "open"]
