"""Links made at the same time, on real connections: PostgreSQL alone, since SQLite lets one writer in at a time."""

import pytest

from incidents.actors import Named
from incidents.exceptions import NotADuplicate
from incidents.models import Incident
from incidents.services import change_incident
from tests.helpers.concurrency import at_once
from tests.helpers.duplicates import link
from tests.helpers.incidents import make_incident

pytestmark = pytest.mark.django_db(transaction=True)


def linking(incident, main):
    """A call that says what came of it."""

    def call():
        try:
            link(incident, main)
        except NotADuplicate:
            return "refused"
        return "linked"

    return call


def test_two_of_each_other():
    for _ in range(5):
        one, other = make_incident(), make_incident()
        assert sorted(at_once(linking(one, other), linking(other, one))) == ["linked", "refused"]
        assert Incident.objects.filter(pk__in=[one.pk, other.pk], duplicate_of__isnull=False).count() == 1


def test_eight_of_one():
    main, *others = (make_incident() for _ in range(9))
    assert at_once(*(linking(each, main) for each in others)) == ["linked"] * 8
    told = [entry.changes["duplicate"][1] for entry in main.changes.filter(changes__has_key="duplicate")]
    assert sorted(map(int, told)) == [each.pk for each in others]


def test_two_at_once_make_no_chain():
    for _ in range(5):
        one, two, three = (make_incident() for _ in range(3))
        assert "linked" in at_once(linking(one, two), linking(two, three))
        assert not Incident.objects.filter(duplicate_of__duplicate_of__isnull=False).exists()


def test_a_main_incident_that_changes_at_the_same_time():
    def change(main):
        return lambda: change_incident(main, values={"source": "partner"}, actor=Named("a"), channel="api")

    for _ in range(5):
        main, other = make_incident(), make_incident()
        at_once(linking(other, main), change(main))
        main.refresh_from_db()
        assert (main.source, main.changes.count(), main.duplicates.count()) == ("partner", 3, 1)
