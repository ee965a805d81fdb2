import pytest
from django.contrib.auth.models import Group
from django.test import Client

from identity.models import User


@pytest.fixture
def site(db: None) -> Client:
    """A browser of an operator who is logged in to the admin and reads Russian."""
    user = User.objects.create_user("petrova", is_staff=True)
    user.groups.add(Group.objects.get(name="operators"))
    client = Client(headers={"accept-language": "ru"})
    client.force_login(user)
    return client
