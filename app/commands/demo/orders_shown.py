"""The scene of the orders, in the frame of the stock: sixty of them on two marketplaces, and how each ended."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table

from app.commands.demo.act import Play, Show
from app.commands.demo.orders import OUTCOMES, Played, play
from app.commands.demo.orders_cast import ORDINARY
from app.commands.demo.report import Report


async def play_orders(stage: Play) -> Show:
    """Place them, follow them and judge them."""
    found = stage.found
    orders = await play(stage.running, stage.database, stage.progress)
    found.orders = orders.outcomes()
    found.orders_held = [f"{order_id}: {reason}" for order_id, reason in orders.held.items()]
    found.orders_wrong, found.accepted_seconds = orders.faults, orders.seconds
    return lambda console: _show_orders(console, found, orders)


def _show_orders(console: Console, found: Report, played: Played) -> None:
    special = Table(
        "order", "story", "channel", "in Centra", "ended as", title="what buyers came up with", title_justify="left"
    )
    for scene in played.scenes:
        if scene.story != ORDINARY:
            numbers = ", ".join(map(str, played.numbers[scene.order_id])) or "-"
            special.add_row(scene.order_id, scene.story, scene.channel, numbers, played.ended[scene.order_id])
    console.print(special)
    ends = Table("ended as", title="how all orders ended", title_justify="left")
    for channel in (*found.channels, "both"):
        ends.add_column(channel, justify="right")
    for outcome in OUTCOMES:
        counts = [played.outcomes(channel).get(outcome, 0) for channel in (*found.channels, None)]
        ends.add_row(outcome, *map(str, counts))
    console.print(ends)
    once = sum(len(numbers) == 1 for numbers in played.numbers.values())
    more = sum(len(numbers) > 1 for numbers in played.numbers.values())
    console.print(
        f"{len(played.scenes)} orders: {once} placed in Centra once, {more} more than once;"
        f" {played.in_time} of {played.answered} answered before the deadline\n"
        f"from stored to answered: median {played.seconds.get('median', '-')} s, p99 {played.seconds.get('p99', '-')} s"
    )
    for words in found.orders_held:
        console.print(f"held for a person: {words}", markup=False)
    for words in found.orders_wrong:
        console.print(words, style="red", markup=False)
    console.print()
