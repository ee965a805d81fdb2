"""The manifests run what docker-compose.prod.yml runs: same images, commands, variables, limits, rights and probes."""

import re

import pytest

from tests.kubernetes.manifests import COMPOSE, FOLDER, ROOT, containers, kustomization, literals, pods, read

RESOURCES = read(FOLDER / "base")
CONTAINERS = containers(RESOURCES)
SETTINGS = literals(FOLDER / "base")
APP = {name: both for name, both in CONTAINERS.items() if name != "nginx"}

every_container = pytest.mark.parametrize("name", CONTAINERS)
every_container_of_the_service = pytest.mark.parametrize("name", APP)


def seconds(duration):
    return {"s": 1, "m": 60}[duration[-1]] * int(duration[:-1])


def bytes_of(size):
    """Of compose (`64m`) or Kubernetes (`64Mi`)."""
    number, unit = re.fullmatch(r"(\d+)([kmg])i?", size.lower()).groups()
    return int(number) * 1024 ** ("kmg".index(unit) + 1)


def sizes(options):
    return {part.partition("=")[0]: part.partition("=")[2] for part in options.split(",")}


def volumes(name):
    """The volumes of a container by where they are mounted, and how."""
    pod, container = CONTAINERS[name]
    of_pod = {volume["name"]: volume for volume in pod["volumes"]}
    return {mount["mountPath"]: (of_pod[mount["name"]], mount) for mount in container["volumeMounts"]}


def test_the_same_containers_run():
    # The database is an overlay's; each container refuses wrong settings by itself, as `check` does for all of them.
    assert set(CONTAINERS) == set(COMPOSE) - {"check", "db"}


@every_container
def test_images(name):
    image = COMPOSE[name]["image"]
    # An overlay names the registry and the tag.
    assert CONTAINERS[name][1]["image"] == (image if name == "nginx" else image.partition(":")[0])


@every_container
def test_commands(name):
    container = CONTAINERS[name][1]
    assert container.get("args") == COMPOSE[name].get("command")
    assert container.get("command") == COMPOSE[name].get("entrypoint")


@every_container_of_the_service
def test_variables(name):
    own = {entry["name"]: entry.get("value") for entry in APP[name][1]["env"]}
    here = SETTINGS | own
    # DATABASE_URL names the database.
    expected = {key: value for key, value in COMPOSE[name]["environment"].items() if not key.startswith("POSTGRES_")}
    assert {key: here.get(key) for key in expected} == expected
    known = re.findall(r"^(\w+)=", (ROOT / ".env.template").read_text("utf-8"), re.M)
    assert set(here) <= {*known, "SOCKETS", "POD_IP"}
    references = [next(iter(source.values()))["name"] for source in APP[name][1]["envFrom"]]
    assert references == ["incidents", "incidents"]  # the ConfigMap, and the Secret


def test_variables_of_nginx():
    [entry] = CONTAINERS["nginx"][1]["env"]
    assert entry["valueFrom"]["configMapKeyRef"] == {"name": "incidents", "key": "REAL_IP_FROM"}
    assert COMPOSE["nginx"]["environment"]["REAL_IP_FROM"] == f"${{REAL_IP_FROM:-{SETTINGS['REAL_IP_FROM']}}}"
    assert set(COMPOSE["nginx"]["environment"]) == {"REAL_IP_FROM", "HTTPS"}  # HTTPS ends at the ingress


def test_workers_do_not_depend_on_the_cores_of_the_node():
    assert f"WEB_CONCURRENCY={SETTINGS['WEB_CONCURRENCY']}" in (ROOT / ".env.template").read_text("utf-8").splitlines()


@every_container
def test_memory(name):
    resources = CONTAINERS[name][1]["resources"]
    assert bytes_of(resources["limits"]["memory"]) == bytes_of(COMPOSE[name]["mem_limit"])
    assert set(resources["requests"]) == {"cpu", "memory"}
    in_memory = [volume for volume, _ in volumes(name).values() if "emptyDir" in volume]
    assert all(volume["emptyDir"]["medium"] == "Memory" for volume in in_memory)
    # A full volume in memory fails its requests, not the container.
    total = sum(bytes_of(volume["emptyDir"]["sizeLimit"]) for volume in in_memory)
    assert total < bytes_of(resources["limits"]["memory"])


@every_container
def test_rights(name):
    pod, container = CONTAINERS[name]
    assert COMPOSE[name]["read_only"] and COMPOSE[name]["cap_drop"] == ["ALL"]
    user = {"incidents": 10001, "nginx:1.28": 101}[container["image"]]
    security = pod["securityContext"] | container["securityContext"]
    # Of all containers of a pod, as `group_add` of nginx
    group = {security.pop("fsGroup", None), security.pop("fsGroupChangePolicy", None)}
    assert group == ({None} if name == "migrate" else {10001, "OnRootMismatch"})
    assert security == {
        "runAsNonRoot": True,
        "runAsUser": user,
        "runAsGroup": user,
        "seccompProfile": {"type": "RuntimeDefault"},
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert pod["automountServiceAccountToken"] is False and pod["enableServiceLinks"] is False
    assert f"useradd --uid {APP['web'][0]['securityContext']['runAsUser']} " in (ROOT / "docker/Dockerfile").read_text()


@every_container
def test_writable_folders(name):
    writable = {path for path, (volume, mount) in volumes(name).items() if "emptyDir" in volume}
    entries = [*COMPOSE[name]["tmpfs"], *(volume for volume in COMPOSE[name].get("volumes", []) if "sockets" in volume)]
    assert writable == {re.search(r"/[\w/]+", entry)[0] for entry in entries}


@every_container
def test_attachments(name):
    entries = [volume for volume in COMPOSE[name].get("volumes", []) if volume.startswith("attachments:")]
    claims = [both for both in volumes(name).items() if "persistentVolumeClaim" in both[1][0]]
    assert len(entries) == len(claims) == (name != "migrate")
    for entry, (path, (volume, mount)) in zip(entries, claims, strict=True):
        assert entry == f"attachments:{path}" + (":ro" if mount.get("readOnly") else "")
        assert volume["persistentVolumeClaim"] == {"claimName": "attachments"}
        assert SETTINGS["MEDIA_ROOT"] == path and bool(mount.get("readOnly")) is (name == "nginx")
    assert COMPOSE["nginx"]["group_add"] == ["10001"]


def test_sizes_of_folders():
    for entry in COMPOSE["nginx"]["tmpfs"]:
        path, _, options = entry.partition(":")
        assert bytes_of(volumes("nginx")[path][0]["emptyDir"]["sizeLimit"]) == bytes_of(sizes(options)["size"])
    assert volumes("nginx")["/run/incidents"][1]["readOnly"] and ":ro" in COMPOSE["nginx"]["volumes"][-1]
    assert volumes("web")["/run/incidents"][0] == volumes("nginx")["/run/incidents"][0]


def test_nginx_has_the_same_files():
    generated = kustomization(ROOT / "nginx")["configMapGenerator"][0]
    mounted = {mount["subPath"]: path for path, (volume, mount) in volumes("nginx").items() if "configMap" in volume}
    assert set(mounted) == set(generated["files"])
    for file, path in mounted.items():
        assert f"./nginx/{file}:{path}:ro" in COMPOSE["nginx"]["volumes"]


def test_probes_of_the_service():
    asked = re.findall(r"HEALTHCHECK .*?CMD (\[.*?\])", (ROOT / "docker/Dockerfile").read_text(), re.S)
    assert asked == ['["python", "docker/healthcheck"]'] and "healthcheck" not in COMPOSE["web"]
    web, nginx = CONTAINERS["web"][1], CONTAINERS["nginx"][1]
    # Readiness asks the database, and through nginx; liveness must not.
    assert nginx["readinessProbe"]["httpGet"] == {"path": "/api/health/ready/", "port": "http"}
    assert "readinessProbe" not in web
    for probe in (web["startupProbe"], web["livenessProbe"]):
        assert probe["exec"]["command"] == ["python", "docker/healthcheck", "live"]
    assert nginx["livenessProbe"]["exec"]["command"] == COMPOSE["nginx"]["healthcheck"]["test"][1:]


def test_probes_of_the_jobs():
    kind, command = COMPOSE["jobs"]["healthcheck"]["test"]
    assert kind == "CMD-SHELL"
    jobs = CONTAINERS["jobs"][1]
    for probe in (jobs["startupProbe"], jobs["livenessProbe"]):
        assert probe["exec"]["command"] == ["sh", "-c", command.replace("$$", "$")]
    assert COMPOSE["migrate"]["healthcheck"] == {"disable": True}
    assert not [key for key in CONTAINERS["migrate"][1] if key.endswith("Probe")]


def test_nginx_stops_before_the_service():
    pod, web = CONTAINERS["web"]
    # Such a container starts before those of `containers`, and stops after them.
    assert pod["initContainers"] == [web] and web["restartPolicy"] == "Always"
    [nginx] = pod["containers"]
    waits = nginx["lifecycle"]["preStop"]["sleep"]["seconds"]
    assert pod["terminationGracePeriodSeconds"] >= waits + seconds(COMPOSE["nginx"]["stop_grace_period"]) + 15
    assert pods(RESOURCES)["web"]["metadata"]["annotations"] == {"kubectl.kubernetes.io/default-container": "web"}


def test_new_replicas_come_before_old_ones_leave():
    [web] = [resource for resource in RESOURCES if resource["kind"] == "Deployment" and "jobs" not in str(resource)]
    assert web["spec"]["strategy"]["rollingUpdate"] == {"maxSurge": 1, "maxUnavailable": 0}
