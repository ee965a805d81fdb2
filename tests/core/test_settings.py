import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

SETTINGS = Path("config/settings.py").read_text()
TEMPLATE = Path(".env.template").read_text()
GOOD = {"SECRET_KEY": "x" * 60, "ALLOWED_HOSTS": "example.org", "DEBUG": "False", "LOG_FILE": "-"}


def check(**environment):
    command = [sys.executable, "manage.py", "check"]
    return subprocess.run(command, env={"PATH": os.environ["PATH"], **environment}, capture_output=True, text=True)


def test_the_template_lists_every_variable():
    read = set(re.findall(r'env\.\w+\(\s*"([A-Z_]+)"', SETTINGS))
    assert len(read) > 15
    read.remove("STATIC_ROOT")  # the image sets it for itself
    assert read <= set(re.findall(r"^([A-Z_]+)=", TEMPLATE, re.M))


def test_each_variable_of_the_template_has_a_comment():
    for block in TEMPLATE.strip().split("\n\n"):
        assert block.startswith("# "), block


@pytest.mark.parametrize(
    ("environment", "sentence"),
    [
        ({"SECRET_KEY": ""}, "Set SECRET_KEY"),
        ({"SECRET_KEY": "change-me"}, "Set SECRET_KEY"),
        ({"ALLOWED_HOSTS": ""}, "Set ALLOWED_HOSTS"),
        ({"CORS_ALLOWED_ORIGINS": "https://a.example,*"}, "CORS_ALLOWED_ORIGINS must name"),
    ],
)
def test_production_refuses_to_start(environment, sentence):
    run = check(**GOOD | environment)
    assert run.returncode != 0
    assert sentence in run.stderr.splitlines()[-1]


def test_production_starts_on_what_is_good():
    assert check(**GOOD).returncode == 0


@pytest.mark.parametrize(
    ("query", "threshold"), [("", 5), ("?disable_server_side_cursors=True", None), ("?sslmode=require", 5)]
)
def test_the_address_of_a_database_may_set_its_options(query, threshold):
    code = "import json; from django.conf import settings; print(json.dumps(settings.DATABASES['default']['OPTIONS']))"
    environment = GOOD | {"PATH": os.environ["PATH"], "DJANGO_SETTINGS_MODULE": "config.settings"}
    shown = subprocess.run(
        [sys.executable, "-c", code],
        env=environment | {"DATABASE_URL": f"postgres://a@b/c{query}"},
        capture_output=True,
        text=True,
    )
    options = json.loads(shown.stdout)
    assert options["prepare_threshold"] == threshold
    assert options.get("sslmode") == ("require" if "sslmode" in query else None)
