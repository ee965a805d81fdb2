import pytest

from tests.helpers.intake import make_caller


@pytest.fixture
def alertmanager(db):
    return make_caller("alertmanager", "alertmanager")
