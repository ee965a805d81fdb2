"""Reads kubernetes/ without kustomize: the manifests of its base are whole without a patch."""

from pathlib import Path
from typing import Any

import kubernetes_validate
import yaml

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "kubernetes"
COMPOSE = yaml.safe_load((ROOT / "docker-compose.prod.yml").read_text("utf-8"))["services"]

OVERLAYS = ["cloudnativepg", "managed"]
# The newest version that kubernetes-validate knows, and the two before it
NEWEST = int(kubernetes_validate.latest_version().split(".")[1])
VERSIONS = [f"1.{minor}" for minor in range(NEWEST - 2, NEWEST + 1)]

type Resource = dict[str, Any]


def read(folder: Path) -> list[Resource]:
    files = [file for file in sorted(folder.glob("*.yaml")) if file.name != "kustomization.yaml"]
    return [resource for file in files for resource in yaml.safe_load_all(file.read_text("utf-8"))]


def kustomization(folder: Path) -> dict[str, Any]:
    return yaml.safe_load((folder / "kustomization.yaml").read_text("utf-8"))


def literals(folder: Path) -> dict[str, str]:
    """The variables of the ConfigMap `incidents`."""
    lines = [line for config in kustomization(folder)["configMapGenerator"] for line in config["literals"]]
    return dict(line.split("=", 1) for line in lines)


def pods(resources: list[Resource]) -> dict[str, Resource]:
    """The pod templates by the name of their Deployment or Job."""
    return {
        resource["metadata"]["name"]: resource["spec"]["template"]
        for resource in resources
        if resource["kind"] in ("Deployment", "Job")
    }


def containers(resources: list[Resource]) -> dict[str, tuple[Resource, Resource]]:
    """Pairs of the pod's and the container's specification by the container's name."""
    specs = [pod["spec"] for pod in pods(resources).values()]
    return {
        container["name"]: (spec, container)
        for spec in specs
        for container in [*spec.get("initContainers", []), *spec["containers"]]
    }
