"""An order that the marketplace does not let us accept reaches a person, and so does its acceptance: the real programs.

The service works against the marketplace's stand-in, which hangs up on OR21. Prometheus scrapes the service's own page
with our rules, and tells Alertmanager with our routes, which calls a webhook and sends a mail.
"""

from collections.abc import Mapping
from pathlib import Path

import anyio
import pytest

from app.commands.lab import free_port
from app.domain.progress import Outcome
from app.domain.teams import Team
from app.engine import gauges
from app.web.server import State, create_metrics
from tests.alerting import alertmanager, found_programs, prometheus, receivers, running_program, served
from tests.flows.service import FR, Service, order_shape, running

WINDOW_HOURS = 24
TICKET = "OrdersUnaccepted"
OPERATIONS = "/tickets/operations"


@pytest.fixture(scope="module")
def programs() -> Mapping[str, str]:
    return found_programs()


async def _bought(service: Service, count: int) -> list[str]:
    skus = [size["sku"] for size in await service.sizes()]
    return await service.place(*({"lines": [{"sku": skus[n]}], "address_seconds": 0} for n in range(count)))


async def test_an_order_that_is_not_accepted_reaches_operations_and_so_does_its_acceptance(
    database_url: str, tmp_path: Path, programs: Mapping[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gauges, "EVERY_SECONDS", 0.5)
    seconds = WINDOW_HOURS * 3_600
    wanted = order_shape(
        scale=60.0,
        order_lines={FR: f"accept_within_seconds = {seconds}"},
        mirakl={"orders": {"acceptance_seconds": seconds}},
    )
    alerts_to = f"127.0.0.1:{free_port()}"
    async with (
        running(database_url, wanted) as service,
        receivers() as inbox,
        served(create_metrics(State())) as page,
        anyio.create_task_group() as around,
    ):
        around.start_soon(gauges.keep_gauges, service.parts, {(FR, "orders"): Team.OPERATIONS})
        await service.faults(service.mirakl(), {"code": "OR21", "kind": "drop", "count": None})
        order_ids = await _bought(service, 2)
        for order_id in order_ids:
            await service.becomes(order_id, lambda record: record.accept_sent_at)
        with (
            running_program(tmp_path, *alertmanager(tmp_path, programs, inbox, alerts_to)),
            running_program(tmp_path, *prometheus(tmp_path, programs, page, alerts_to)),
        ):
            await service.jump(0.55 * seconds)
            told = await inbox.receives(OPERATIONS, TICKET, "firing", FR)
            assert told["labels"].items() >= {"severity": "ticket", "team": "operations", "deadline": "accept"}.items()
            notes = told["annotations"]
            assert notes["summary"].startswith(f"2 orders of {FR} wait for acceptance, one has used 5")
            assert notes["deadline"].startswith("10h ")
            assert notes["action"] == f"centra-mirakl orders list {FR}"
            assert notes["dashboard"] == f"/d/centra-mirakl-orders?var-scope={FR}"
            assert notes["runbook"] == f"docs/runbook/{TICKET}.md"
            assert told["generatorURL"].startswith("http")
            mail = await inbox.gets_mail("operations@", f"2 orders of {FR} wait for acceptance")
            assert f"\nDeadline: {notes['deadline']}\n" in mail
            assert f"\nLook: https://grafana.shop.example{notes['dashboard']}\n" in mail

            await service.admin.clear_faults(service.mirakl())
            await service.ends(Outcome.RELEASED, *order_ids, seconds=30)
            await inbox.receives(OPERATIONS, TICKET, "resolved", FR)
        around.cancel_scope.cancel()
