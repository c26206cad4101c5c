"""Stored orders and the watch over their deadlines, where no platform answers and no worker runs.

`async with watching(dsn, folder, {"demo-fr": "dry_run"}) as parts:` gives the service's own parts over a database, with
its gauges kept; `seen(parts, ...)` stores an order as if a pass had just read it.
"""

import contextlib
from collections.abc import AsyncIterator, Mapping
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import anyio

from app.domain.ids import OrderId, OrderLineId, Sku
from app.domain.orders import OURS, Order, OrderLine, OrderState
from app.engine.flow import Services
from app.engine.gauges import keep_gauges
from app.engine.wakeups import Wakeups
from app.settings import Process, Secrets, load_channels
from app.store import orders
from app.store.pool import connect
from app.supervisor import Configuration, services
from app.telemetry import metrics

NOBODY = "http://127.0.0.1:9"
"""Loopback's discard port: nobody listens."""
WINDOW = timedelta(hours=24)

CHANNEL = """
[[channel]]
id = "{id}"
url = "{url}"
shop_id = 2001
currency = "EUR"
market = 4
{lines}
[channel.orders]
mode = "{mode}"
[[channel.orders.destinations]]
country = "*"
market = 4
price_list = 7
shipping_option = "standard"
"""


def gauge(name: str, scope: str, **labels: str) -> float | None:
    """A gauge of this process, None while it has no value."""
    return metrics.registry.get_sample_value(f"centra_mirakl_{name}", {"scope": scope, **labels})


@contextlib.asynccontextmanager
async def watching(
    dsn: str, folder: Path, modes: Mapping[str, str], lines: Mapping[str, str] | None = None
) -> AsyncIterator[Services]:
    """The parts of a service with one channel for each mode of taking orders, and their gauges kept."""
    (folder / "centra_token").write_text("t-nowhere")
    (folder / "centra_order_api_secret").write_text("s-nowhere")
    (folder / "privacy_key").write_text("p-nowhere")
    text = f'[centra]\nurl = "{NOBODY}"\norder_api = "{NOBODY}"\n'
    for channel, mode in modes.items():
        (folder / f"mirakl_key_{channel.replace('-', '_')}").write_text("k-nowhere")
        text += CHANNEL.format(id=channel, url=NOBODY, mode=mode, lines=(lines or {}).get(channel, ""))
    (folder / "channels.toml").write_text(text)
    configuration = Configuration(Process(), load_channels(folder / "channels.toml"), Secrets(folder))
    wakeups = Wakeups()
    async with (
        connect(dsn, wake=wakeups.marked) as database,
        services(configuration, database, wakeups) as parts,
        anyio.create_task_group() as around,
    ):
        around.start_soon(keep_gauges, parts, {})
        yield parts
        around.cancel_scope.cancel()


async def seen(
    parts: Services,
    scope: str,
    order_id: str,
    *,
    hours_ago: float,
    state: str = OrderState.WAITING_ACCEPTANCE,
    fulfilled_by: str = OURS,
) -> None:
    """An order that the marketplace created so long ago is read now, in this state."""
    now = parts.clock.now()
    created_at = now - timedelta(hours=hours_ago)
    line = OrderLine(OrderLineId(f"{order_id}-1"), Sku("VX-100-M"), 1, Decimal("39.95"), Decimal("39.95"))
    order = Order(OrderId(order_id), order_id, state, created_at, now, "EUR", (line,), fulfilled_by=fulfilled_by)
    async with parts.database.work.acquire() as connection:
        assert await orders.store(connection, scope, order, created_at + WINDOW, now)
