import pytest
from django.utils import translation

from intake.parsers import Format, parse
from intake.parsers.paths import Paths
from intake.parsers.preview import preview

PATHS = Paths("text", "id", "state=ok")


@pytest.mark.parametrize(
    ("payload", "english", "russian"),
    [
        ({"id": 7, "text": "Диск"}, ["Incident “7”: Диск"], ["Инцидент «7»: Диск"]),
        ({"id": 7, "state": "ok"}, ["Resolves “7”"], ["Решает «7»"]),
        (
            {"state": "ok"},
            ["Fault: resolved, but the call does not identify the problem"],
            ["Ошибка: проблема решена, но не сказано какая"],
        ),
        ({"heartbeat": None, "monitor": None}, ["Nothing: a test message"], ["Ничего: проверочное сообщение"]),
        (
            {"text": "Диск"},
            [
                "Warning: nothing identifies the problem: each such call becomes a separate incident",
                "Separate incident: Диск",
            ],
            [
                "Предупреждение: проблему не по чему узнать: каждый такой вызов станет отдельным инцидентом",
                "Отдельный инцидент: Диск",
            ],
        ),
    ],
)
def test_sentences(payload, english, russian):
    assert preview(parse(Format.GENERIC, payload, PATHS)) == english
    with translation.override("ru"):
        assert preview(parse(Format.GENERIC, payload, PATHS)) == russian


def test_truncated_alerts_are_counted():
    assert preview(parse(Format.ALERTMANAGER, {"alerts": [], "truncatedAlerts": 250})) == [
        "Nothing: the list of alerts is empty",
        "Warning: alerts left out by the sender: 250",
    ]
