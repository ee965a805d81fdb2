import pytest

from identity.models import User
from tests.helpers.identity import PASSWORD


@pytest.fixture
def petrova(db):
    return User.objects.create_user("petrova", password=PASSWORD, is_staff=True)
