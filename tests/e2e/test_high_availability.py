"""
Faults of a cluster in containers (docker-compose.ha.yml) under load: what was acknowledged is stored, once and whole.

`make torture HA=1 MINUTES=60` draws rounds at random for longer than CI does.
"""

import json
import os
import random
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from itertools import count, pairwise
from typing import Any
from uuid import uuid4

import pytest
import requests

from tests.e2e.test_telegram_kills import CHATS, Telegram, key, words
from tests.e2e.test_torture import FIELDS, Client
from tests.helpers.bot_api import TOKEN
from tests.helpers.incidents import seeded
from tests.helpers.production import Production, run, until
from tests.helpers.receiver import Receiver, serve

pytestmark = pytest.mark.e2e

MINUTES = float(os.environ.get("MINUTES", "0"))
RECOVERY_SECONDS = 180
NODES = ("postgres1", "postgres2", "postgres3")
MANAGE = ("exec", "-T", "web", "python", "manage.py")

# Disks that can be full, and a container that reaches all processes and disks. It keeps the disks mounted.
TORTURE = """
services:
  hand:
    image: postgres:17
    entrypoint: [sleep, infinity]
    user: root
    privileged: true
    pid: host
    volumes: ["postgres1:/disks/postgres1", "postgres2:/disks/postgres2", "postgres3:/disks/postgres3"]
volumes:
  postgres1: &disk
    driver_opts: {type: tmpfs, device: tmpfs, o: "size=1g,uid=999,gid=999,mode=700"}
  postgres2: *disk
  postgres3: *disk
"""


class Cluster(Production):
    files = (Production.file, "docker-compose.ha.yml", "torture.yml")

    def compose(self, *arguments: str, check: bool = True, **environment: str) -> subprocess.CompletedProcess[str]:
        files = [argument for file in self.files for argument in ("-f", file)]
        return self.run("docker", "compose", *files, *arguments, check=check, **environment)

    def set(self, **variables: str) -> None:
        super().set(REPLICATION_PASSWORD=self.password[::-1], **variables)
        (self.path / "torture.yml").write_text(TORTURE)

    def remove(self) -> None:
        self.compose("kill", check=False)  # They would end one after the other.
        super().remove()

    def container(self, service: str) -> str:
        return f"{self.name}-{service}-1"

    def patronictl(self, *arguments: str) -> str:
        """By whichever node is up."""
        for node in NODES:
            done = self.compose("exec", "-T", node, "timeout", "30", "patronictl", *arguments, check=False)
            if done.returncode == 0:
                return done.stdout
        return "[]"

    def members(self) -> list[dict[str, Any]]:
        output = self.patronictl("list", "--format", "json")
        members: list[dict[str, Any]] = json.loads(output[output.index("[") :])
        return members

    def leader(self) -> str:
        return next(member["Member"] for member in self.members() if member["Role"] == "Leader")

    def leader_besides(self, former: str) -> bool:
        return any(member["Role"] == "Leader" and member["Member"] != former for member in self.members())

    def is_whole(self) -> bool:
        with suppress(ValueError):
            roles = sorted((member["Role"], member["State"]) for member in self.members())
            return roles == [("Leader", "running")] + [("Quorum Standby", "streaming")] * 2
        return False

    def signal(self, name: str, service: str, command: str = "") -> None:
        """Sends a signal to the processes of a container whose command line has `command`."""
        lines = run("docker", "top", self.container(service), "-eo", "pid,args").stdout.splitlines()[1:]
        pids = [line.split()[0] for line in lines if command in line]
        self.compose("exec", "-T", "hand", "kill", f"-{name}", *pids, check=False)


class Writer(Client):
    """With idempotency keys; notes when each response came."""

    acknowledged: list[float]

    def send(self, method: str, url: str, **kwargs: Any) -> requests.Response:
        response = super().send(method, url, **kwargs)
        if response.ok:
            self.acknowledged.append(time.monotonic())
        time.sleep(0.05)
        return response


class WriterWithoutKeys(Writer):
    """Sends each report once, whatever becomes of it."""

    def run(self) -> None:
        while not self.stop.is_set():
            body = {"description": f"Самокат {uuid4().hex} не в сети", "source": "monitoring", "status": "open"}
            with suppress(requests.RequestException):
                response = self.session.post(self.url, json=body, timeout=20)
                if response.status_code == 201:
                    self.known[response.json()["id"]] = body
                    self.acknowledged.append(time.monotonic())
                elif response.status_code != 503:
                    self.wrong.append(f"POST got {response.status_code}: {response.text[:200]}")
            time.sleep(0.1)


class Sender(threading.Thread):
    """A system that reports, and does not send again: a call that got 200 becomes one incident."""

    def __init__(self, url: str, stop: threading.Event) -> None:
        super().__init__(daemon=True)
        self.url, self.stop = url, stop
        self.texts: list[str] = []

    def run(self) -> None:
        while not self.stop.wait(0.2):
            text = f"Насос {uuid4().hex}"
            with suppress(requests.RequestException):
                if requests.post(self.url, json={"text": text}, timeout=20).status_code == 200:
                    self.texts.append(text)


class People(threading.Thread):
    """Write in the chats of a Telegram, and press the buttons of its cards."""

    def __init__(self, telegram: Telegram, stop: threading.Event) -> None:
        super().__init__(daemon=True)
        self.telegram, self.stop = telegram, stop
        telegram.watch = self.note_send

    def note_send(self, point: str, method: str, params: dict[str, Any], result: Any) -> None:
        if (point, method) == ("done", "sendMessage"):
            self.telegram.sends[key(result)].append(time.monotonic())

    def run(self) -> None:
        for number in count(1):
            if self.stop.wait(0.5):
                return
            self.telegram.report(number)
            if number % 4 == 0 and self.telegram.unpressed():
                self.telegram.press_one()


class Readiness(threading.Thread):
    """Asks ready/ all the time."""

    def __init__(self, url: str, stop: threading.Event) -> None:
        super().__init__(daemon=True)
        self.url, self.stop, self.waits = f"{url}/api/health/ready/", stop, [0.0]

    def run(self) -> None:
        while not self.stop.wait(0.3):
            started = time.monotonic()
            with suppress(requests.RequestException):
                requests.get(self.url, timeout=30)
            self.waits.append(time.monotonic() - started)


def leader_killed(cluster: Cluster, wait: Callable[[], None]) -> None:
    leader = cluster.container(cluster.leader())
    run("docker", "kill", leader)
    wait()
    run("docker", "start", leader)


def standby_killed(cluster: Cluster, wait: Callable[[], None]) -> None:
    standby = cluster.container(next(node for node in NODES if node != cluster.leader()))
    run("docker", "kill", standby)
    wait()
    run("docker", "start", standby)


def both_standbys_killed(cluster: Cluster, wait: Callable[[], None]) -> None:
    leader = cluster.leader()
    standbys = [cluster.container(node) for node in NODES if node != leader]
    run("docker", "kill", *standbys)
    wait()
    run("docker", "start", *standbys)


def both_standbys_killed_strict(cluster: Cluster, wait: Callable[[], None]) -> None:
    cluster.patronictl("edit-config", "--force", "--set", "synchronous_mode_strict=true")
    leader = cluster.leader()
    standbys = [cluster.container(node) for node in NODES if node != leader]
    run("docker", "kill", *standbys)
    time.sleep(25)  # more than two rounds of Patroni, which would have let the leader go on alone
    assert requests.get(f"{cluster.url}/api/health/ready/", timeout=20).status_code == 503
    run("docker", "start", *standbys)
    wait()
    cluster.patronictl("edit-config", "--force", "--set", "synchronous_mode_strict=false")


def patroni_killed(cluster: Cluster, wait: Callable[[], None]) -> None:
    cluster.signal("KILL", cluster.leader(), "patroni")
    wait()


def patroni_frozen(cluster: Cluster, wait: Callable[[], None]) -> None:
    """PostgreSQL goes on, as a leader that does not know of the next one."""
    leader = cluster.leader()
    cluster.signal("STOP", leader, "patroni")
    until(lambda: cluster.leader_besides(leader), RECOVERY_SECONDS)
    wait()
    cluster.signal("CONT", leader, "patroni")


def postgresql_killed(cluster: Cluster, wait: Callable[[], None]) -> None:
    cluster.signal("KILL", cluster.leader(), "/bin/postgres -D")
    wait()


def postgresql_frozen(cluster: Cluster, wait: Callable[[], None]) -> None:
    leader = cluster.leader()
    cluster.signal("STOP", leader, "postgres")
    time.sleep(10)
    wait()
    cluster.signal("CONT", leader, "postgres")


def node_frozen(cluster: Cluster, wait: Callable[[], None]) -> None:
    leader = cluster.container(cluster.leader())
    run("docker", "pause", leader)
    wait()
    run("docker", "unpause", leader)


def leader_cut_off(cluster: Cluster, wait: Callable[[], None]) -> None:
    leader = cluster.leader()
    run("docker", "network", "disconnect", f"{cluster.name}_cluster", cluster.container(leader))
    wait()
    run("docker", "network", "connect", "--alias", leader, f"{cluster.name}_cluster", cluster.container(leader))


def etcd_killed(cluster: Cluster, wait: Callable[[], None]) -> None:
    run("docker", "kill", cluster.container("etcd2"))
    time.sleep(10)
    wait()
    run("docker", "start", cluster.container("etcd2"))


def all_etcd_killed(cluster: Cluster, wait: Callable[[], None]) -> None:
    containers = [cluster.container(f"etcd{number}") for number in (1, 2, 3)]
    run("docker", "kill", *containers)
    time.sleep(25)
    wait()
    run("docker", "start", *containers)


def haproxy_killed(cluster: Cluster, wait: Callable[[], None]) -> None:
    cluster.signal("KILL", "db", "haproxy")
    wait()


def switchover(cluster: Cluster, wait: Callable[[], None]) -> None:
    cluster.patronictl("switchover", "--force", "--leader", cluster.leader())
    wait()


def disk_full(cluster: Cluster, wait: Callable[[], None]) -> None:
    """PostgreSQL refuses writes and runs on, so Patroni sees nothing: a person hands over, as documented."""
    leader = cluster.leader()
    fill = f"dd if=/dev/zero of=/disks/{leader}/filler bs=1M"
    cluster.compose("exec", "-T", "hand", "sh", "-c", fill, check=False)
    time.sleep(5)
    cluster.patronictl("switchover", "--force", "--leader", leader)
    wait()
    cluster.compose("exec", "-T", "hand", "rm", f"/disks/{leader}/filler")


SHORT = [patroni_frozen, both_standbys_killed, leader_cut_off, switchover]  # leader_killed: behind PgBouncer
FAULTS = [
    *SHORT,
    leader_killed,
    standby_killed,
    both_standbys_killed_strict,
    patroni_killed,
    postgresql_killed,
    postgresql_frozen,
    node_frozen,
    etcd_killed,
    all_etcd_killed,
    haproxy_killed,
    disk_full,
]


@pytest.fixture(scope="module")
def telegram(host):
    with Telegram(seeded(), host) as telegram:
        yield telegram


@pytest.fixture(scope="module")
def cluster(tmp_path_factory, telegram):
    cluster = Cluster(tmp_path_factory.mktemp("cluster"))
    chats = ",".join(str(1000 + number) for number in range(CHATS))
    bot = {"TELEGRAM_API_URL": telegram.url, "TELEGRAM_BOT_TOKEN": TOKEN, "TELEGRAM_INTAKE_CHATS": chats}
    cluster.set(**bot, WEBHOOK_ALLOW_PRIVATE="True")
    try:
        cluster.up()
        cluster.make_user()
        cluster.patronictl("edit-config", "--force", "-p", "max_wal_size=256MB", "-p", "max_slot_wal_keep_size=256MB")
        until(cluster.is_whole, RECOVERY_SECONDS)
        yield cluster
    finally:
        print(cluster.compose("logs", "--tail", "100", "db", *NODES, check=False).stdout)
        cluster.remove()


def test_only_haproxy_is_between_the_service_and_the_cluster(cluster):
    for container in cluster.containers("db", *NODES, "etcd1", "etcd2", "etcd3"):
        service = container["Config"]["Labels"]["com.docker.compose.service"]
        host = container["HostConfig"]
        assert host["ReadonlyRootfs"] and host["CapDrop"] == ["ALL"] and not host["CapAdd"], service
        assert host["SecurityOpt"] == ["no-new-privileges:true"] and host["PidsLimit"] and host["Memory"], service
        assert container["Config"]["User"] == "postgres" and not host["PortBindings"], service
        networks = {name.split("_")[-1] for name in container["NetworkSettings"]["Networks"]}
        assert networks == ({"back", "cluster"} if service == "db" else {"cluster"}), service
    for password in (cluster.password, cluster.password[::-1]):
        assert password not in cluster.compose("logs").stdout
        assert password not in run("docker", "history", "--no-trunc", f"incidents-ha:{cluster.name}").stdout


def test_dump_of_the_leader(cluster):
    assert cluster.compose("exec", "-T", "--user", "0:10001", "db", "backup").stdout.strip().endswith(".dump")


@pytest.fixture
def receiver(host):
    with serve(Receiver(), host=host) as receiver:
        yield receiver


def start_writers(cluster: Cluster, chance: random.Random, stop: threading.Event) -> list[Writer]:
    token = cluster.compose(*MANAGE, "issue_token", "operator", "--days", "1").stdout.split()[-1]
    acknowledged = [time.monotonic()]
    kinds = [Writer] * 4 + [WriterWithoutKeys] * 2
    writers = [kind(cluster.url, token, stop, random.Random(chance.random())) for kind in kinds]
    for writer in writers:
        writer.acknowledged = acknowledged
        writer.start()
    return writers


def wait_for_writes(acknowledged: list[float]) -> None:
    """Until they have been acknowledged for some seconds."""
    for _ in range(8):
        before = len(acknowledged)
        until(lambda before=before: len(acknowledged) > before + 5, RECOVERY_SECONDS)
        time.sleep(0.5)


def longest_gap(times: list[float]) -> str:
    return f"{max(later - earlier for earlier, later in pairwise(times)):.1f}"


def test_nothing_acknowledged_is_lost(cluster, telegram, receiver, host):
    chance, stop = seeded(), threading.Event()
    secret = cluster.compose(*MANAGE, "add_sender", "pumps", "--format", "generic", "--description", "text")
    subscribe = f"Subscription.objects.create(name='receiver', url='http://{host}:{receiver.port}/hook')"
    cluster.compose(*MANAGE, "shell", "--command", f"from webhooks.models import Subscription; {subscribe}")
    writers = start_writers(cluster, chance, stop)
    acknowledged = writers[0].acknowledged
    sender = Sender(f"{cluster.url}/api/v1/intake/pumps/{secret.stdout.split()[-1]}/", stop)
    people, readiness = People(telegram, stop), Readiness(cluster.url, stop)
    for thread in (sender, people, readiness):
        thread.start()
    print("\n| round | kind | seconds unavailable | longest ready/ | acknowledged | lost | doubled | torn |")
    print("|---|---|---|---|---|---|---|---|")
    end = time.monotonic() + MINUTES * 60
    rounds = 0
    deck: list[Callable[[Cluster, Callable[[], None]], None]] = [] if MINUTES else list(SHORT)
    while deck or time.monotonic() < end:
        if not deck:
            deck = chance.sample(FAULTS, len(FAULTS))
        fault, first, before = deck.pop(), len(readiness.waits), len(acknowledged) - 1
        fault(cluster, lambda: wait_for_writes(acknowledged))
        until(cluster.is_whole, RECOVERY_SECONDS)
        wait_for_writes(acknowledged)
        rounds += 1
        times = acknowledged[before:]
        found = faults(cluster, writers)
        ready = max(readiness.waits[first:], default=0.0)
        cells = (rounds, fault.__name__, longest_gap(times), f"{ready:.1f}", len(times), *found)
        print(f"| {' | '.join(map(str, cells))} |", flush=True)
        assert found == (0, 0, 0)
    stop.set()
    for thread in (*writers, sender, people):
        thread.join(60)
        assert not thread.is_alive()
    check_telegram(cluster, telegram)
    reported = cluster.sql("SELECT description FROM incidents_incident WHERE description LIKE '%Насос %'")
    assert sender.texts and [text for text in sender.texts if reported.count(text) != 1] == []
    check_webhooks(check_incidents(cluster, writers), receiver)


def test_leader_lost_behind_pgbouncer(cluster):
    """With prepared statements, which it keeps apart."""
    cluster.files += ("docker-compose.pgbouncer.yml",)
    cluster.compose("up", "--detach", "--wait")
    stop = threading.Event()
    writers = start_writers(cluster, seeded(), stop)
    leader_killed(cluster, lambda: wait_for_writes(writers[0].acknowledged))
    until(cluster.is_whole, RECOVERY_SECONDS)
    wait_for_writes(writers[0].acknowledged)
    prepared = "SELECT count(*) FROM pg_prepared_statements WHERE name LIKE 'PGBOUNCER_%'"
    assert cluster.sql(prepared, "-h", "pgbouncer") != "0"
    print(f"\nleader_killed behind PgBouncer: {longest_gap(writers[0].acknowledged)} seconds unavailable")
    stop.set()
    for writer in writers:
        writer.join(60)
        assert not writer.is_alive()
    assert faults(cluster, writers) == (0, 0, 0)
    check_incidents(cluster, writers)


def check_incidents(cluster: Cluster, writers: list[Writer]) -> set[int]:
    """Each is stored as it was acknowledged, and as its history tells. Returns the ids of all."""
    assert [wrong for writer in writers for wrong in writer.wrong] == []
    known = {pk: values for writer in writers for pk, values in writer.known.items()}
    rows = json.loads(
        cluster.sql("SELECT json_agg(i) FROM (SELECT id, description, status, source FROM incidents_incident) i")
    )
    stored = {row["id"]: {field: row[field] for field in FIELDS} for row in rows}
    assert [pk for pk, values in known.items() if stored.get(pk) != values] == []
    history = json.loads(
        cluster.sql(
            "SELECT json_agg(c ORDER BY c.id) FROM (SELECT id, incident_id, changes FROM incidents_incidentchange) c"
        )
    )
    replayed: dict[int, dict[str, str]] = {}
    for entry in history:
        state = replayed.setdefault(entry["incident_id"], {})
        for field, (old, new) in entry["changes"].items():
            assert state.get(field) == old
            state[field] = new
    assert replayed == stored
    return set(stored)


def check_telegram(cluster: Cluster, telegram: Telegram) -> None:
    # In the order in which work moves on: looked at the other way round, what moves meanwhile is in neither place.
    until(lambda: not telegram.pending, RECOVERY_SECONDS)
    until(lambda: cluster.sql("SELECT count(*) FROM intake_delivery WHERE state = 'pending'") == "0", RECOVERY_SECONDS)
    due = "SELECT count(*) FROM telegram_card WHERE due_at IS NOT NULL"
    until(lambda: cluster.sql(due) == "0", RECOVERY_SECONDS)
    twice = [sends for sends in telegram.sends.values() if len(sends) > 1]
    print(f"{len(telegram.written)} messages, {len(telegram.pressed)} presses, {len(twice)} cards sent twice")
    expected = [f"{words(report[1])} {telegram.pressed.get(report, 'open')}" for report in telegram.written]
    rows = cluster.sql(
        "SELECT i.description || ' ' || i.status FROM incidents_incident i JOIN incidents_incidentchange c"
        " ON c.incident_id = i.id AND c.channel = 'telegram' AND c.changes->'status'->>0 IS NULL"
    )
    assert sorted(rows.splitlines()) == sorted(expected)
    assert sorted(telegram.sends) == sorted(telegram.written) and not twice
    shown = {key(sent): sent["reply_markup"]["inline_keyboard"][0] for sent in telegram.messages.values()}
    statuses = {report: buttons[0]["callback_data"].split(":")[2] for report, buttons in shown.items()}
    assert statuses == {report: telegram.pressed.get(report, "open") for report in telegram.written}


def check_webhooks(incidents: set[int], receiver: Receiver) -> None:
    """Each is told of as created by one event, which may come more than once."""

    def created() -> Counter[int]:
        # Calls may still come in: ids and events are those of the same moment.
        calls = Receiver(requests=list(receiver.requests))
        events = dict(zip(calls.ids(), calls.events, strict=True))
        return Counter(pk for kind, pk in events.values() if kind == "created")

    until(lambda: set(created()) == incidents, RECOVERY_SECONDS)
    print(f"{len(receiver.requests)} calls of webhooks, {len(set(receiver.ids()))} events")
    assert set(created().values()) == {1}


def faults(cluster: Cluster, writers: list[Writer]) -> tuple[int, int, int]:
    """How many acknowledged incidents are lost, recorded twice, or without their history."""
    known = {pk for writer in writers for pk in list(writer.known)}
    stored = {int(pk) for pk in cluster.sql("SELECT id FROM incidents_incident").split()}
    doubled = cluster.sql(
        "SELECT count(*) FROM (SELECT changes->'description'->>1 FROM incidents_incidentchange"
        " WHERE changes->'description'->>0 IS NULL AND changes ? 'description' GROUP BY 1 HAVING count(*) > 1) d"
    )
    torn = cluster.sql(
        "SELECT count(*) FROM incidents_incident i"
        " FULL JOIN (SELECT DISTINCT incident_id FROM incidents_incidentchange) c ON c.incident_id = i.id"
        " WHERE i.id IS NULL OR c.incident_id IS NULL"
    )
    return len(known - stored), int(doubled), int(torn)
