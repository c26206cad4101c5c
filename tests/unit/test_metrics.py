"""Metrics of this process: what its page holds from the start, how late its loop turns, which certificate counts."""

import time

import anyio
from prometheus_client.openmetrics.exposition import generate_latest

from app.engine.loop_delay import TURN_SECONDS, watch_loop
from app.flows import all_flows
from app.settings import Channels
from app.supervisor import _zero_counters
from app.telemetry import metrics

SCOPE, SOURCE = "zeroed-fr", "zeroed"
CHANNELS = Channels.model_validate(
    {
        "centra": {"id": SOURCE, "url": "https://shop.centra.com"},
        "channel": [{"id": SCOPE, "url": "https://demo.mirakl.net", "shop_id": 2001, "market": 1}],
    }
)


def test_counters_are_there_before_anything_happened() -> None:
    """Else the first of a kind, which is the one to be told of, is no increase (business rule 23)."""
    _zero_counters(all_flows(), CHANNELS)
    for name, labels in (
        ("webhooks_total", {"scope": SOURCE, "verdict": "wrong_signature"}),
        ("events_read_total", {"scope": SOURCE, "type": "StockChange"}),
        ("keys_settled_total", {"scope": SCOPE, "flow": "stock", "verdict": "held"}),
        ("import_lines_total", {"scope": SCOPE, "kind": "stock", "result": "refused"}),
        ("imports_ended_total", {"scope": SCOPE, "kind": "stock", "end": "lost"}),
        ("mass_change_alarms_total", {"scope": SCOPE, "kind": "vanished"}),
        ("orders_ended_total", {"scope": SCOPE, "outcome": "lapsed"}),
        ("shipped_to_told_seconds_count", {"scope": SCOPE}),
        ("change_to_confirmed_seconds_count", {"scope": SCOPE, "flow": "stock"}),
    ):
        assert metrics.registry.get_sample_value(f"centra_mirakl_{name}", labels) == 0, name


def test_the_page_tells_of_the_process_itself() -> None:
    page = generate_latest(metrics.registry).decode()  # type: ignore[no-untyped-call]
    for name in ("process_resident_memory_bytes ", "process_open_fds ", "process_cpu_seconds_total ", "python_info{"):
        assert f"\n{name}" in page


async def test_a_loop_that_was_blocked_is_late() -> None:
    def late() -> float:
        most = {"le": "0.25"}
        name = "centra_mirakl_loop_delay_seconds"
        every = metrics.registry.get_sample_value(f"{name}_count") or 0.0
        return every - (metrics.registry.get_sample_value(f"{name}_bucket", most) or 0.0)

    before = late()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(watch_loop)
        await anyio.sleep(0.01)
        time.sleep(TURN_SECONDS + 0.3)  # noqa: ASYNC251 - this is what must not happen
        await anyio.sleep(0.05)
        tasks.cancel_scope.cancel()
    assert late() == before + 1


def test_of_a_scopes_hosts_the_certificate_that_ends_first_counts() -> None:
    def ends() -> float | None:
        labels = {"scope": SOURCE, "kind": "certificate"}
        return metrics.registry.get_sample_value("centra_mirakl_credential_expires_timestamp_seconds", labels)

    metrics.certificate_seen(SOURCE, "https://shop.centra.com", 2000.0)
    metrics.certificate_seen(SOURCE, "https://orders.centra.com", 1000.0)
    assert ends() == 1000.0
    metrics.certificate_seen(SOURCE, "https://orders.centra.com", 3000.0)  # it was renewed
    assert ends() == 2000.0
