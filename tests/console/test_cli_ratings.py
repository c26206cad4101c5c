"""What people see of seller ratings: figures, the operator's levels, what is left until them, the orders behind."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from app.domain.ids import OrderLineId
from app.domain.orders import Order, OrderState, Refunded
from app.domain.progress import Decided
from app.domain.ratings import Measure, Rating, Source
from app.mirakl.schema import Reason
from app.store import mirrors, orders, ratings
from tests.console.orders_desk import NOW, an_order, desk
from tests.console.words import CONFIGURATION, DIFFERENCES, DONE, sentence
from tests.flows.service import FR, SE, Ended

LEVELS = """
[channel.ratings]
least_orders = 3
levels = {refunded_percent = {warning = 10, limit = 50}, acceptance_percent = {warning = 97, limit = 60}}
"""
ACCEPTED = NOW - timedelta(hours=1)


def shipped(order_id: str, **line: Any) -> Order:
    """An accepted order of one line."""
    order = an_order(order_id, state=OrderState.SHIPPED, decided_at=ACCEPTED)
    return replace(order, lines=(replace(order.lines[0], state=OrderState.SHIPPED, **line),))


def row_of(ended: Ended, name: str) -> list[str]:
    """The cells of the row that begins with a name, the lines of a cell joined."""
    lines = ended.out.splitlines()
    first = next(number for number, line in enumerate(lines) if f"│ {name} " in line)
    cells = zip(*(line.strip("│").split("│") for line in lines[first : first + 2]), strict=True)
    return [" ".join(" ".join(cell).split()) for cell in cells]


async def test_figures_stand_beside_each_other_and_lead_to_their_orders(database_url: str, tmp_path: Path) -> None:
    async with desk(database_url, tmp_path) as at:
        file = Path(at.environment["CENTRA_MIRAKL_CHANNELS_FILE"])
        file.write_text(file.read_text().replace("[[channel]]\nid = 'demo-se'", f"{LEVELS}[[channel]]\nid = 'demo-se'"))
        refund = Refunded("r-1", OrderLineId("R-1-A-1"), Decimal("59.90"), Decimal(0), 2, "17", "REFUNDED", NOW)
        await at.place(shipped("R-1-A", taken=(refund,)))
        await at.place(shipped("R-2-A"))
        refused = an_order("R-3-A", state=OrderState.REFUSED, decided_at=ACCEPTED)
        await at.place(replace(refused, lines=(replace(refused.lines[0], state=OrderState.REFUSED),)))
        await at.place(an_order("R-4-A"))  # waits: it counts for nothing yet
        async with at.database.desk.acquire() as connection:
            steps = ("line R-3-A-1, VX-1: free 0, short",)
            await orders.decide(connection, FR, "R-3-A", Decided({OrderLineId("R-3-A-1"): False}, steps))
            told = Rating(Measure.REFUNDED, Source.MARKETPLACE, Decimal("12.5"), "LAST_MONTH", 40, NOW)
            await ratings.write(connection, FR, Source.MARKETPLACE, [told])
            await mirrors.write_mirror(connection, FR, "RE01", [Reason("17", "REFUND", "Goods came back")])

        shown = await at.say("ratings", "show", "--channel", FR)
        assert shown.code == DONE, shown.errors
        refunds = row_of(shown, "refunds")
        assert refunds[0] == "refunds refunded_percent"
        assert refunds[1:5] == ["12.50 % LAST_MONTH, 40 orders", "50.00 % 30 days, 3 orders", "10.00 %", "50.00 %"]
        assert refunds[5:] == ["there", "1 more"]
        acceptance = row_of(shown, "acceptance rate")
        assert acceptance[1:3] == ["", "66.67 % 30 days, 3 orders"]
        assert acceptance[5:] == ["there", "1 more"]
        assert row_of(shown, "acceptance time")[2].startswith("60 min")
        assert row_of(shown, "reply time")[2].startswith("none")

        behind = await at.say("ratings", "orders", "refunded_percent", "--channel", FR)
        assert ("R-1-A" in behind.out, "R-2-A" in behind.out) == (True, False)
        assert "17 Goods came back" in behind.words
        behind = await at.say("ratings", "orders", "acceptance_percent")
        assert "refused: line R-3-A-1, VX-1: free 0, short" in behind.words
        assert f"{SE}: acceptance rate in 30 days" in behind.words


async def test_a_channel_or_measure_that_is_not_there_is_said(database_url: str, tmp_path: Path) -> None:
    async with desk(database_url, tmp_path) as at:
        assert sentence(await at.say("ratings", "show", "--channel", "demo-xx"), CONFIGURATION).count("demo-xx")
        assert (await at.say("ratings", "orders", "lateness")).code == CONFIGURATION
        file = Path(at.environment["CENTRA_MIRAKL_CHANNELS_FILE"])
        file.write_text(file.read_text().replace("orders = {mode = 'dry_run'}", ""))
        assert "nothing to rate" in sentence(await at.say("ratings", "show"), DIFFERENCES)
