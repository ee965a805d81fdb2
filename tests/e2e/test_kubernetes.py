"""What `kubectl kustomize` makes of kubernetes/, and what a pod does otherwise than compose. No cluster runs."""

import kubernetes_validate
import pytest
import yaml

from tests.helpers.production import ROOT, run, until
from tests.kubernetes.manifests import COMPOSE, OVERLAYS, VERSIONS, containers

pytestmark = pytest.mark.e2e

every_overlay = pytest.mark.parametrize("overlay", OVERLAYS)


def render(overlay):
    output = run("kubectl", "kustomize", ROOT / "kubernetes/overlays" / overlay).stdout
    return {(resource["kind"], resource["metadata"]["name"]): resource for resource in yaml.safe_load_all(output)}


@every_overlay
def test_what_is_applied_is_valid(overlay):
    resources = render(overlay)
    checked = [resource for (kind, _), resource in resources.items() if kind != "Cluster"]
    assert len(checked) > 15
    for version in VERSIONS:
        for resource in checked:
            kubernetes_validate.validate(resource, version, strict=True)
    assert {
        resource["metadata"].get("namespace") for (kind, _), resource in resources.items() if kind != "Namespace"
    } == {"incidents"}


@every_overlay
def test_pods_use_the_image_and_the_settings_of_the_overlay(overlay):
    resources = render(overlay)
    configurations = {name: made["data"] for (kind, name), made in resources.items() if kind == "ConfigMap"}
    of_pods = containers(list(resources.values()))
    for name in ("web", "jobs", "migrate"):
        container = of_pods[name][1]
        assert container["image"] == "registry.example.org/incidents:latest"
        used = container["envFrom"][0]["configMapRef"]["name"]
        # A changed setting changes the name, so that the pods are replaced.
        assert used.startswith("incidents-") and configurations[used]["ALLOWED_HOSTS"] == "incidents.example.org"
        assert configurations[used]["DEBUG"] == "False"
    [of_nginx] = [volume["configMap"]["name"] for volume in of_pods["nginx"][0]["volumes"] if "configMap" in volume]
    for file, text in configurations[of_nginx].items():
        assert text == (ROOT / "nginx" / file).read_text("utf-8")


def test_nginx_starts_again_in_its_pod():
    """Kubernetes keeps the volumes of a pod when it starts a container again."""
    command = ["docker", "run", "--detach", "--read-only", "--cap-drop=ALL", "--user=nginx", "--volume=/tmp"]
    command += ["--tmpfs=/var/cache/nginx:uid=101,gid=101", "--env=REAL_IP_FROM=127.0.0.1", "--entrypoint=sh"]
    command += [f"--volume={ROOT}/nginx/{file}:/etc/nginx/{file}:ro" for file in ("start", "nginx.conf.template")]
    container = run(*command, COMPOSE["nginx"]["image"], "/etc/nginx/start").stdout.strip()
    try:
        probe = ("docker", "exec", container, *COMPOSE["nginx"]["healthcheck"]["test"][1:])
        until(lambda: run(*probe, check=False).returncode == 0)
        run("docker", "kill", container)
        run("docker", "start", container)
        until(lambda: run(*probe, check=False).returncode == 0)
    finally:
        run("docker", "rm", "--force", "--volumes", container)


def test_liveness_does_not_ask_the_database(production):
    def probe(*arguments):
        command = ("exec", "-T", "web", "python", "docker/healthcheck", *arguments)
        return production.compose(*command, check=False).returncode

    assert (probe("live"), probe()) == (0, 0)
    production.compose("stop", "db")
    try:
        assert (probe("live"), probe()) == (0, 1)
    finally:
        production.compose("start", "db")
        until(lambda: probe() == 0)
