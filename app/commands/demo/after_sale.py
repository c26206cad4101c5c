"""The last act of the demo: what happens to thirteen orders of two marketplaces once they are sold.

The stand-ins are the judge, order line by order line, in units and cents. Our own tables tell the story of one refund:
both transaction ids, its money, and who did what, when and why.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import anyio
import msgspec
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, ProgressColumn, SpinnerColumn, Task, TextColumn
from rich.table import Column, Table
from rich.text import Text

from app.commands.demo.act import Act, Play, Show
from app.commands.demo.after_sale_ends import (
    AfterSale,
    Compared,
    Postage,
    Refund,
    compare,
    differences,
    money,
    read_after_sale,
    read_told_seconds,
)
from app.commands.demo.after_sale_stories import AUDITED, LAST, SKUS, STORIES, STRANGER
from app.commands.demo.stage import Story, set_stage
from app.commands.demo.stock import amid_stock
from app.commands.lab import Json, Lab, Shape
from app.domain.after_sale import Credit, Given
from app.domain.orders import Tax
from app.store import intents
from app.store.effects import EffectState
from app.store.intents import Intent, Kind
from app.store.pool import Database
from app.store.statements import sql

SCALE = 60.0
SIZES = 60
WIDE = 100
"""Columns of a terminal that has room for the stories in the table."""
AGREE_SECONDS = 20.0
"""Real seconds until the last refund is settled and all of it shows."""
POLICY = """marketplace_refunds = "return"
returns = { poll_seconds = 300, unannounced = "refund" }"""
SHAPE = Shape(
    sizes=SIZES, scale=SCALE, orders="on", after_sale=POLICY, postgres={"fsync": "off", "full_page_writes": "off"}
)
CODES = (
    *("OrderAfterSale", "CreateReturn", "CompleteReturn"),
    *("OR11", "OR23", "OR24", "OR28", "OR29", "RT11", "RT21", "RT25", "RT26", "RT27", "ST01"),
)
"""Calls that belong to what comes after the sale, and are shown."""
ONE_TRACKING: Json = {"configuration": {"features": {"shipment": {"multi_shipment": False}}}}


class Said(ProgressColumn):
    """What a task says besides its name, if anything."""

    def render(self, task: Task) -> Text:
        """One line, cut where the terminal ends."""
        said = Text.from_markup(str(task.fields.get("said", "")), style="dim")
        said.no_wrap, said.overflow = True, "ellipsis"
        return said


def columns() -> tuple[ProgressColumn, ...]:
    """A story a line, with what happens in it now."""
    return (
        SpinnerColumn(finished_text="[green]✓"),
        TextColumn("{task.description}", table_column=Column(no_wrap=True)),
        BarColumn(bar_width=12, table_column=Column(no_wrap=True)),
        Said(),
    )


@dataclass(frozen=True, slots=True)
class Audited:
    """One refund and all that is written down about it."""

    channel: str
    intent: Intent
    credit: Credit
    given: Given
    moments: Sequence[tuple[datetime, str, str]]


@dataclass(slots=True)
class Told:
    """How the act ended."""

    ends: AfterSale
    stories: Sequence[Story] = STORIES
    lines: list[Compared] = field(default_factory=list)
    postage: list[Postage] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    audited: Audited | None = None
    shipments: list[dict[str, Json]] = field(default_factory=list)
    refunds: list[dict[str, Json]] = field(default_factory=list)
    returns: list[dict[str, Json]] = field(default_factory=list)


# --------------------------------------------------------------------------------------------------------- playing


async def prepare(running: Lab) -> None:
    """The second marketplace has one tracking for an order; a service that starts now reads it so."""
    await running.ask(list(running.mirakl.values())[1], "/_sandbox/shop", ONE_TRACKING)


async def play_after_sale(play: Play) -> Show:
    """Play all stories at once, the one of the low balance last, and compare both ends of every order line."""
    found, told = play.found, await _play(play.running, play.database, play.progress)
    found.shipments, found.refunds, found.returns = told.shipments, told.refunds, told.returns
    found.after_sale_wrong = told.faults
    return lambda console: show_after_sale(console, told)


async def _play(running: Lab, database: Database, progress: Progress) -> Told:
    stage = await set_stage(running, database, progress, skus=SKUS)
    async with anyio.create_task_group() as around:
        around.start_soon(stage.look_on)
        async with anyio.create_task_group() as last:
            async with anyio.create_task_group() as others:
                for story in STORIES:
                    (last if story.script in LAST else others).start_soon(stage.play, story)
            stage.others_done.set()
        with anyio.move_on_after(AGREE_SECONDS):
            while any(differences(stage.ends)):
                await stage.look()
        around.cancel_scope.cancel()
    told = Told(await read_after_sale(running), faults=stage.faults)
    told.faults += differences(told.ends)
    told.lines, told.postage = compare(told.ends)
    _fill_report(told, await read_told_seconds(running, told.ends))
    told.audited = await _audit(database, list(running.mirakl))
    if told.audited is None:
        told.faults.append(f"nothing is written down about the refund of {AUDITED}")
    sold = [kind.flow for kind in Kind]
    held = await database.desk.fetch(sql("outbox/held"), None, 10_000)
    told.faults += [f"{row['key']} is held: {row['reason']}" for row in held if row["flow"] in sold]
    return told


def _fill_report(told: Told, seconds: Mapping[int, float]) -> None:
    ends = told.ends
    orders = {entered.number: entered.internal_comment or "" for entered in ends.entered}

    def place(number: int) -> dict[str, Json]:
        _, channel, order_id = orders[number].split(":")
        return {"channel": channel, "order_id": order_id}

    told.shipments = [
        {
            **place(parcel.order),
            "parcel": parcel.number,
            "carrier": parcel.carrier,
            "tracking_number": parcel.tracking_number,
            "units": sum(line.quantity for line in parcel.lines),
            "told_real_seconds": round(seconds[parcel.id], 2) if parcel.id in seconds else None,
        }
        for parcel in ends.parcels
        if parcel.shipped
    ]
    told.refunds = [
        {"channel": channel, "order_id": line.order_id, "line_id": line_id, **_refund(given)}
        for channel, sold in ends.sold.items()
        for line_id, line in sold.lines.items()
        for given in line.refunds
    ]
    told.returns = [
        {
            **place(made.order),
            "return_id": made.id,
            "status": made.status,
            "of_the_marketplace": made.external_id,
            "units": sum(line.quantity for line in made.lines),
            "grand_total": made.grand_total,
        }
        for made in ends.returns
    ]


def _refund(given: Refund) -> dict[str, Json]:
    """Amounts in the order's tax mode."""
    found: dict[str, Json] = msgspec.to_builtins(given)
    return {"refund_id": found.pop("id"), **found}


async def _audit(database: Database, channels: Sequence[str]) -> Audited | None:
    """What our tables say about the refund that took longest."""
    async with database.desk.acquire() as connection:
        for channel in channels:
            for intent in await intents.of_order(connection, channel, AUDITED):
                given = intent.answer(tuple[Given, ...]) if intent.kind is Kind.REFUND else None
                if not given:
                    continue
                words = f"{intent.kind} {intent.source_id}"
                rows = await connection.fetch(sql("audit/of_subject"), channel, f"order:{AUDITED}")
                calls = await connection.fetch(sql("effect/of_lane"), channel, AUDITED)
                moments = [
                    (row["at"], row["actor"], _transition(row["to_state"], row["detail"]))
                    for row in rows
                    if words in (row["from_state"], row["detail"])
                ]
                moments += [
                    (row["sent_at"], row["flow"], _call(row["id"], row["state"], row["detail"]))
                    for row in calls
                    if row["code"] == "OR28"
                ]
                return Audited(channel, intent, intent.read(Credit), given[-1], sorted(moments))
    return None


def _call(number: int, state: str, detail: str | None) -> str:
    """An applied one has its words in the row that ends the refund."""
    return _transition(f"OR28, call {number}, {state}", None if state == EffectState.APPLIED else detail)


def _transition(state: str, detail: str | None) -> str:
    return f"{state}: {detail}" if detail else state


# --------------------------------------------------------------------------------------------------------- showing


def show_after_sale(console: Console, told: Told) -> None:
    """The tables of the act."""
    console.print(_lines(told, stories=console.width >= WIDE))
    returned = sum(made["status"] == "COMPLETED" for made in told.returns)
    asked = sum(len(sold.returns) for sold in told.ends.sold.values())
    given = sum(line.there.goods for line in told.lines) + sum(one.there for one in told.postage)
    agree = sum(not line.differences for line in told.lines)
    seconds = [one["told_real_seconds"] for one in told.shipments if one["carrier"] != STRANGER]
    slowest = max((told for told in seconds if isinstance(told, float)), default=0.0)
    console.print(
        f"{agree} of {len(told.lines)} order lines agree, {len(told.refunds)} refunds gave back {money(given)} EUR\n"
        f"{len(told.shipments)} parcels left, and the marketplace knew within {slowest} s (of real time)\n"
        f"{returned} returns ended in Centra, {asked} of them asked for at a marketplace\n"
    )
    if told.audited is not None:
        _show_audit(console, told.audited)
    for words in told.faults:
        console.print(words, style="red", markup=False)
    console.print()


def _lines(told: Told, *, stories: bool) -> Table:
    titles, postage = {s.order_id: s.title for s in told.stories}, {p.order_id: p for p in told.postage}
    table = Table(title="every order line at both ends (where they differ: marketplace ≠ Centra)", title_justify="left")
    heads = ("order line", "story") if stories else ("order line",)
    for name in heads:
        table.add_column(name)
    for name in ("shipped", "cancelled", "returned", "refunded", "money back"):
        table.add_column(name, justify="right")
    lines = sorted(told.lines, key=lambda line: line.line_id)
    for order_id, members in itertools.groupby(lines, key=lambda line: line.order_id):
        title = titles.get(order_id, "")
        for line in members:
            there, centra = line.there, line.centra
            counts = [
                _both(str(getattr(there, name)), str(getattr(centra, name)))
                for name in ("shipped", "cancelled", "returned", "refunded")
            ]
            head = (line.line_id, title)[: len(heads)]
            table.add_row(*head, *counts, _both(money(there.goods), money(centra.goods)))
            title = ""
        if order_id in postage:
            shipping = _both(money(postage[order_id].there), money(postage[order_id].centra))
            table.add_row("  shipping", *[""] * (len(heads) + 3), shipping)
    return table


def _both(there: str, centra: str) -> str:
    if there != centra:
        return f"[red]{there} ≠ {centra}[/]"
    return "" if there in ("0", money(0)) else there


def _show_audit(console: Console, audited: Audited) -> None:
    credit, given = audited.credit, audited.given
    title = f"the audit of one refund: order {AUDITED} on {audited.channel}"
    ids = Table(title=title, title_justify="left", show_header=False)
    entry = f"payment entry {credit.payment_entry}" if credit.payment_entry else "no payment entry"
    ids.add_row("Centra's id", f"return {credit.return_id} of order {credit.order_number}, {entry}")
    ids.add_row("the marketplace's id", f"refund {', '.join(given.ids)}")
    ids.add_row("", f"group {', '.join(given.groups)}")
    for line in given.lines:
        total = line.amount + line.shipping + sum(tax.amount for tax in (*line.taxes, *line.shipping_taxes))
        ids.add_row("goods", f"{line.amount} {line.currency}, taxes {_taxes(line.taxes)}")
        ids.add_row("shipping", f"{line.shipping} {line.currency}, taxes {_taxes(line.shipping_taxes)}")
        ids.add_row("in all", f"{total} {line.currency}, Centra credited {credit.total}; reason {line.reason}")
    console.print(ids)
    moments = Table("at (UTC)", "who", "what")
    for at, who, what in audited.moments:
        moments.add_row(f"{at:%m-%d %H:%M:%S}", escape(who), escape(what))
    console.print(moments)


def _taxes(taxes: Sequence[Tax]) -> str:
    return " and ".join(f"{tax.amount} {tax.code}" for tax in taxes) or "none"


ACT = Act("after-sale", SHAPE, amid_stock(play_after_sale), prepare=prepare, codes=CODES, columns=columns)
