"""Dashboards: committed as generated, each query sound, each panel with words, units and a place of its own.

That every query finds data is for the running demo to say: `python -m tests.observability.panels`.
"""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client.metrics import MetricWrapperBase

from app.telemetry import metrics
from grafana import generate

ROOT = Path(__file__).resolve().parents[2]
PICTURES = ROOT / "docs" / "dashboards"
NAMES = ("catalogue", "dispatch", "money", "orders", "overview", "platform", "stock")
UNITS = {"short", "s", "percentunit", "bytes", "ops", "locale"}
OURS = re.compile(r"(?:\w+:)*\bcentra_mirakl_\w+(?::\w+)*")
COLUMNS = 24


def read(name: str) -> Any:
    return json.loads((generate.FOLDER / f"{name}.json").read_text(encoding="utf-8"))


def panels() -> Iterator[tuple[str, Any]]:
    return ((name, panel) for name in NAMES for panel in read(name)["panels"])


def expressions(node: Any) -> Iterator[str]:
    """Every PromQL expression within: of panels and of marks."""
    if isinstance(node, dict):
        if isinstance(node.get("expr"), str):
            yield node["expr"]
        node = list(node.values())
    if isinstance(node, list):
        for value in node:
            yield from expressions(value)


def every_expression() -> list[str]:
    return [expression for name in NAMES for expression in expressions(read(name))]


def recorded() -> set[str]:
    files = [yaml.safe_load(path.read_text(encoding="utf-8")) for path in (ROOT / "observability/rules").glob("*.yml")]
    return {r["record"] for file in files for group in file["groups"] for r in group["rules"] if "record" in r}


def declared(kind: str) -> list[MetricWrapperBase]:
    found = [value for value in vars(metrics).values() if isinstance(value, MetricWrapperBase)]
    return [metric for metric in found if metric._type == kind]


# ------------------------------------------------------------------------------------------------ the files


def test_the_dashboards_are_what_their_generator_writes() -> None:
    assert {path.stem for path in generate.FOLDER.glob("*.json")} == set(NAMES)
    for path in generate.FOLDER.glob("*.json"):
        assert path.read_text(encoding="utf-8") == generate.written(path.name), "run python -m grafana.generate"


@pytest.mark.parametrize("name", NAMES)
def test_a_dashboard_is_one_screen_for_one_audience_and_leads_to_the_others(name: str) -> None:
    dashboard = read(name)
    assert dashboard["uid"] == f"centra-mirakl-{name}"
    assert dashboard["description"].endswith("?"), "it says which question it answers"
    assert 8 <= len(dashboard["panels"]) <= 16
    assert set(dashboard["links"][0]["tags"]) <= set(dashboard["tags"])
    assert [variable["name"] for variable in dashboard["templating"]["list"]] == ["datasource", "scope"]
    targets = {url for panel in dashboard["panels"] for link in panel.get("links", ()) for url in [link["url"]]}
    assert {url.split("?")[0] for url in targets} <= {f"/d/centra-mirakl-{other}" for other in NAMES}


@pytest.mark.parametrize("name", NAMES)
def test_panels_fill_their_rows_and_never_overlap(name: str) -> None:
    taken = [
        (x, y)
        for panel in read(name)["panels"]
        for at in [panel["gridPos"]]
        for x in range(at["x"], at["x"] + at["w"])
        for y in range(at["y"], at["y"] + at["h"])
    ]
    assert len(taken) == len(set(taken)) == COLUMNS * (1 + max(y for _, y in taken))


def test_a_panel_says_what_it_shows_in_which_unit_and_what_good_is() -> None:
    for name, panel in panels():
        words = f"{name}: {panel['title']}"
        assert panel["title"], words
        assert re.fullmatch(r".{30,}\.", panel["description"]), words
        assert panel["fieldConfig"]["defaults"]["unit"] in UNITS, words
        assert panel["targets"], words
    assert len({(name, panel["title"]) for name, panel in panels()}) == len(list(panels()))


# ------------------------------------------------------------------------------------------------ the queries


def test_queries_name_only_what_is_exported_or_recorded() -> None:
    named = {name for expression in every_expression() for name in OURS.findall(expression)}
    assert len(named) > 50
    assert named - set(metrics.registry._names_to_collectors) - recorded() == set()


def test_a_database_gauge_is_taken_once_however_many_replicas_export_it() -> None:
    gauges = {metric._name for metric in declared("gauge") if metric._documentation.endswith("(database).")}
    for expression in every_expression():
        for found in OURS.finditer(expression):
            if found[0] in gauges:
                before = expression[: found.start()]
                assert re.search(r"(?:(?:max|min) without \(instance, pod\) \(|\bmax\()$", before), expression


def test_a_counter_is_never_shown_bare() -> None:
    counters = {f"{metric._name}_total" for metric in declared("counter")}
    counters |= {metric._name + part for metric in declared("histogram") for part in ("_bucket", "_count", "_sum")}
    for expression in every_expression():
        for found in OURS.finditer(expression):
            if found[0] in counters:
                assert expression[: found.start()].endswith(("rate(", "increase(")), expression


@pytest.mark.skipif(shutil.which("promtool") is None, reason="PANELS NOT CHECKED: promtool is not installed")
def test_promtool_accepts_every_expression(tmp_path: Path) -> None:
    asked = [e.replace("$__rate_interval", "5m").replace("$scope", ".*") for e in every_expression()]
    assert not [expression for expression in asked if "$" in expression], "a variable that is not known here"
    rules = [{"record": f"panel:{number}", "expr": expression} for number, expression in enumerate(asked)]
    checked = tmp_path / "panels.yml"
    checked.write_text(json.dumps({"groups": [{"name": "panels", "rules": rules}]}), encoding="utf-8")
    run = subprocess.run(["promtool", "check", "rules", checked], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr


# ------------------------------------------------------------------------------------------------ the pictures


def test_each_dashboard_has_a_small_picture_and_a_line_in_the_docs() -> None:
    assert {path.stem for path in PICTURES.glob("*.png")} == set(NAMES)
    page = (PICTURES / "README.md").read_text(encoding="utf-8")
    for name in NAMES:
        assert f"]({name}.png)" in page
        assert read(name)["title"] in page
        assert (PICTURES / f"{name}.png").stat().st_size < 200_000
