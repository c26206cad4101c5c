"""`stock explain` and `stock release`: why a SKU has its quantity on each channel, and letting held changes go."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table
from rich.tree import Tree

from app.commands.context import configuration, database_of
from app.commands.status import age
from app.domain.stock import Size, Topology, Unreadable
from app.flows.stock import stock_policy
from app.policies.stock import available
from app.settings import Channel, SettingsError
from app.store import mirrors, offers, outbox, reservations
from app.store.effects import audit
from app.store.pool import Connection, Row
from app.store.sizes import size_of
from app.store.statements import sql
from app.store.time import read_clock


async def explain(console: Console, sku: str) -> bool:
    """Print every step for a SKU; False when nobody knows it."""
    told = configuration()
    async with database_of(told) as database, database.desk.acquire() as connection:
        source = told.channels.centra.id
        sizes = await connection.fetch(sql("size/by_sku"), source, sku)
        mirror = await mirrors.read_mirror(connection, source, mirrors.TOPOLOGY, Topology)
        topology = mirror.value if mirror else Topology({}, {})
        tree = Tree(f"[bold]{sku}[/]")
        _sizes(tree, sizes)
        known = bool(sizes)
        promised = await reservations.unplaced(connection, source, sku)
        for row in promised:
            tree.add(
                f"{row['units']} promised to {row['channel']}'s order {row['order_id']}, not taken from Centra's stock"
            )
        unplaced = sum(row["units"] for row in promised)
        for channel in told.channels.channel:
            known = await _channel(tree, connection, channel, sku, sizes, topology, unplaced) or known
        console.print(tree)
        return known


def _sizes(tree: Tree, sizes: list[Row]) -> None:
    if not sizes:
        tree.add("no size in Centra has this SKU, as far as was read")
    for row in sizes:
        gone = ", deleted" if row["deleted"] else ""
        tree.add(f"size {row['size_id']}{gone}: free by warehouse {row['free']}, read {row['read_at']:%H:%M:%S} UTC")


async def _channel(
    tree: Tree, connection: Connection, channel: Channel, sku: str, sizes: list[Row], topology: Topology, unplaced: int
) -> bool:
    branch = tree.add(f"[bold]{channel.id}[/] (market {channel.market})")
    size: Size | None = size_of(sizes[0], sku) if sizes else None
    outcome = available(size, topology, stock_policy(channel), unplaced)
    for step in outcome.steps:
        branch.add(step)
    if isinstance(outcome, Unreadable):
        branch.add(f"[red]held: {outcome.reason}[/]")
    offer = await connection.fetchrow(sql("offer/one"), channel.id, sku)
    if offer is None:
        branch.add("not listed on this marketplace, so nothing is sent")
        return False
    branch.add(_figures(offer))
    key = await connection.fetchrow(sql("outbox/one"), channel.id, offers.STOCK, sku)
    if key is not None:
        branch.add(await _state(connection, key))
    return True


def _figures(offer: Row) -> Table:
    table = Table("", "quantity", "version", "at")
    confirmed_at = offer["stock_confirmed_at"]
    table.add_row("wanted", _number(offer["stock_wanted"]), "", offer["stock_cause"] or "")
    table.add_row("sent", _number(offer["stock_sent"]), _number(offer["stock_sent_version"]), "")
    table.add_row(
        "confirmed",
        _number(offer["stock_confirmed"]) + _apart(offer["stock_confirmed_apart"]),
        _number(offer["stock_confirmed_version"]),
        f"{confirmed_at:%Y-%m-%d %H:%M:%S}" if confirmed_at else "",
    )
    read_at = offer["live_read_at"]
    live = _number(offer["live_quantity"]) + _apart(offer["live_apart"])
    table.add_row("live", live, "", f"{read_at:%Y-%m-%d %H:%M:%S}" if read_at else "")
    return table


def _apart(text: str | None) -> str:
    return "" if text is None else f" by warehouse: {text}"


def _number(value: int | None) -> str:
    return "-" if value is None else str(value)


async def _state(connection: Connection, key: Row) -> str:
    now = (await read_clock(connection)).rate.app_at
    if key["state"] == "held":
        return f"[red]held {age(now, key['held_at'])} ago: {key['reason']}[/]"
    if key["claimed"]:
        return "being worked now"
    if key["due_at"] is None:
        return f"nothing to do (version {key['version']})"
    why = f" ({key['reason']})" if key["reason"] else ""
    return f"due{why}, dirty for {age(now, key['dirty_since'] or key['due_at'])}"


async def release(console: Console, channel: str, skus: list[str], *, everything: bool, who: str, why: str) -> int:
    """Approve the held changes of some SKUs (or all) and let their keys go; how many."""
    if bool(skus) == everything:
        raise SettingsError("name the SKUs to release, or say --all (not both)")
    told = configuration()
    if channel not in told.channels.by_id():
        raise SettingsError(f"there is no channel {channel}; there are {', '.join(sorted(told.channels.by_id()))}")
    async with database_of(told) as database:
        chosen = None if everything else skus
        approved = await offers.approve(database, channel, chosen)
        released = await outbox.release(database, channel, offers.STOCK, chosen)
        async with database.desk.acquire() as connection:
            for sku in released:
                await audit(connection, channel, who, f"stock:{sku}", "held", "ready", why)
        console.print(f"{len(released)} keys released on {channel}, {len(approved)} changes approved")
        return len(released)
