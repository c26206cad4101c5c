"""`held list` and `held show`: everything that needs a person, with its owner, deadline, money at stake and advice."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from decimal import Decimal

from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.tree import Tree

from app.commands.context import configuration, database_of
from app.commands.orders import DeclinedError, known_channel
from app.commands.status import age
from app.domain.after_sale import Advice
from app.domain.teams import Team
from app.flows import all_flows
from app.store import held, offers, orders
from app.store.census import dead_letters
from app.store.held import Cause, Item
from app.store.parity import PARITY
from app.store.pool import Connection
from app.store.statements import sql
from app.store.time import read_clock

TEAMS = {flow.name: flow.team for flow in all_flows()}
KEY_ADVICE: Mapping[str, str] = {
    offers.STOCK: "`stock explain SKU`; mend the cause, then `held retry`, or `stock release` what is meant",
    orders.ORDERS: "`orders accept`, `refuse` or `release`; or mend the cause, then `held retry`",
    PARITY: "mend it at the end that is wrong: it is gone at the next `parity run`; `held resolve` lets it be",
    orders.ORDER_ENTRY: "mend the cause, then `held retry`; `orders release` lets it go as it is",
}
"""What to do about held keys of a flow; the others are mended and retried."""
MOST_NAMES = 50


def team_of(flow: str, team: str | None) -> Team:
    """Who owns an item; a flow that is not there any more is the platform's."""
    return Team(team) if team else TEAMS.get(flow, Team.PLATFORM)


def advice_of(flow: str, advice: str | None) -> str:
    """What a person may do about an item."""
    return Advice(advice).words if advice else KEY_ADVICE.get(flow, "mend the cause, then `held retry`")


async def list_held(console: Console, *, channel: str | None, team: Team | None) -> None:
    """Print what needs a person, what is due first first; items with one cause are one line."""
    told = configuration()
    scope = channel if channel in (None, told.channels.centra.id) else known_channel(told, channel)
    async with database_of(told) as database:
        async with database.desk.acquire() as connection:
            now = (await read_clock(connection)).rate.app_at
            found = await held.causes(connection, scope)
        causes = [cause for cause in found if team in (None, team_of(cause.flow, cause.team))]
        console.print(_causes(causes, now) if causes else "nothing needs a person")
        if dead := sum((await dead_letters(database)).values()):
            console.print(f"[yellow]{dead} facts could not be read[/]: see `replay --dead-letters`")


def _causes(causes: Iterable[Cause], now: datetime) -> Table:
    table = Table(title=f"needs a person at {now:%Y-%m-%d %H:%M:%S} UTC", title_justify="left", show_lines=True)
    table.add_column("item", overflow="fold")
    for name in ("items", "whose, and where", "due", "held for", "money", "why, and what to do"):
        table.add_column(name, overflow="fold", justify="right" if name in ("items", "money") else "left")
    for cause in causes:
        why = f"{escape(cause.reason)}\n→ {escape(advice_of(cause.flow, cause.advice))}"
        due, money = _due(cause.due_at, now), _money(cause.money)
        whose = f"{team_of(cause.flow, cause.team)}\n{cause.scope}, {cause.flow}"
        table.add_row(escape(cause.item), str(cause.items), whose, due, age(now, cause.oldest_at), money, why)
    return table


def _due(due_at: datetime | None, now: datetime) -> str:
    if due_at is None:
        return ""
    words = f"{age(now, due_at)} ago" if due_at < now else f"in {age(due_at, now)}"
    return f"{due_at:%m-%d %H:%M}, [red]{words}[/]" if due_at < now else f"{due_at:%m-%d %H:%M}, {words}"


def _money(money: Mapping[str, Decimal]) -> str:
    return ", ".join(f"{amount} {currency}" for currency, amount in sorted(money.items()))


async def show(console: Console, name: str) -> None:
    """Print one item: why, since when, evidence, what may be done, and the names of all with the same cause."""
    async with database_of(configuration()) as database, database.desk.acquire() as connection:
        now = (await read_clock(connection)).rate.app_at
        item = await held.one(connection, name)
        if item is None:
            raise DeclinedError(
                f"nothing is held as {name}: `held list` names what is; look at `audit export` for what was"
            )
        console.print(_item(item, now, await _calls(connection, item), await held.alike(connection, item)))


async def _calls(connection: Connection, item: Item) -> list[str]:
    """Calls about the order that the person has to decide about."""
    if item.advice != Advice.DECIDE:
        return []
    rows = await connection.fetch(sql("effect/of_lane"), item.scope, item.key)
    return [
        f"{row['code']} (effect {row['id']}), sent {row['sent_at']:%Y-%m-%d %H:%M:%S} UTC: {row['detail'] or ''}"
        for row in rows
        if row["state"] == "held"
    ]


def _item(item: Item, now: datetime, calls: Iterable[str], alike: list[str]) -> Tree:
    tree = Tree(f"[bold]{escape(item.item)}[/]: {item.flow} of {escape(item.key)} on {item.scope}")
    tree.add(f"{team_of(item.flow, item.team)}: {escape(item.reason or '')}")
    tree.add(f"held for {age(now, item.held_at)}, since {item.held_at:%Y-%m-%d %H:%M:%S} UTC")
    if item.due_at is not None:
        tree.add(f"due {_due(item.due_at, now)}")
    if item.amount is not None and item.currency is not None:
        tree.add(f"money at stake: {item.amount} {item.currency}")
    for what, words in sorted(item.evidence.items()):
        tree.add(f"{escape(what)}: {escape(words)}")
    for call in calls:
        tree.add(f"undecided: {escape(call)}")
    tree.add(f"→ {escape(advice_of(item.flow, item.advice))}")
    if len(alike) > 1:
        more = f" and {len(alike) - MOST_NAMES} more" if len(alike) > MOST_NAMES else ""
        tree.add(f"{len(alike)} items have this cause: {escape(', '.join(alike[:MOST_NAMES]))}{more}")
    return tree
