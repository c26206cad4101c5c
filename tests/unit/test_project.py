"""The house's own rules: lock, layout, imports, names, and that what stands beside the code still fits it."""

import ast
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import kubernetes_validate
import pytest
import yaml
from prometheus_client.metrics import MetricWrapperBase

from app.settings import load_channels
from app.telemetry import metrics

ROOT = Path(__file__).resolve().parents[2]
APP = ROOT / "app"
INDEX_HOSTS = {"pypi.org", "files.pythonhosted.org"}
KUBERNETES = ("1.29.0", "1.37.0")
"""The oldest and the newest release that the manifests are checked against."""

UV = "python3 -m venv .uv && .uv/bin/pip install -q uv==0.13.9 && .uv/bin/uv run --frozen"
DEMO = f"{UV} centra-mirakl demo"
TESTS = f"{UV} pytest -n 3"


def modules(folder: Path = APP) -> Iterator[Path]:
    return (path for path in sorted(folder.rglob("*.py")) if "__pycache__" not in path.parts)


def read_yaml(path: Path) -> Any:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


# ------------------------------------------------------------------------------------------------ lock and layout


def test_the_lock_names_only_the_two_standard_index_hosts() -> None:
    hosts = {urlsplit(url).hostname for url in re.findall(r"https?://[^\s\"']+", (ROOT / "uv.lock").read_text())}
    assert hosts == INDEX_HOSTS


def test_nothing_of_the_lock_is_from_a_folder_or_a_repository() -> None:
    sources = set(re.findall(r"^source = \{ (\w+) =", (ROOT / "uv.lock").read_text(), re.MULTILINE))
    assert sources == {"registry", "editable"}


def test_the_layout_is_the_designs() -> None:
    for name in ("app", "migrations", "observability", "tests", "grafana", "deploy", "docs", ".ci"):
        assert (ROOT / name).is_dir(), name
    for name in ("pyproject.toml", "Dockerfile", "README.md"):
        assert (ROOT / name).is_file(), name
    packages = {path.name for path in APP.iterdir() if (path / "__init__.py").exists()}
    designed = {
        "centra",
        "mirakl",
        "wire",
        "store",
        "engine",
        "flows",
        "policies",
        "domain",
        "web",
        "telemetry",
        "sandbox",
    }
    assert designed <= packages
    assert packages - designed <= {"commands"}  # what the command line's commands do, one file each


@pytest.mark.parametrize("path", list(modules()), ids=lambda path: str(path.relative_to(ROOT)))
def test_a_module_is_under_400_lines(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) < 400


def test_names_come_from_the_business() -> None:
    forbidden = {"manager", "helper", "util", "utils", "common", "processor", "handler", "data", "info"}
    named = {path.stem for path in modules()} | {path.parent.name for path in modules()}
    named |= {
        part.lower()
        for path in modules()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ClassDef)
        for part in re.findall(r"[A-Z][a-z]+", node.name)
    }
    assert not forbidden & named


# ------------------------------------------------------------------------------------------------ imports and time


def test_every_import_contract_is_kept() -> None:
    lint = Path(sys.executable).with_name("lint-imports")
    run = subprocess.run([lint, "--no-cache", "--no-logo"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr


def test_the_contracts_name_every_part_of_the_service() -> None:
    text = (ROOT / ".importlinter").read_text(encoding="utf-8")
    forbidden = text.partition("[importlinter:contract:sandbox-imports-nothing]")[2].partition("[importlinter:")[0]
    named = set(re.findall(r"^    app\.(\w+)$", forbidden, re.MULTILINE))
    assert named == {path.stem for path in APP.iterdir() if path.suffix == ".py" or path.is_dir()} - {
        "__init__",
        "__pycache__",
        "sandbox",
    }


CLOCKS = {
    ("datetime", "now"),
    ("datetime", "utcnow"),
    ("datetime", "today"),
    ("date", "today"),
    ("time", "time"),
    ("time", "time_ns"),
    ("time", "localtime"),
    ("time", "gmtime"),
}


def asks_for_the_time(path: Path) -> list[str]:
    """The places of a module that ask for the wall clock."""
    found = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Attribute):
            owner = node.value.attr if isinstance(node.value, ast.Attribute) else getattr(node.value, "id", "")
            if (owner, node.attr) in CLOCKS:
                found.append(f"{path.relative_to(ROOT)}:{node.lineno} {owner}.{node.attr}")
        if isinstance(node, ast.ImportFrom) and node.module == "time":
            wanted = {alias.name for alias in node.names} & {name for owner, name in CLOCKS if owner == "time"}
            found += [f"{path.relative_to(ROOT)}:{node.lineno} from time import {name}" for name in sorted(wanted)]
    return found


def test_only_the_clocks_ask_for_the_time() -> None:
    clocks = {APP / "clock.py", APP / "sandbox" / "clock.py"}
    assert all(asks_for_the_time(path) for path in clocks), "the search finds nothing any more"
    assert [place for path in modules() if path not in clocks for place in asks_for_the_time(path)] == []


# ------------------------------------------------------------------------------------------------ metrics and rules


def declared() -> dict[str, MetricWrapperBase]:
    return {value._name: value for value in vars(metrics).values() if isinstance(value, MetricWrapperBase)}


def samples() -> set[str]:
    """Every name under which something can be asked for."""
    suffixes = {"counter": ("_total",), "histogram": ("_bucket", "_sum", "_count"), "gauge": ("",)}
    return {name + suffix for name, metric in declared().items() for suffix in suffixes[metric._type]}


def rule_files() -> list[Path]:
    return sorted((ROOT / "observability" / "rules").glob("*.yml"))


def rules(kind: str) -> list[dict[str, Any]]:
    files = [read_yaml(path) for path in rule_files()]
    return [rule for file in files for group in file["groups"] for rule in group["rules"] if kind in rule]


UNITS = ("seconds", "threads", "keys", "items", "letters", "lines", "orders", "ratio", "total")
UNITS += ("bytes", "connections", "rows", "effects", "shipments", "differences")
WITHOUT_UNIT = {
    "centra_mirakl_allowance_left": "the bucket's own: requests, mutations or points of complexity",
    "centra_mirakl_held_money": "the currency's major unit, which a label names",
}


@pytest.mark.parametrize("name", sorted(declared()))
def test_a_metric_is_named_noun_and_unit(name: str) -> None:
    metric = declared()[name]
    assert re.fullmatch(r"centra_mirakl(_[a-z]+)+", name)
    assert not {"sku", "id", "key", "order"} & set(metric._labelnames), "labels never name a single thing"
    if metric._type == "gauge" and metric._documentation.startswith("1 while"):
        return  # a state, yes or no
    exposed = name + "_total" if metric._type == "counter" else name
    assert exposed.endswith(UNITS) or name in WITHOUT_UNIT


@pytest.mark.parametrize("path", rule_files(), ids=lambda path: path.name)
def test_rules_name_only_declared_metrics(path: Path) -> None:
    recorded = {rule["record"] for rule in rules("record")}
    asked = [rule["expr"] for group in read_yaml(path)["groups"] for rule in group["rules"]]
    named = {name for expression in asked for name in re.findall(r"(?:\w+:)*\bcentra_mirakl_\w+(?::\w+)*", expression)}
    assert named
    assert named - samples() - recorded == set()


@pytest.mark.parametrize("rule", rules("record"), ids=lambda rule: rule["record"])
def test_a_recorded_metric_keeps_the_name_of_its_source(rule: dict[str, Any]) -> None:
    level, metric, operation = rule["record"].split(":")
    assert metric in samples()
    assert level
    assert operation


@pytest.mark.skipif(shutil.which("promtool") is None, reason="PROMQL NOT CHECKED: promtool is not installed")
def test_promtool_accepts_rules_and_cases() -> None:
    cases = sorted((ROOT / "observability" / "tests").glob("*.yml"))
    for command in (["check", "rules", *rule_files()], ["test", "rules", *cases]):
        run = subprocess.run(["promtool", *command], capture_output=True, text=True, check=False)
        assert run.returncode == 0, run.stdout + run.stderr


# ------------------------------------------------------------------------------------------------ Kubernetes


@pytest.fixture(scope="module")
def manifests() -> list[dict[str, Any]]:
    """The base as `kubectl kustomize` renders it; its plain files where there is no kubectl."""
    base = ROOT / "deploy" / "base"
    if shutil.which("kubectl") is None:
        plain = [path for path in base.glob("*.yaml") if path.name != "kustomization.yaml"]
        return [document for path in plain for document in yaml.safe_load_all(path.read_text(encoding="utf-8"))]
    run = subprocess.run(["kubectl", "kustomize", base], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    return list(yaml.safe_load_all(run.stdout))


def one(manifests: list[dict[str, Any]], kind: str) -> dict[str, Any]:
    (found,) = [m for m in manifests if m["kind"] == kind]
    return found


@pytest.fixture
def pod(manifests: list[dict[str, Any]]) -> dict[str, Any]:
    deployment = one(manifests, "Deployment")
    assert deployment["spec"]["replicas"] == 1
    found: dict[str, Any] = deployment["spec"]["template"]["spec"]
    return found


@pytest.mark.parametrize("version", KUBERNETES)
def test_the_manifests_are_valid(manifests: list[dict[str, Any]], version: str) -> None:
    assert {"Deployment", "Service", "NetworkPolicy"} <= {m["kind"] for m in manifests}
    for manifest in manifests:
        kubernetes_validate.validate(manifest, version, strict=True)


def test_a_wrong_manifest_is_noticed(manifests: list[dict[str, Any]]) -> None:
    wrong = json.loads(json.dumps(one(manifests, "Deployment")))
    wrong["spec"]["template"]["spec"]["terminationGracePeriod"] = 40
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(wrong, KUBERNETES[-1], strict=True)


def test_the_pod_may_do_nothing_that_it_needs_not(pod: dict[str, Any]) -> None:
    assert pod["automountServiceAccountToken"] is False
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["runAsUser"] >= 10_000
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    for container in [*pod["containers"], *pod["initContainers"]]:
        assert container["securityContext"] == {
            "readOnlyRootFilesystem": True,
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
        }
    writable = [volume for volume in pod["volumes"] if not {"secret", "configMap"} & set(volume)]
    assert [volume["emptyDir"] for volume in writable] == [{"medium": "Memory", "sizeLimit": "16Mi"}]


def test_secrets_reach_the_pod_as_files_only(pod: dict[str, Any]) -> None:
    for container in [*pod["containers"], *pod["initContainers"]]:
        assert "envFrom" not in container
        assert all("value" in variable for variable in container.get("env", ()))
        mounts = {mount["mountPath"] for mount in container["volumeMounts"]}
        assert "/run/secrets/centra-mirakl" in mounts


def test_the_pod_has_time_to_drain_and_separate_probes(pod: dict[str, Any]) -> None:
    (container,) = pod["containers"]
    drain = {v["name"]: v["value"] for v in container["env"]}["CENTRA_MIRAKL_DRAIN_SECONDS"]
    assert pod["terminationGracePeriodSeconds"] >= float(drain) + 10
    assert container["livenessProbe"]["httpGet"]["path"] == "/healthz"
    assert container["readinessProbe"]["httpGet"]["path"] == "/readyz"
    (migrate,) = pod["initContainers"]
    assert migrate["args"] == ["migrate"]
    assert migrate["image"] == container["image"]


def test_the_network_policy_denies_what_it_does_not_name(manifests: list[dict[str, Any]]) -> None:
    policy = one(manifests, "NetworkPolicy")["spec"]
    labels = one(manifests, "Deployment")["spec"]["template"]["metadata"]["labels"]
    assert policy["podSelector"]["matchLabels"].items() <= labels.items()
    assert set(policy["policyTypes"]) == {"Ingress", "Egress"}
    for rule in policy["ingress"]:
        assert rule["from"]
        assert [port["port"] for port in rule["ports"]] == [8080]
    assert {port["port"] for rule in policy["egress"] for port in rule["ports"]} == {53, 443, 4318, 5432}
    (outside,) = [peer["ipBlock"] for rule in policy["egress"] for peer in rule["to"] if "ipBlock" in peer]
    assert "169.254.0.0/16" in outside["except"], "the cloud's own service of credentials"


def test_the_example_channel_file_is_valid_and_the_deployed_one() -> None:
    example = ROOT / "channels.example.toml"
    channels = load_channels(example)
    assert len(channels.channel) == 2
    assert example.read_bytes() == (ROOT / "deploy" / "base" / "channels.toml").read_bytes()


# ------------------------------------------------------------------------------------------------ README and image


def test_the_readme_gives_two_commands_on_its_first_screen_and_ci_uses_them() -> None:
    first_screen = "\n".join((ROOT / "README.md").read_text(encoding="utf-8").splitlines()[:40])
    commands = re.findall(r"^\s*(python3 .+)$", first_screen, re.MULTILINE)
    assert commands == [DEMO, TESTS]
    ci = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    assert ci.count(TESTS) == 1
    assert ci.count(DEMO) == 1


def test_every_link_of_the_documents_leads_somewhere() -> None:
    for page in [ROOT / "README.md", ROOT / "CHANGELOG.md", *(ROOT / "docs").rglob("*.md")]:
        for target in re.findall(r"\]\(([^)#]+)", page.read_text(encoding="utf-8")):
            if not urlsplit(target).scheme:
                assert (page.parent / target).exists(), f"{page.name} → {target}"


def test_the_image_is_run_by_a_numeric_user_without_a_shell_and_without_the_stand_ins() -> None:
    lines = (ROOT / "Dockerfile").read_text(encoding="utf-8").splitlines()
    last = lines[max(number for number, line in enumerate(lines) if line.startswith("FROM ")) :]
    assert "USER 10001:10001" in last
    assert 'ENTRYPOINT ["centra-mirakl"]' in last
    ignored = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    assert ignored[-2:] == ["app/sandbox", "**/__pycache__"]
    assert "*" in ignored
