import pytest
from django.contrib.auth.models import Group, Permission
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


@pytest.fixture
def viewer(db: None) -> Client:
    """A browser of a member of the staff who may look at incidents and no more."""
    user = User.objects.create_user("viewer", is_staff=True)
    user.user_permissions.add(Permission.objects.get(codename="view_incident"))
    client = Client(headers={"accept-language": "ru"})
    client.force_login(user)
    return client
