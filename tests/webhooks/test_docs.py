"""The example in the documentation, as it is written there."""

import re
from pathlib import Path

import pytest

from tests.helpers.incidents import make_incident
from tests.helpers.receiver import run

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]


@pytest.mark.parametrize("page", ["docs/webhooks.md", "docs/webhooks.ru.md"])
def test_example_checks_the_signature(hook, receiver, page):
    (example,) = re.findall(r"```python\n(.*?)```", Path(page).read_text("utf-8"), re.S)
    incident = make_incident()
    run()
    ((_, headers, body),) = receiver.requests
    names = {"body": body, "headers": headers}
    exec(example.replace("whsec_…", hook.secret), names)
    assert names["event"]["data"]["incident"]["id"] == incident.pk
