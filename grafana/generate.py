"""Writes the dashboards: `python -m grafana.generate`. The JSON is never edited by hand.

One module a dashboard, one call a panel. Flow and scope are labels, so a new flow or channel shows up by itself.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from grafana_foundation_sdk.cog.encoder import JSONEncoder

from grafana import catalogue, dispatch, money, orders, overview, platform, stock

FOLDER = Path(__file__).resolve().parent / "dashboards"
DASHBOARDS = {
    f"{module.NAME}.json": module.build for module in (overview, orders, stock, catalogue, dispatch, money, platform)
}


def written(name: str) -> str:
    """The text of one dashboard's file."""
    return json.dumps(DASHBOARDS[name]().build(), cls=JSONEncoder, indent=2, sort_keys=True) + "\n"


def main() -> None:
    """Write every dashboard."""
    FOLDER.mkdir(exist_ok=True)
    for name in DASHBOARDS:
        (FOLDER / name).write_text(written(name), encoding="utf-8")
        sys.stdout.write(f"{FOLDER / name}\n")


if __name__ == "__main__":
    main()
