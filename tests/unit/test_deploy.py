"""What is deployed: manifests that are valid, ask for no right they do not need, and fit the service; and the image."""

import importlib.util
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import kubernetes_validate
import pytest
import yaml

from app.settings import Process
from app.supervisor import END_SECONDS, LET_GO_SECONDS

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
KUBERNETES = ("1.28.0", "1.37.0")
"""The oldest and the newest release that the manifests are checked against."""
OVERLAYS = {"overlays/one-replica": 1, "overlays/three-replicas": 3}
OPERATOR = {"ServiceMonitor", "PrometheusRule"}
"""Kinds of the Prometheus operator, whose schemas are not Kubernetes' own."""
LOCKED = {
    "readOnlyRootFilesystem": True,
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
}
Manifest = dict[str, Any]


def rendered(place: str) -> list[Manifest]:
    """A kustomization of deploy/ as it is applied."""
    if shutil.which("kubectl") is None:
        pytest.skip("MANIFESTS NOT CHECKED: kubectl is not installed")
    run = subprocess.run(["kubectl", "kustomize", DEPLOY / place], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    return list(yaml.load_all(run.stdout, Loader=yaml.CSafeLoader))


@pytest.fixture(scope="module", params=OVERLAYS)
def overlay(request: pytest.FixtureRequest) -> tuple[int, list[Manifest]]:
    """How many replicas an overlay has, and its manifests."""
    return OVERLAYS[request.param], rendered(request.param)


@pytest.fixture(scope="module")
def manifests() -> list[Manifest]:
    return rendered("overlays/three-replicas")


def named(manifests: list[Manifest], kind: str, name: str = "centra-mirakl") -> Manifest:
    (found,) = [m for m in manifests if m["kind"] == kind and m["metadata"]["name"] == name]
    return found


def pods(manifests: list[Manifest]) -> list[Manifest]:
    """The template of each workload."""
    specs = [
        m["spec"].get("jobTemplate", m)["spec"] for m in manifests if m["kind"] in {"Deployment", "Job", "CronJob"}
    ]
    return [spec["template"] for spec in specs]


@pytest.fixture
def service(manifests: list[Manifest]) -> Manifest:
    """The container that runs the service."""
    (container,) = named(manifests, "Deployment")["spec"]["template"]["spec"]["containers"]
    found: Manifest = container
    return found


# ------------------------------------------------------------------------------------------------ valid


@pytest.mark.parametrize("version", KUBERNETES)
def test_the_manifests_are_valid(overlay: tuple[int, list[Manifest]], version: str) -> None:
    replicas, manifests = overlay
    kinds = {m["kind"] for m in manifests}
    assert kinds > {"Deployment", "Job", "CronJob", "Service", "NetworkPolicy", "PodDisruptionBudget"} | OPERATOR
    for manifest in [*manifests, *rendered("post")]:
        if manifest["kind"] not in OPERATOR:
            kubernetes_validate.validate(manifest, version, strict=True)
    assert named(manifests, "Deployment")["spec"]["replicas"] == replicas


def test_a_wrong_manifest_is_noticed(manifests: list[Manifest]) -> None:
    wrong = json.loads(json.dumps(named(manifests, "Deployment")))
    wrong["spec"]["template"]["spec"]["terminationGracePeriod"] = 40
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(wrong, KUBERNETES[-1], strict=True)


def test_the_operator_scrapes_the_metrics_and_knows_the_rules(manifests: list[Manifest], service: Manifest) -> None:
    monitor = named(manifests, "ServiceMonitor")["spec"]
    scraped = named(manifests, "Service", "centra-mirakl-metrics")
    assert monitor["selector"]["matchLabels"].items() <= scraped["metadata"]["labels"].items()
    assert [endpoint["port"] for endpoint in monitor["endpoints"]] == [
        port["name"] for port in scraped["spec"]["ports"]
    ]
    assert monitor["endpoints"][0]["path"] == "/metrics"
    rules = named(manifests, "PrometheusRule")["spec"]["groups"]
    assert sum("alert" in rule for group in rules for rule in group["rules"]) > 5


def generator() -> ModuleType:
    spec = importlib.util.spec_from_file_location("prometheus_rule", DEPLOY / "prometheus_rule.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_operators_rules_are_those_of_observability() -> None:
    generate = generator()
    assert generate.TARGET.read_text(encoding="utf-8") == generate.written(), "run python deploy/prometheus_rule.py"


# ------------------------------------------------------------------------------------------------ few rights


def test_no_pod_may_do_what_it_needs_not(manifests: list[Manifest]) -> None:
    templates = [*pods(manifests), *pods(rendered("post"))]
    assert len(templates) == 4
    for pod in (template["spec"] for template in templates):
        assert pod["automountServiceAccountToken"] is False
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["runAsUser"] >= 10_000
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        for container in pod["containers"]:
            assert container["securityContext"] == LOCKED
            assert container["resources"]["limits"]["memory"]
        writable = [volume["emptyDir"] for volume in pod["volumes"] if not {"secret", "configMap"} & set(volume)]
        assert writable in ([], [{"medium": "Memory", "sizeLimit": "16Mi"}])


def test_secrets_reach_the_pods_as_files_only(manifests: list[Manifest]) -> None:
    for pod in (template["spec"] for template in [*pods(manifests), *pods(rendered("post"))]):
        for container in pod["containers"]:
            assert "envFrom" not in container
            assert all("value" in variable for variable in container.get("env", ()))
            mounts = {mount["mountPath"]: mount for mount in container["volumeMounts"]}
            # A file mounted by its own path would never change again.
            assert "subPath" not in mounts["/run/secrets/centra-mirakl"]


def test_each_port_is_open_to_its_own_caller_and_the_pods_reach_what_they_need(manifests: list[Manifest]) -> None:
    policies = {m["metadata"]["name"]: m["spec"] for m in manifests if m["kind"] == "NetworkPolicy"}
    denied = policies.pop("centra-mirakl-deny-all")
    assert set(denied) == {"podSelector", "policyTypes"}
    assert set(denied["policyTypes"]) == {"Ingress", "Egress"}
    for template in pods(manifests):
        assert denied["podSelector"]["matchLabels"].items() <= template["metadata"]["labels"].items()
    let_in = {
        (port["port"], peer["namespaceSelector"]["matchLabels"]["kubernetes.io/metadata.name"])
        for policy in policies.values()
        for rule in policy.get("ingress", ())
        for port in rule["ports"]
        for peer in rule["from"]
    }
    assert let_in == {("webhooks", "ingress-nginx"), ("metrics", "monitoring")}
    let_out = [rule for policy in policies.values() for rule in policy.get("egress", ())]
    assert {port["port"] for rule in let_out for port in rule["ports"]} == {53, 443, 4318, 5432}
    assert all(rule["to"] for rule in let_out)
    outside = {
        peer["ipBlock"]["cidr"]: peer["ipBlock"]["except"] for r in let_out for peer in r["to"] if "ipBlock" in peer
    }
    assert "169.254.0.0/16" in outside["0.0.0.0/0"], "the cloud's own service of credentials"
    assert "fc00::/7" in outside["::/0"]


# ------------------------------------------------------------------------------------------------ fits the service


def test_the_pod_has_time_to_drain_before_it_is_killed(manifests: list[Manifest], service: Manifest) -> None:
    pod = named(manifests, "Deployment")["spec"]["template"]["spec"]
    drain = float({v["name"]: v["value"] for v in service["env"]}["CENTRA_MIRAKL_DRAIN_SECONDS"])
    assert drain == Process.model_fields["drain_seconds"].default
    assert pod["terminationGracePeriodSeconds"] == 30 > drain + LET_GO_SECONDS + END_SECONDS


def test_probes_and_services_ask_the_ports_that_the_service_listens_on(
    manifests: list[Manifest], service: Manifest
) -> None:
    ports = {port["name"]: port["containerPort"] for port in service["ports"]}
    told = {variable["name"]: variable["value"] for variable in service["env"]}
    assert ports == {
        "webhooks": int(told["CENTRA_MIRAKL_PORT"]),
        "metrics": int(told["CENTRA_MIRAKL_METRICS_PORT"]),
    }
    assert service["livenessProbe"]["httpGet"] == {"path": "/healthz", "port": "metrics"}
    assert service["readinessProbe"]["httpGet"] == {"path": "/readyz", "port": "metrics"}
    labels = named(manifests, "Deployment")["spec"]["template"]["metadata"]["labels"]
    for name in ("webhooks", "metrics"):
        spec = named(manifests, "Service", f"centra-mirakl-{name}")["spec"]
        assert [port["targetPort"] for port in spec["ports"]] == [name]
        assert spec["selector"].items() <= labels.items()
    for kind in ("Deployment", "PodDisruptionBudget"):
        assert named(manifests, kind)["spec"]["selector"]["matchLabels"].items() <= labels.items()
    jobs = [template["metadata"]["labels"] for template in pods(manifests) if template["metadata"]["labels"] != labels]
    assert all(job["app.kubernetes.io/component"] != labels["app.kubernetes.io/component"] for job in jobs), (
        "no traffic"
    )


def test_the_schema_is_migrated_by_a_job_and_the_post_step_is_not_applied_with_it(
    manifests: list[Manifest], service: Manifest
) -> None:
    (job,) = [m for m in manifests if m["kind"] == "Job"]
    (migrate,) = job["spec"]["template"]["spec"]["containers"]
    assert migrate["args"] == ["migrate"]
    assert migrate["image"] == service["image"]
    (later,) = rendered("post")
    assert later["spec"]["template"]["spec"]["containers"][0]["args"] == ["migrate", "--post"]


def test_replicas_are_spread_and_a_node_is_emptied_one_replica_at_a_time(manifests: list[Manifest]) -> None:
    spread = named(manifests, "Deployment")["spec"]["template"]["spec"]["topologySpreadConstraints"]
    assert {s["topologyKey"] for s in spread} == {"kubernetes.io/hostname", "topology.kubernetes.io/zone"}
    assert named(manifests, "PodDisruptionBudget")["spec"]["maxUnavailable"] == 1
    rolling = named(manifests, "Deployment")["spec"]["strategy"]["rollingUpdate"]
    assert rolling == {"maxSurge": 1, "maxUnavailable": 0}


# ------------------------------------------------------------------------------------------------ the image


def ignored() -> list[str]:
    lines = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line and not line.startswith(("#", "!"))]


def test_the_image_is_run_by_a_numeric_user_without_a_shell() -> None:
    lines = (ROOT / "Dockerfile").read_text(encoding="utf-8").splitlines()
    last = lines[max(number for number, line in enumerate(lines) if line.startswith("FROM ")) :]
    assert "USER 10001:10001" in last
    assert 'ENTRYPOINT ["centra-mirakl"]' in last
    assert ignored()[0] == "*"


def test_without_what_the_image_leaves_out_the_commands_work_and_the_others_say_so(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "app", tmp_path / "app", ignore=shutil.ignore_patterns("__pycache__"))
    for pattern in ignored()[1:-1]:
        left_out = list(tmp_path.glob(pattern))
        assert left_out, f"{pattern} names nothing"
        for path in left_out:
            shutil.rmtree(path) if path.is_dir() else path.unlink()

    def command(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "app", *arguments], cwd=tmp_path, capture_output=True, text=True, check=False,
            env={"COLUMNS": "400", "NO_COLOR": "1", "PATH": os.environ["PATH"]},
        )  # fmt: skip

    run = command("run")
    assert run.returncode == 2
    assert "there is no channel file" in run.stderr
    demo = command("demo", "--act", "orders", "--keep")
    assert demo.returncode == 2
    assert demo.stderr == (
        "centra-mirakl: `demo` needs the stand-ins, which are not in the image: run it from a checkout\n"
    )
