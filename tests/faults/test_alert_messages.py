"""What a person reads, and what nobody is bothered with: the real Alertmanager with our routes and templates."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from app.commands.lab import free_port
from app.domain.teams import Team
from tests.alerting import (
    OBSERVABILITY,
    ROUTES,
    Json,
    alertmanager,
    checked,
    found_programs,
    receivers,
    running_program,
    tell,
)

FR = "demo-fr"
SINCE = "2026-03-01T09:30:00Z"
UNTIL = "2999-01-01T00:00:00Z"


@pytest.fixture(scope="module")
def programs() -> Mapping[str, str]:
    return found_programs()


def alert(name: str, severity: str, team: str, **members: str) -> Json:
    """An alert as our rules give it. `members`: its deadline's label, and annotations."""
    labels = {"alertname": name, "severity": severity, "team": team, "scope": FR}
    labels |= {"deadline": members.pop("label")} if "label" in members else {}
    notes = {
        "summary": f"About {name}",
        "description": "It is so.",
        "action": f"centra-mirakl held list {FR}",
        "dashboard": f"/d/centra-mirakl-money?var-scope={FR}",
        "runbook": f"docs/runbook/{name}.md",
    }
    return {"labels": labels, "annotations": notes | members, "startsAt": SINCE, "endsAt": UNTIL}


REFUNDS = """\
3 refunds wait

It is so.

Oldest: 2h 5m 0s
Deadline: today
At stake: 79.90 EUR
First: centra-mirakl held list demo-fr
What to do: https://manual.shop.example/docs/runbook/RefundsHeld.md
Look: https://grafana.shop.example/d/centra-mirakl-money?var-scope=demo-fr
Since 2026-03-01 09:30 UTC, for finance, channel demo-fr
"""


async def test_a_message_says_what_is_known_and_consequences_are_kept_back_but_never_a_deadline(
    tmp_path: Path, programs: Mapping[str, str]
) -> None:
    """While a marketplace is away nobody is told that its stock is stale; if it still is later, they are."""
    refunds = {"summary": "3 refunds wait", "oldest": "2h 5m 0s", "deadline": "today", "money": "79.90 EUR"}
    alerts_to = f"127.0.0.1:{free_port()}"
    async with receivers() as inbox:
        with running_program(tmp_path, *alertmanager(tmp_path, programs, inbox, alerts_to)):
            cause = alert("MarketplaceSilent", "page", "operations")
            await tell(alerts_to, [cause, alert("RefundsHeld", "ticket", "finance", **refunds)])
            assert await inbox.gets_mail("finance@", "3 refunds wait") == REFUNDS + "\n"
            await inbox.receives("/pages", "MarketplaceSilent", "firing", FR)
            await inbox.receives("/tickets/operations", "MarketplaceSilent", "firing", FR)

            late = alert("StockStale", "page", "operations")
            deadline = alert("OrdersUnaccepted", "ticket", "operations", label="accept")
            await tell(alerts_to, [late, deadline])
            await inbox.receives("/tickets/operations", "OrdersUnaccepted", "firing", FR)
            await tell(alerts_to, [alert("OrdersAboutToLapse", "page", "operations", label="accept")])
            await inbox.receives("/pages", "OrdersAboutToLapse", "firing", FR)
            assert ("/pages", "StockStale", FR) not in inbox.alerts

            await tell(alerts_to, [cause | {"endsAt": SINCE}])
            await inbox.receives("/pages", "StockStale", "firing", FR)
            await inbox.receives("/pages", "MarketplaceSilent", "resolved", FR)
            assert "First:" not in await inbox.gets_mail("on-call@", "[over] About MarketplaceSilent")


@pytest.mark.parametrize("team", list(Team))
def test_an_alert_goes_to_the_team_that_owns_it_and_a_page_to_whoever_is_on_call_too(
    programs: Mapping[str, str], team: Team
) -> None:
    routes = (programs["amtool"], "config", "routes", "test", f"--config.file={ROUTES}", f"team={team.value}")
    receiver = team.value.replace(" ", "-")
    assert checked(*routes, "severity=ticket").strip() == receiver
    assert checked(*routes, "severity=page").strip() == f"on-call,{receiver}"


def test_amtool_accepts_the_file_as_it_is(programs: Mapping[str, str]) -> None:
    said = checked(programs["amtool"], "check-config", str(ROUTES))
    assert " - 1 templates" in said
    assert list((OBSERVABILITY / "alertmanager" / "templates").glob("*.tmpl"))
