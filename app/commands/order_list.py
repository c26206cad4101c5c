"""`orders list`: orders by what is due first. What is held says why, whose it is, until when, and what to do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from app.commands.context import configuration, database_of
from app.commands.orders import MOST_KEYS, UNDECIDED, known_channel
from app.commands.status import age
from app.domain.progress import Record
from app.flows import all_flows
from app.policies.order_steps import ACCEPTED_STATES
from app.store import orders
from app.store.census import held_keys
from app.store.pool import Row
from app.store.statements import sql
from app.store.time import read_clock

SOON = 0.25
"""Share of a window below which the time that is left is red."""
TEAMS = {flow.name: flow.team for flow in all_flows()}


@dataclass(frozen=True, slots=True)
class Standing:
    """Where an order stands. `flow` and `reason`: the flow that holds it (None: none does), or why one waits."""

    state: str
    created_at: datetime
    accept_by: datetime
    ship_by: datetime | None
    accepted_at: datetime | None
    number: int | None
    outcome: str | None
    problem: str | None
    problem_team: str | None
    flow: str | None
    reason: str | None
    firm: bool = False

    @property
    def undecided(self) -> bool:
        return self.accepted_at is None and self.outcome is None and self.state in UNDECIDED

    @property
    def ours(self) -> str:
        """How far it is on our side."""
        steps = ("accepted" if self.accepted_at else "", "in Centra" if self.number else "", self.outcome or "")
        held = "[red]held[/]" if self.team else ""
        return ", ".join(step for step in (*steps, held) if step) or "undecided"

    @property
    def team(self) -> str:
        """Who has to look; empty when nobody has."""
        if self.problem is not None:
            return self.problem_team or TEAMS[orders.ORDER_ENTRY]
        return TEAMS[self.flow] if self.flow else ""

    @property
    def words(self) -> str:
        """Why it is held and what to do, or what it waits for; safe to print."""
        if not self.team:
            return "" if self.reason == "lane busy" or self.outcome else escape(self.reason or "")
        return f"{escape(self.problem or self.reason or 'held')}\n→ {self.advice}"

    @property
    def advice(self) -> str:
        """What to do about a held order."""
        if self.firm:
            return "`orders release`, once that is clear"
        if self.problem is not None:
            return "settle it, then `orders release`"
        if self.undecided:
            return "`orders accept` or `orders refuse`; or mend the cause, then `orders retry`"
        if self.flow == orders.ORDERS and self.state in ACCEPTED_STATES:
            return "`orders release`, once that is clear"
        return "mend the cause, then `orders retry`"

    def left_to_accept(self, now: datetime) -> str:
        """The deadline for accepting and what is left of it; empty once it is decided."""
        return _left(self.created_at, self.accept_by, now) if self.undecided else ""

    def left_to_ship(self, now: datetime) -> str:
        """The deadline for shipping and what is left of it; without the latter once the order ended."""
        if self.ship_by is None:
            return ""
        return f"{self.ship_by:%m-%d %H:%M}" if self.outcome else _left(self.created_at, self.ship_by, now)


def _left(since: datetime, until: datetime, now: datetime) -> str:
    left = until - now
    if left < timedelta(0):
        return f"[red]{until:%m-%d %H:%M}, {age(now, until)} ago[/]"
    words = f"{until:%m-%d %H:%M}, {age(until, now)} left"
    return f"[red]{words}[/]" if left < SOON * (until - since) else words


async def list_orders(console: Console, *, channel: str | None, everything: bool, held: bool, limit: int) -> None:
    """Print the orders that are open, or all, or those held, what is due first first."""
    told = configuration()
    scope = None if channel is None else known_channel(told, channel)
    async with database_of(told) as database:
        async with database.desk.acquire() as connection:
            now = (await read_clock(connection)).rate.app_at
            only_open = not everything and not held
            rows = await connection.fetch(sql("marketplace_order/list"), scope, only_open, held, limit + 1)
        firm = {(key.scope, key.key) for key in await held_keys(database, scope, MOST_KEYS) if key.firm}
    shown = [(row, _standing(row, firm=(row["scope"], row["order_id"]) in firm)) for row in rows[:limit]]
    console.print(_orders(shown, now))
    if len(rows) > limit:
        console.print(f"there are more than {limit}: say --limit")
    waiting = [(row, one) for row, one in shown if one.team]
    if waiting:
        console.print(_held(waiting, now))


def _orders(shown: Sequence[tuple[Row, Standing]], now: datetime) -> Table:
    table = Table(title=f"orders at {now:%Y-%m-%d %H:%M:%S} UTC", title_justify="left")
    table.add_column("order", no_wrap=True)
    for name in ("channel", "at Mirakl", "ours", "Centra", "accept by", "ship by", "total"):
        table.add_column(name, overflow="fold")
    for row, one in shown:
        accept, ship = one.left_to_accept(now), one.left_to_ship(now)
        total = f"{row['total']} {row['currency']}"
        number = str(one.number or "")
        table.add_row(escape(row["order_id"]), row["scope"], escape(one.state), one.ours, number, accept, ship, total)
    return table


def _held(waiting: Sequence[tuple[Row, Standing]], now: datetime) -> Table:
    table = Table(title="held for a person", title_justify="left", show_lines=True)
    table.add_column("order", no_wrap=True)
    for name in ("team", "until", "why, and what to do"):
        table.add_column(name, overflow="fold")
    for row, one in waiting:
        until = one.left_to_accept(now) or one.left_to_ship(now)
        table.add_row(escape(row["order_id"]), one.team, until, one.words)
    return table


def _standing(row: Row, *, firm: bool) -> Standing:
    held = row["key_state"] == "held"
    return Standing(
        row["state"],
        row["created_at"],
        row["accept_by"],
        row["ship_by"],
        row["accepted_at"],
        row["centra_number"],
        row["outcome"],
        row["problem"],
        row["problem_team"],
        row["key_flow"] if held else None,
        row["reason"],
        firm,
    )


def standing_of(record: Record, keys: dict[str, Row]) -> Standing:
    """As the list has it, for one order and its keys by flow."""
    held = next((flow for flow in sorted(keys) if keys[flow]["state"] == "held"), None)
    waits = next((key["reason"] for key in keys.values() if key["reason"]), None)
    return Standing(
        record.order.state,
        record.order.created_at,
        record.accept_by,
        record.order.ship_by,
        record.accepted_at,
        record.number,
        record.outcome,
        record.problem,
        record.problem_team,
        held,
        keys[held]["reason"] if held else waits,
        bool(held and keys[held]["firm"]),
    )
