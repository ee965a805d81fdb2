"""The numbers that a text names, and the incidents that name one of them."""

import pytest

from incidents.models import Incident
from incidents.numbers import name_one_of, numbers_in
from tests.helpers.incidents import make_incident


@pytest.mark.both_databases
@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("Самокат 875643 не в сети", ["875643"]),
        ("№875643, рядом 12345; снова 875643", ["875643", "12345"]),
        ("с875643х", ["875643"]),
        ("дом 1234, квартира 56", []),
        ("875 643", []),
        ("٨٧٥٦٤٣ 875643", ["875643"]),  # search would not find other digits
        ("1" * 51, []),
        ("https://example.org/?ll=37.622504 12345", ["12345"]),
        (" ".join(map(str, range(10_000, 10_010))), ["10000", "10001", "10002", "10003", "10004"]),
        ("", []),
    ],
)
def test_numbers_of_a_text(text, numbers):
    assert numbers_in(text) == numbers


@pytest.mark.django_db
@pytest.mark.both_databases
def test_incidents_that_name_one_of_the_numbers_whole():
    named = [
        make_incident(description=text).pk
        for text in ("875643", "Самокат 875643 не в сети", "ещё:12345.", "12345\n875643", "а875643б")
    ]
    for text in ("1875643", "8756430", "875 643", "№123456", "Самокат"):
        make_incident(description=text)
    found = Incident.objects.filter(name_one_of(["875643", "12345"]))
    assert sorted(found.values_list("pk", flat=True)) == named
