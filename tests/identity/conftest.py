import pytest

from identity.models import User
from tests.helpers.identity import PASSWORD


@pytest.fixture
def fast_hashes(settings):
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.fixture
def petrova(db):
    return User.objects.create_user("petrova", password=PASSWORD, is_staff=True)
