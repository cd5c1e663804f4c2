"""The Kubernetes manifests as kustomize renders them, and what a pod in them is started with."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path, PurePosixPath
from typing import Any

import pytest
import yaml

from gamemetrics.stack.layout import PROJECT_ROOT

KUBERNETES = PROJECT_ROOT / "k8s"
BASE = KUBERNETES / "base"
AUTOSCALE = KUBERNETES / "overlays" / "autoscale"
TEMPLATE = BASE / "secret.template.yaml"

WORKERS = ("worker-logging", "worker-stats", "worker-leaderboards")
DEPLOYMENTS = ("web", "bridge", *WORKERS, "flower")
PODS = (*DEPLOYMENTS, "migrate")

Document = Mapping[str, Any]


@cache
def render(directory: Path) -> tuple[Document, ...]:
    """The documents of a kustomization; without kubectl the test is skipped, or fails in CI."""
    kubectl = shutil.which("kubectl")
    if kubectl is None:
        if os.environ.get("CI") == "true":
            pytest.fail("CI needs kubectl to render k8s/")
        pytest.skip("needs kubectl")
    rendered = subprocess.run(
        [kubectl, "kustomize", str(directory)], capture_output=True, text=True, timeout=60
    )
    assert rendered.returncode == 0, rendered.stderr
    # kustomize tells what it will not take for much longer.
    assert not rendered.stderr, rendered.stderr
    return tuple(yaml.safe_load_all(rendered.stdout))


def of_kind(kind: str, directory: Path = BASE) -> dict[str, Document]:
    """The rendered documents of a kind, by name."""
    found = [document for document in render(directory) if document["kind"] == kind]
    by_name = {document["metadata"]["name"]: document for document in found}
    assert len(by_name) == len(found)
    return by_name


@dataclass(frozen=True, kw_only=True, slots=True)
class Pod:
    """What a Deployment or Job starts: one pod with one container."""

    labels: Mapping[str, str]
    spec: Document
    container: Document

    @classmethod
    def of(cls, name: str) -> Pod:
        workload = (of_kind("Deployment") | of_kind("Job"))[name]
        template = workload["spec"]["template"]
        (container,) = template["spec"]["containers"]
        assert "initContainers" not in template["spec"]
        return cls(
            labels=template["metadata"]["labels"], spec=template["spec"], container=container
        )

    @property
    def given(self) -> dict[str, str]:
        """The environment as written; what only a cluster can tell is empty."""
        (source,) = self.container["envFrom"]
        config = of_kind("ConfigMap")[source["configMapRef"]["name"]]["data"]
        own = {entry["name"]: entry.get("value", "") for entry in self.container["env"]}
        return {**config, **own}

    @property
    def ports(self) -> dict[str, int]:
        return {port["name"]: port["containerPort"] for port in self.container.get("ports", [])}

    @property
    def secrets_directory(self) -> PurePosixPath:
        mounts = {mount["name"]: mount for mount in self.container["volumeMounts"]}
        return PurePosixPath(mounts["secrets"]["mountPath"])

    @property
    def secret(self) -> Document:
        """The Secret as the pod mounts it."""
        (volume,) = [volume for volume in self.spec["volumes"] if volume["name"] == "secrets"]
        secret: Document = volume["secret"]
        return secret

    @property
    def secret_files(self) -> dict[str, str]:
        """The key of the Secret, by the path at which the pod finds it."""
        return {
            str(self.secrets_directory / item["path"]): item["key"] for item in self.secret["items"]
        }

    @property
    def referenced(self) -> dict[str, tuple[str, str]]:
        """What comes into the environment from a Secret: its name and key, by the variable."""
        return {
            entry["name"]: (reference["name"], reference["key"])
            for entry in self.container["env"]
            if (reference := entry.get("valueFrom", {}).get("secretKeyRef"))
        }


def template() -> Document:
    """The Secret that an operator fills in."""
    document: Document = yaml.safe_load(TEMPLATE.read_text())
    return document
