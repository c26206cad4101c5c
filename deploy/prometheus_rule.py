"""Writes deploy/monitoring/prometheus-rule.yaml from observability/rules: `python deploy/prometheus_rule.py`.

The rules are written once, as Prometheus reads them; the operator wants the same groups inside an object of its own.
A test compares what is committed with what this writes.
"""

from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[1]
RULES = ROOT / "observability" / "rules"
TARGET = ROOT / "deploy" / "monitoring" / "prometheus-rule.yaml"
HEADER = "# Written by deploy/prometheus_rule.py from observability/rules: change it there.\n"


class Block(yaml.SafeDumper):
    """Writes text of several lines as a block, as the rules' own files do."""


Block.add_representer(
    str, lambda dumper, text: dumper.represent_scalar("tag:yaml.org,2002:str", text, "|" if "\n" in text else None)
)


def written() -> str:
    """The file's text: the groups of all rule files, in the order of the files' names."""
    files = [yaml.safe_load(path.read_text(encoding="utf-8")) for path in sorted(RULES.glob("*.yml"))]
    rule = {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "PrometheusRule",
        "metadata": {"name": "centra-mirakl"},
        "spec": {"groups": [group for file in files for group in file["groups"]]},
    }
    return HEADER + yaml.dump(rule, Dumper=Block, sort_keys=False, allow_unicode=True, width=120)


if __name__ == "__main__":
    TARGET.write_text(written(), encoding="utf-8")
