"""Icinga 2 (Debian) runs checks whose results the tests choose."""

import pytest

pytestmark = pytest.mark.e2e

SETTINGS = """
include <itl>
object CheckerComponent "checker" {{ }}
object NotificationComponent "notification" {{ }}
object CheckCommand "probe" {{ command = [ "/bin/sh", "{home}/$probe$" ] }}
template CheckCommand "unused" {{ }}
object Host "db1" {{
  check_command = "probe"
  vars.probe = "host"
  check_interval = 1s
  retry_interval = 1s
  max_check_attempts = 1
}}
object Service "disk" {{
  host_name = "db1"
  check_command = "probe"
  vars.probe = "service"
  check_interval = 1s
  retry_interval = 1s
  max_check_attempts = 1
}}
"""
TEXT = """Диск "sda" полон: C:\\temp, 100% & 'всё' $HOME a=@b"""


def result(home, name, status, text=TEXT):
    """The check says this from now on."""
    new = home / f"{name}.new"
    new.write_text(f"cat <<'END'\n{text}\nEND\nexit {status}\n")
    new.rename(home / name)


def test_service_and_host(recipe, home):
    icinga = recipe("Icinga 2")
    config = home / "icinga2.conf"
    notifications = icinga.block("icinga2").replace("/etc/incidents.header", str(icinga.header(home)))
    assert notifications.count("types = ") == 2
    config.write_text(SETTINGS.format(home=home) + notifications.replace("types = ", "interval = 1s\n  types = "))
    result(home, "host", 0)
    result(home, "service", 1)
    places = [f"-D{name}={home / name}" for name in ("DataDir", "LogDir", "CacheDir", "SpoolDir", "InitRunDir")]
    for place in places:
        (home / place.rpartition("/")[2]).mkdir()
    user = {"ICINGA2_USER": home.owner(), "ICINGA2_GROUP": home.group()}
    with icinga.running(home, "icinga2", "daemon", "-c", config, *places, **user):
        assert icinga.wait_for("open") == [f"db1: disk: WARNING: {TEXT}"]
        icinga.wait_for_calls(3)
        result(home, "service", 2)
        icinga.wait(lambda: b"CRITICAL" in icinga.calls()[-1])
        result(home, "service", 0)
        icinga.wait_for("resolved")
        result(home, "host", 2)
        assert icinga.wait_for("resolved", "open")[1] == f"db1: DOWN: {TEXT}"
        result(home, "host", 0)
        icinga.wait_for("resolved", "resolved")
