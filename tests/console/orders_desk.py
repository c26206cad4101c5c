"""Orders in a database, and commands about them run in this process: no stand-ins, so these tests are quick."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import anyio.to_thread
from typer.testing import CliRunner

from app.cli import main
from app.commands.line import err, out
from app.domain.ids import OrderId, OrderLineId, Sku
from app.domain.orders import Address, Buyer, Order, OrderLine, OrderState
from app.flows.order_intake import MIRAKL_ORDER
from app.store import buyers, inbox, orders, reservations
from app.store.inbox import Fact
from app.store.pool import Database, Transaction, connect
from app.store.reservations import Reserved
from tests.flows.service import FR, SOURCE, Ended

PRIVACY_KEY = "p-the-desk-of-orders"
CHANNELS = """
[centra]
url = 'http://127.0.0.1:1'
[privacy]
keep_days = 30
[[channel]]
id = 'demo-fr'
url = 'http://127.0.0.1:2'
shop_id = 1
market = 4
orders = {mode = 'dry_run'}
[[channel]]
id = 'demo-se'
url = 'http://127.0.0.1:3'
shop_id = 2
market = 5
orders = {mode = 'dry_run'}
"""
NOW = datetime.now(UTC).replace(microsecond=0)
BUYER = Buyer(
    customer_id="c-1",
    firstname="Mireille",
    lastname="Castagnier",
    email="relay.1@marketplace.example",
    shipping=Address(firstname="Mireille", lastname="Castagnier", street_1="14 rue des Tilleuls", city="Lyon"),
)
PERSONAL = ("Mireille", "Castagnier", "relay.1", "Tilleuls", "Lyon", "c-1")


def an_order(order_id: str = "R-1-A", **members: Any) -> Order:
    """Two units for 59.90, two hours old."""
    line = OrderLine(OrderLineId(f"{order_id}-1"), Sku("VX-1"), 2, Decimal("29.95"), Decimal("59.90"))
    order = Order(
        order_id=OrderId(order_id),
        commercial_id=order_id.rpartition("-")[0],
        state=OrderState.WAITING_ACCEPTANCE,
        created_at=NOW - timedelta(hours=2),
        updated_at=NOW - timedelta(hours=1),
        currency="EUR",
        lines=(line,),
        total_price=Decimal("59.90"),
        ship_by=NOW + timedelta(days=3),
        has_address=True,
    )
    return replace(order, **members)


async def said(environment: Mapping[str, str], *arguments: str) -> Ended:
    """A command, run in this process and on wide paper."""

    def invoke() -> Ended:
        out.width = err.width = 400
        ended = CliRunner().invoke(main, arguments, env={**environment, "NO_COLOR": "1"})
        if ended.exception is not None and not isinstance(ended.exception, SystemExit):
            raise ended.exception
        return Ended(ended.exit_code, ended.stdout, ended.stderr)

    return await anyio.to_thread.run_sync(invoke)


@dataclass
class Desk:
    """A database with a service's configuration."""

    database: Database
    environment: Mapping[str, str]

    async def say(self, *arguments: str, **variables: str) -> Ended:
        """A command; `variables` replace or (empty) take away some of its environment."""
        return await said({**self.environment, **variables}, *arguments)

    async def place(self, order: Order | None = None, *, channel: str = FR, hours: float = 24.0) -> Order:
        """Store an order as the intake does: with its buyer, its reservation, its raw fact and both keys."""
        order = order or an_order()
        key = PRIVACY_KEY.encode()

        async def steps(tx: Transaction) -> None:
            fact = Fact(f"{order.order_id}@raw", "order", order.order_id, '{"order_id": "raw-words"}')
            await inbox.store(tx.connection, channel, MIRAKL_ORDER, [fact])
            await orders.store(tx.connection, channel, order, order.created_at + timedelta(hours=hours), NOW)
            hashed = buyers.email_hash(key, BUYER.email)
            await buyers.store(tx.connection, channel, order.order_id, BUYER, hashed, anonymised=False)
            lines = [Reserved(line.line_id, line.sku, line.quantity) for line in order.lines]
            await reservations.write(tx.connection, SOURCE, channel, order.order_id, lines)
            tx.mark(await orders.marks_of_changed(tx.connection, channel, NOW, [order.order_id]))

        await self.database.transact(steps)
        return order

    async def held_by_flow(self, order_id: str, reason: str, *, flow: str = "orders", channel: str = FR) -> None:
        """As a flow that asks a person leaves its key."""
        await self.run(
            "UPDATE outbox SET state = 'held', held_at = app_now(), reason = $4, due_at = NULL"
            " WHERE scope = $1 AND flow = $2 AND key = $3",
            channel,
            flow,
            order_id,
            reason,
        )

    async def run(self, statement: str, *arguments: object) -> None:
        await self.database.desk.execute(statement, *arguments)

    async def keys(self, order_id: str, channel: str = FR) -> dict[str, tuple[str, bool]]:
        """By flow of an order: held, ready or waiting, and whether it is due now."""
        rows = await self.database.desk.fetch(
            "SELECT flow, state, coalesce(due_at <= app_now(), false) AS due FROM outbox"
            " WHERE scope = $1 AND key = $2 AND flow IN ('orders', 'order_entry')",
            channel,
            order_id,
        )
        return {row["flow"]: (row["state"], row["due"]) for row in rows}

    async def order(self, order_id: str, channel: str = FR) -> Mapping[str, Any]:
        row = await self.database.desk.fetchrow(
            "SELECT * FROM marketplace_order WHERE scope = $1 AND order_id = $2", channel, order_id
        )
        assert row is not None
        return dict(row)

    async def audited(self, order_id: str, channel: str = FR) -> list[tuple[str, str | None, str, str | None]]:
        """(who, from, to, why) of every act about an order."""
        rows = await self.database.desk.fetch(
            "SELECT actor, from_state, to_state, detail FROM audit WHERE scope = $1 AND subject = $2 ORDER BY at, id",
            channel,
            f"order:{order_id}",
        )
        return [tuple(row) for row in rows]


@asynccontextmanager
async def desk(dsn: str, folder: Path) -> AsyncIterator[Desk]:
    """Channel file and database, without a service."""
    file = folder / "channels.toml"
    file.write_text(CHANNELS)
    environment = {"DATABASE_URL": dsn, "CENTRA_MIRAKL_CHANNELS_FILE": str(file), "PRIVACY_KEY": PRIVACY_KEY}
    async with connect(dsn) as database:
        yield Desk(database, environment)


BOTH_DUE = {"orders": ("ready", True), "order_entry": ("ready", True)}
BOTH_HELD = {"orders": ("held", False), "order_entry": ("held", False)}
