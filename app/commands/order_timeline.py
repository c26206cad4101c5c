"""`orders show`: everything that happened to an order, in one timeline. Its buyer only on request, which is audited."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

import msgspec
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.tree import Tree

from app.commands.context import configuration, database_of
from app.commands.order_list import Standing, standing_of
from app.commands.orders import find_orders
from app.domain.progress import Record
from app.flows.order_intake import MIRAKL_ORDER
from app.settings import SettingsError
from app.store import buyers, intents, orders, reservations, returns
from app.store.effects import audit
from app.store.intents import Intent
from app.store.pool import Connection, Row
from app.store.returns import Walked
from app.store.statements import sql
from app.store.time import read_clock

Moment = tuple[datetime, str, str]
"""When, who, what."""


async def show(
    console: Console, name: str, *, channel: str | None, raw: bool, buyer: bool, who: str, why: str | None
) -> None:
    """Print an order's timeline, or which orders a name means. Raises DeclinedError for an unknown one."""
    if buyer and not why:
        raise SettingsError("buyer data is shown for a reason, which is written down: say --why")
    told = configuration()
    async with database_of(told) as database, database.desk.acquire() as connection:
        found = await find_orders(connection, told, name, channel)
        if len(found) > 1:
            console.print(f"{name} means {len(found)} orders; show one of them:", markup=False)
            for scope, order_id in found:
                console.print(f"  centra-mirakl orders show {order_id} --channel {scope}", markup=False)
            return
        scope, order_id = found[0]
        record = await orders.read(connection, scope, order_id)
        assert record is not None
        standing = standing_of(record, await orders.keys_of(connection, scope, order_id))
        now = (await read_clock(connection)).rate.app_at
        further = await connection.fetch(sql("centra_order/of"), scope, order_id)
        facts = await connection.fetch(sql("inbox/of_reference"), scope, MIRAKL_ORDER, order_id)
        after = await intents.of_order(connection, scope, order_id)
        tree = _head(scope, record, standing, further, now)
        _after_sale(tree, after, await returns.of_order(connection, scope, order_id))
        console.print(tree)
        moments = [*_of_record(record), *_of_centra(further), *_of_facts(facts)]
        moments += await _of_ledger(connection, scope, order_id)
        console.print(_timeline(moments))
        if raw:
            for fact in facts:
                console.print(fact["identity"], markup=False)
                console.print_json(fact["body"])
        if buyer:
            await audit(connection, scope, who, f"order:{order_id}", None, "buyer shown", why)
            kept = await buyers.read(connection, scope, order_id)
            if kept is None:
                console.print("no buyer data is kept: it was erased, by request or age")
            else:
                console.print_json(msgspec.json.encode(kept).decode())


def _head(scope: str, record: Record, standing: Standing, further: Sequence[Row], now: datetime) -> Tree:
    order = record.order
    tree = Tree(f"[bold]{escape(order.order_id)}[/] on {scope}: {escape(order.state)}, {standing.ours}")
    tree.add(f"commercial id {escape(order.commercial_id)}, {order.total_price} {order.currency}")
    numbers = [str(record.number)] if record.number else []
    numbers += [f"{row['number']} ({row['role']})" for row in further]
    tree.add(f"in Centra: {', '.join(numbers) or 'not yet'}")
    for words, left in (("accept by", standing.left_to_accept(now)), ("ship by", standing.left_to_ship(now))):
        if left:
            tree.add(f"{words} {left}")
    if standing.words:
        tree.add(f"{standing.team}: {standing.words}" if standing.team else standing.words)
    if order.has_incident:
        tree.add("an incident is open: answer the buyer, refund, or resolve it at the marketplace")
    lines = tree.add("lines")
    for line in order.lines:
        answer = record.decided.accepted.get(line.line_id) if record.decided else None
        decided = {None: "", True: ", accepted", False: ", refused"}[answer]
        branch = lines.add(f"{escape(line.sku)} × {line.quantity}, {escape(line.state)}{decided}")
        for entry in line.taken:
            what = "cancelled" if entry.cancelation else f"refunded, {escape(entry.state)}"
            branch.add(f"{entry.amount + entry.shipping} {order.currency} {what}: {escape(entry.refund_id)}")
    if record.decided is not None and record.decided.steps:
        steps = tree.add("how it was decided")
        for step in record.decided.steps:
            steps.add(escape(step))
    return tree


def _after_sale(tree: Tree, found: Sequence[Intent], walked: Sequence[Walked]) -> None:
    """Parcels, cancellations, money and returns, and where each stands."""
    if not (found or walked):
        return
    branch = tree.add("after the sale")
    for intent in found:
        money = f", {intent.amount} {intent.currency}" if intent.amount is not None else ""
        words = f": {escape(intent.reason)}" if intent.reason else ""
        branch.add(f"{intent.kind} {escape(intent.source_id)}{money}, {intent.state}{words}")
    for one in walked:
        words = f": {escape(one.reason)}" if one.reason else ""
        branch.add(f"return {escape(one.return_id)}, {escape(one.facts.state)}{words}")


def _timeline(moments: Iterable[Moment]) -> Table:
    table = Table("at (UTC)", "who", "what")
    for at, who, what in sorted(moments, key=lambda moment: moment[0]):
        table.add_row(f"{at:%Y-%m-%d %H:%M:%S}", escape(who), escape(what))
    return table


def _of_record(record: Record) -> list[Moment]:
    entry = record.entry
    blocked = "blocked" if entry is None or entry.is_blocked else "not blocked"
    told: list[tuple[datetime | None, str, str]] = [
        (record.order.created_at, "buyer", "ordered"),
        (record.seen_at, "us", "seen"),
        (record.accept_sent_at, "us", "decision sent"),
        (record.accepted_at, record.accepted_by or "", "accepted" if _accepts(record) else "refused"),
        (record.created_in_centra_at, "Centra", f"created as {record.number}"),
        (record.converted_at, "Centra", "knows the marketplace's id"),
        (record.completed_at, "Centra", "placed"),
        (record.checked_at, "Centra", f"read back: {entry.status}, {blocked}" if entry else "read back"),
        (record.confirmed_at, "Centra", "confirmed"),
        (record.referenced_at, "marketplace", "knows the Centra number"),
        (record.ended_at, "us", f"ended: {record.outcome}"),
    ]
    return [(at, who, what) for at, who, what in told if at is not None]


def _accepts(record: Record) -> bool:
    return record.decided is None or bool(record.decided.accepted_lines)


def _of_centra(further: Iterable[Row]) -> list[Moment]:
    noted = [(row["noted_at"], "Centra", f"{row['number']} is {_ROLES[row['role']]}") for row in further]
    gone = [(row["cancelled_at"], "Centra", f"{row['number']} is cancelled") for row in further if row["cancelled_at"]]
    return [*noted, *gone]


_ROLES = {"part": "a part of the same order", "orphan": "an orphan of a lost answer, never placed"}


def _of_facts(facts: Iterable[Row]) -> list[Moment]:
    return [(fact["received_at"], "marketplace", f"told {fact['identity']}") for fact in facts]


async def _of_ledger(connection: Connection, scope: str, order_id: str) -> list[Moment]:
    """The audit, the effects and the reservations."""
    audited = await connection.fetch(sql("audit/of_subject"), scope, f"order:{order_id}")
    effects = await connection.fetch(sql("effect/of_lane"), scope, order_id)
    reserved = await reservations.of_order(connection, scope, order_id)
    return [
        *((row["at"], row["actor"], _act(row)) for row in audited),
        *((row["sent_at"] or row["planned_at"], row["flow"], _effect(row)) for row in effects),
        *(
            (
                row["reserved_at"],
                "us",
                f"reserved {row['quantity']} of {row['sku']}; now placed {row['placed']}, absorbed {row['absorbed']}",
            )
            for row in reserved
        ),
    ]


def _act(row: Row) -> str:
    change = f"{row['from_state']} → {row['to_state']}" if row["from_state"] else row["to_state"]
    return f"{change}: {row['detail']}" if row["detail"] else change


def _effect(row: Row) -> str:
    ended = f" at {row['decided_at']:%H:%M:%S}" if row["decided_at"] else ""
    detail = f": {row['detail']}" if row["detail"] else ""
    return f"{row['code']} (effect {row['id']}) {row['state']}{ended}{detail}"
