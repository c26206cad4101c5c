"""The house's own rules: lock, layout, imports, names, and that what stands beside the code still fits it."""

import ast
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml
from prometheus_client.metrics import MetricWrapperBase

from app.settings import load_channels
from app.telemetry import metrics

ROOT = Path(__file__).resolve().parents[2]
APP = ROOT / "app"
INDEX_HOSTS = {"pypi.org", "files.pythonhosted.org"}
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
UNITS += ("bytes", "connections", "rows", "effects", "shipments", "differences", "payouts")
WITHOUT_UNIT = {
    "centra_mirakl_allowance_left": "the bucket's own: requests, mutations or points of complexity",
    "centra_mirakl_parity_share": "the score that people ask for, from 0 to 1",
    "centra_mirakl_held_money": "the currency's major unit, which a label names",
    "centra_mirakl_seller_rating": "the measure's, whose name ends in it",
    "centra_mirakl_seller_rating_limit": "the measure's, whose name ends in it",
    "centra_mirakl_settlement_at_stake_minor": "the currency's minor unit, which a label names",
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


# ---------------------------------------------------------------------------------------------- channel file


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
