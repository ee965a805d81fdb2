"""Netdata (Debian) watches a gauge of its StatsD server."""

import socket

import pytest

from tests.helpers.servers import free_port

pytestmark = pytest.mark.e2e

SETTINGS = """
[directories]
    config = {home}/config
    cache = {home}/cache
    lib = {home}/lib
    log = {home}/log.d
    registry = {home}/lib
[logs]
    debug = none
    error = stderr
    access = none
[db]
    mode = ram
[ml]
    enabled = no
[registry]
    registry hostname = db1
[web]
    mode = none
[global]
    hostname = db1
[health]
    enable stock health configuration = no
    run at least every seconds = 1
[plugins]
    enable running new plugins = no
    proc = no
    diskspace = no
    cgroups = no
    tc = no
    idlejitter = no
    timex = no
    checks = no
    statsd = yes
    slabinfo = no
[statsd]
    default port = {port}
    bind to = udp:127.0.0.1
    update every (flushInterval) = 1
"""
ALARM = """
 alarm: queue_is_full
    on: statsd_queue.gauge
  calc: $gauge
 every: 1s
  warn: $this > 10
  crit: $this > 50
 units: jobs
  info: Очередь "почта" полна: C:\\\\temp 100% $HOME
    to: sysadmin
"""


def test_gauge(recipe, home):
    netdata = recipe("Netdata")
    port = free_port()
    for name in ("config/health.d", "cache", "lib", "log.d"):
        (home / name).mkdir(parents=True)
    (home / "config/netdata.conf").write_text(SETTINGS.format(home=home, port=port))
    (home / "config/health.d/queue.conf").write_text(ALARM)
    notify = netdata.block("bash").replace("/etc/incidents.header", str(netdata.header(home)))
    (home / "config/health_alarm_notify.conf").write_text(notify)

    def queue(length, *statuses):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:

            def arrived():
                client.sendto(f"queue:{length}|g".encode(), ("127.0.0.1", port))
                return [status for status, _ in netdata.incidents()] == list(statuses)

            netdata.wait(arrived)
            return netdata.incidents()

    with netdata.running(home, "netdata", "-D", "-c", home / "config/netdata.conf", DO_NOT_TRACK="1"):
        ((_, description),) = queue(20, "open")
        text = "Очередь  почта  полна: C:\\\\temp 100% $HOME"
        assert description == f"db1 needs attention: queue is full = 20 jobs: {text}"
        netdata.wait_for_calls(1)
        queue(60, "open")
        netdata.wait_for_calls(2)
        queue(1, "resolved")
        queue(60, "resolved", "open")
