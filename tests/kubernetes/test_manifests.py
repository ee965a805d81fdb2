"""The manifests are valid in three versions of Kubernetes, fit each other, and hold no secret."""

import json

import kubernetes_validate
import pytest

from tests.kubernetes.manifests import FOLDER, OVERLAYS, VERSIONS, containers, kustomization, pods, read

BASE = read(FOLDER / "base")
OF_OVERLAYS = {overlay: read(FOLDER / "overlays" / overlay) for overlay in OVERLAYS}
EVERYTHING = [*BASE, *(resource for resources in OF_OVERLAYS.values() for resource in resources)]
# kubernetes-validate has no schemas of what an operator adds.
[DATABASE] = [resource for resource in EVERYTHING if "cnpg.io" in resource["apiVersion"]]
every_overlay = pytest.mark.parametrize("overlay", OVERLAYS)


def of_kind(kind, resources=BASE):
    return {resource["metadata"]["name"]: resource["spec"] for resource in resources if resource["kind"] == kind}


def selects(selector, labels):
    """Whether a label selector matches the labels."""
    listed = all(labels.get(term["key"]) in term["values"] for term in selector.get("matchExpressions", []))
    return listed and selector.get("matchLabels", {}).items() <= labels.items()


def allowed(policies, direction, labels):
    """The rules of the policies that apply to a pod with the labels."""
    return [
        rule
        for policy in policies.values()
        if direction.capitalize() in policy["policyTypes"] and selects(policy["podSelector"], labels)
        for rule in policy.get(direction, [])
    ]


def ports(rules):
    return {(entry["protocol"], entry["port"]) for rule in rules for entry in rule["ports"]}


@pytest.mark.slow
@pytest.mark.parametrize("version", VERSIONS)
def test_every_resource_is_valid(version):
    checked = [resource for resource in EVERYTHING if resource is not DATABASE]
    assert len(checked) > 15
    for resource in checked:
        kubernetes_validate.validate(resource, version, strict=True)


def test_an_invalid_resource_is_refused():
    [job] = [resource for resource in BASE if resource["kind"] == "Job"]
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(job | {"specification": {}}, VERSIONS[-1], strict=True)


def test_every_file_is_a_resource_of_its_kustomization():
    for folder in (FOLDER / "base", *(FOLDER / "overlays" / overlay for overlay in OVERLAYS)):
        files = {file.name for file in folder.iterdir()} - {"kustomization.yaml"}
        assert files == {name for name in kustomization(folder)["resources"] if not name.startswith("..")}


def test_no_value_of_a_secret():
    assert "Secret" not in {resource["kind"] for resource in EVERYTHING}
    assert "secretGenerator" not in "".join(file.read_text() for file in FOLDER.rglob("kustomization.yaml"))
    assert not [name for name in ("PASSWORD", "SECRET_KEY", "TOKEN") if name in json.dumps(EVERYTHING)]


@pytest.mark.parametrize("name", ["web", "jobs", "migrate"])
def test_the_url_of_the_database_is_in_the_secret_that_the_operator_makes(name):
    [source] = [entry["valueFrom"] for entry in containers(BASE)[name][1]["env"] if entry["name"] == "DATABASE_URL"]
    assert source == {"secretKeyRef": {"name": f"{DATABASE['metadata']['name']}-app", "key": "uri"}}


@pytest.mark.parametrize("name", ["web", "jobs", "migrate"])
def test_a_standby_is_read_where_a_secret_names_one(name):
    [source] = [
        entry["valueFrom"] for entry in containers(BASE)[name][1]["env"] if entry["name"] == "DATABASE_REPLICA_URL"
    ]
    assert source == {"secretKeyRef": {"name": "incidents-db-replica", "key": "uri", "optional": True}}


@pytest.mark.parametrize("name", ["web", "jobs"])
def test_selectors_match_the_pods(name):
    labels = pods(BASE)[name]["metadata"]["labels"]
    assert selects(of_kind("Deployment")[name]["selector"], labels)
    budget = of_kind("PodDisruptionBudget")[name]
    assert selects(budget["selector"], labels) and budget["maxUnavailable"] == 1
    for spread in pods(BASE)[name]["spec"]["topologySpreadConstraints"]:
        assert selects(spread["labelSelector"], labels)


def test_requests_reach_nginx():
    pod = pods(BASE)["web"]
    service = of_kind("Service")["web"]
    assert service["selector"].items() <= pod["metadata"]["labels"].items()
    [port] = containers(BASE)["nginx"][1]["ports"]
    assert service["ports"] == [{"name": "http", "port": 80, "targetPort": port["name"]}]
    [rule] = of_kind("Ingress")["web"]["rules"]
    assert rule["http"]["paths"][0]["backend"] == {"service": {"name": "web", "port": {"name": "http"}}}


def test_replicas_are_scaled_by_the_cpu_of_the_service():
    scaler = of_kind("HorizontalPodAutoscaler")["web"]
    assert "replicas" not in of_kind("Deployment")["web"]  # each `kubectl apply` would reset them
    assert scaler["scaleTargetRef"]["name"] == "web" and scaler["minReplicas"] >= 2
    [metric] = scaler["metrics"]
    assert metric["containerResource"]["container"] in containers(BASE) and metric["containerResource"]["name"] == "cpu"


@every_overlay
@pytest.mark.parametrize("name", ["web", "jobs", "migrate"])
def test_only_what_is_needed_is_let_through(overlay, name):
    policies = of_kind("NetworkPolicy") | of_kind("NetworkPolicy", OF_OVERLAYS[overlay])
    labels = pods(BASE)[name]["metadata"]["labels"]
    assert policies["nothing-by-default"] == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    entries = allowed(policies, "ingress", labels)
    assert ports(entries) == ({("TCP", 8080)} if name == "web" else set()) and all("from" in rule for rule in entries)
    exits = allowed(policies, "egress", labels)
    names, database, internet = {("UDP", 53), ("TCP", 53)}, {("TCP", 5432)}, {("TCP", 443)}
    assert ports(exits) == names | database | (set() if name == "migrate" else internet)
    assert all("to" in rule or ports([rule]) == names for rule in exits)


def test_the_database_is_reached_by_the_service_and_the_operator_only():
    policies = of_kind("NetworkPolicy") | of_kind("NetworkPolicy", OF_OVERLAYS["cloudnativepg"])
    entries = allowed(policies, "ingress", {"cnpg.io/cluster": DATABASE["metadata"]["name"]})
    assert all("from" in rule for rule in entries) and ports(entries) == {("TCP", 5432), ("TCP", 8000)}
    [of_service] = [rule["from"] for rule in entries if ports([rule]) == {("TCP", 5432)}]
    for pod in pods(BASE).values():
        assert selects(of_service[0]["podSelector"], pod["metadata"]["labels"])
    [target] = [
        rule["to"] for rule in allowed(policies, "egress", pod["metadata"]["labels"]) if "podSelector" in str(rule)
    ]
    assert selects(target[0]["podSelector"], {"cnpg.io/cluster": DATABASE["metadata"]["name"]})


def test_nothing_that_was_acknowledged_is_lost_with_an_instance():
    spec = DATABASE["spec"]
    assert spec["instances"] == 3 and spec["affinity"]["podAntiAffinityType"] == "required"
    assert spec["postgresql"]["synchronous"] == {
        "method": "any",
        "number": 1,
        "dataDurability": "required",
        "failoverQuorum": True,
    }


def test_search_knows_cyrillic():
    made = DATABASE["spec"]["bootstrap"]["initdb"]
    assert (made["encoding"], made["localeCollate"], made["localeCType"]) == ("UTF8", "C.UTF-8", "C.UTF-8")


@every_overlay
def test_an_overlay_sets_what_each_cluster_has_its_own_of(overlay):
    made = kustomization(FOLDER / "overlays" / overlay)
    assert [image["name"] for image in made["images"]] == ["incidents"]
    [settings] = made["configMapGenerator"]
    assert (settings["name"], settings["behavior"]) == ("incidents", "merge")
    names = [line.partition("=")[0] for line in settings["literals"]]
    assert names == ["ALLOWED_HOSTS", "USE_HTTPS", "REAL_IP_FROM", "PGSSLMODE"]


def test_every_node_can_mount_the_attachments():
    assert of_kind("PersistentVolumeClaim")["attachments"]["accessModes"] == ["ReadWriteMany"]
