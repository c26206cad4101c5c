"""`privacy erase`: a buyer's data leave this service for good, and Centra (business rule 24)."""

from __future__ import annotations

from dataclasses import dataclass

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from app.commands.context import configuration, database_of
from app.commands.orders import DeclinedError, find_orders, known_channel
from app.domain.ids import OrderId
from app.domain.progress import Record
from app.settings import PRIVACY_KEY, SettingsError
from app.store import buyers, orders
from app.store.effects import audit
from app.store.marks import Mark
from app.store.pool import Connection, Database, Transaction
from app.supervisor import Configuration


@dataclass(frozen=True, slots=True)
class Erased:
    """What became of one order's buyer."""

    scope: str
    record: Record
    was_here: bool
    customer: int | None
    """The Centra customer that is being erased."""


async def erase(console: Console, name: str, *, channel: str | None, who: str, why: str) -> None:
    """Erase the buyers of all orders that an id, a Centra number or an e-mail means. Raises DeclinedError."""
    if "@" in why or "@" in who:
        raise SettingsError("who and why stay in the audit for years: write no address into them")
    told = configuration()
    async with database_of(told) as database:
        async with database.desk.acquire() as connection:
            found = await _named(connection, told, name, channel)
        erased = [await _erase(database, scope, order_id, who, why) for scope, order_id in sorted(found)]
    table = Table("channel", "order", "Centra", "here", "in Centra", title="buyer data", title_justify="left")
    for one in erased:
        table.add_row(
            one.scope,
            escape(one.record.order.order_id),
            str(one.record.number or ""),
            "erased" if one.was_here else "nothing was left",
            _in_centra(told, one),
        )
    console.print(table)
    console.print("kept, without the buyer: what was ordered, amounts and the audit, as tax law asks for them")
    alive = [one.record.order.order_id for one in erased if one.record.outcome is None]
    if alive:
        console.print(
            f"[yellow]still open:[/] {escape(', '.join(alive))}; what is not in Centra yet can't be delivered any more"
        )


async def _named(
    connection: Connection, told: Configuration, name: str, channel: str | None
) -> list[tuple[str, OrderId]]:
    if "@" not in name:
        return await find_orders(connection, told, name, channel)
    key = told.secrets.read(PRIVACY_KEY).get_secret_value().encode()
    hashed = buyers.email_hash(key, name)
    found = await buyers.by_email(connection, hashed) if hashed else []
    wanted = found if channel is None else [p for p in found if p[0] == known_channel(told, channel)]
    if not wanted:
        raise DeclinedError(
            f"no buyer with this e-mail address is kept; buyers are erased {told.channels.privacy.keep_days} days after"
            " their order ended: name such an order by its id, to have it erased in Centra too"
        )
    return wanted


async def _erase(database: Database, scope: str, order_id: OrderId, who: str, why: str) -> Erased:
    async def steps(tx: Transaction) -> Erased:
        record = await orders.read(tx.connection, scope, order_id)
        assert record is not None
        was_here = await buyers.read(tx.connection, scope, order_id) is not None
        customer = await buyers.erase(tx.connection, scope, order_id)
        if customer is not None:
            tx.mark([Mark(scope, buyers.ERASURES, order_id)])
        await audit(tx.connection, scope, who, f"order:{order_id}", None, "buyer erased", why)
        return Erased(scope, record, was_here, customer)

    return await database.transact(steps)


def _in_centra(told: Configuration, one: Erased) -> str:
    """What happens there, in words."""
    if one.customer is not None:
        channel = told.channels.by_id().get(one.scope)
        works = channel is not None and channel.orders.is_read
        return f"customer {one.customer} is being erased" if works else f"erase customer {one.customer} by hand"
    return "not read back yet: say this again later" if one.record.number else "never was there"
