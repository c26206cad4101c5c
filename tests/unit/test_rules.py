"""Every alert is somebody's, says what to do first, is tried both ways, has a page; nothing silences a deadline."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from app.domain.teams import Team

ROOT = Path(__file__).resolve().parents[2]
PAGES = ROOT / "docs" / "runbook"
HEADINGS = ("## What it means", "## First", "## Then", "## How it ends")
DASHBOARDS = "overview|orders|stock|catalogue|dispatch|money|platform"
OF_ITS_SERIES = "{{ $labels.team }}"
Rule = Mapping[str, Any]


def read(path: Path) -> Any:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


RULES: list[Rule] = [
    rule
    for path in sorted((ROOT / "observability" / "rules").glob("*.yml"))
    for group in read(path)["groups"]
    for rule in group["rules"]
    if "alert" in rule
]
ALERTMANAGER = read(ROOT / "observability" / "alertmanager" / "alertmanager.yml")
CASES = [
    case
    for path in sorted((ROOT / "observability" / "tests").glob("*.yml"))
    for test in read(path)["tests"]
    for case in test.get("alert_rule_test", ())
]


def page(name: str) -> str:
    return (PAGES / f"{name}.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: f"{rule['alert']}-{rule['labels']['severity']}")
def test_an_alert_is_somebodys_and_says_what_to_do_first(rule: Rule) -> None:
    team = rule["labels"]["team"]
    if team == OF_ITS_SERIES:
        assert re.search(r"by \([^)]*\bteam\b[^)]*\)", rule["expr"]), "the series must name the team"
    else:
        assert team in {team.value for team in Team}
    assert rule["labels"]["severity"] in {"page", "ticket"}
    notes = rule["annotations"]
    assert set(notes) - {"oldest", "deadline", "money"} == {"summary", "description", "action", "dashboard", "runbook"}
    assert re.match(rf"/d/centra-mirakl-({DASHBOARDS})(\?|$)", notes["dashboard"])
    assert notes["runbook"] == f"docs/runbook/{rule['alert']}.md"


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: f"{rule['alert']}-{rule['labels']['severity']}")
def test_an_alert_has_a_case_that_fires_and_one_that_does_not(rule: Rule) -> None:
    severity = rule["labels"]["severity"]
    fires = {
        any(expected["exp_labels"]["severity"] == severity for expected in case["exp_alerts"])
        for case in CASES
        if case["alertname"] == rule["alert"]
    }
    assert fires == {True, False}


@pytest.mark.parametrize("name", sorted({rule["alert"] for rule in RULES}))
def test_an_alert_has_a_page(name: str) -> None:
    text = page(name)
    assert text.startswith(f"# {name}\n")
    assert [line for line in text.splitlines() if line.startswith("## ")] == list(HEADINGS)
    assert "\nHow bad: " in text
    assert "\nFallback: " in text


def test_no_page_is_left_behind() -> None:
    assert {path.stem for path in PAGES.glob("*.md")} == {rule["alert"] for rule in RULES}


# ------------------------------------------------------------------------------------------------ inhibition


def named(matchers: list[str]) -> set[str]:
    """The alerts that these matchers name; all of them where they name none."""
    for matcher in matchers:
        if found := re.fullmatch(r'alertname=~?"([^"]+)"', matcher):
            return set(found[1].split("|"))
    return {rule["alert"] for rule in RULES}


def deadline_of(name: str) -> set[str | None]:
    return {rule["labels"].get("deadline") for rule in RULES if rule["alert"] == name}


def severity_of(name: str) -> set[str]:
    return {rule["labels"]["severity"] for rule in RULES if rule["alert"] == name}


def silenced(inhibition: Rule) -> Iterator[tuple[str, str]]:
    """Pairs of alerts, the first of which silences the second, where the second is about a deadline."""
    if 'deadline=""' in inhibition["target_matchers"]:
        return
    for target in named(inhibition["target_matchers"]):
        if deadline_of(target) != {None}:
            yield from ((source, target) for source in named(inhibition["source_matchers"]))


def test_only_its_own_later_step_silences_a_deadline() -> None:
    pairs = {pair for inhibition in ALERTMANAGER["inhibit_rules"] for pair in silenced(inhibition)}
    assert pairs == {("OrdersAboutToLapse", "OrdersUnaccepted"), ("ParcelsOverdue", "ParcelsUntold")}
    for later, earlier in pairs:
        assert deadline_of(later) == deadline_of(earlier)
        assert (severity_of(later), severity_of(earlier)) == ({"page"}, {"ticket"})


def test_what_tells_of_time_left_for_orders_and_parcels_says_that_it_is_a_deadline() -> None:
    asked = ("acceptance_window_used_ratio", 'outcome="lapsed"', "untold_shipments_oldest_seconds", "waiting_threads")
    about = {rule["alert"] for rule in RULES if any(words in rule["expr"] for words in asked)}
    assert about == {rule["alert"] for rule in RULES if "deadline" in rule["labels"]}


def test_inhibitions_name_alerts_that_there_are() -> None:
    every = {rule["alert"] for rule in RULES}
    for inhibition in ALERTMANAGER["inhibit_rules"]:
        assert named(inhibition["source_matchers"]) <= every
        assert named(inhibition["target_matchers"]) <= every
