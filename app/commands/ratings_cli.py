"""The command line of seller ratings: `ratings`."""

from __future__ import annotations

from typing import Annotated

import typer

from app.commands import ratings as showing
from app.commands.line import do, out
from app.domain.ratings import Measure

ratings = typer.Typer(help="See how marketplaces rate the shop, and which orders it comes from.", no_args_is_help=True)

Channel = Annotated[str | None, typer.Option("--channel", help="only this channel")]


@ratings.command(name="show")
def show_ratings(channel: Channel = None) -> None:
    """Show the marketplace's figures beside ours, the operator's levels, and how many more bad orders until each."""
    do(lambda: showing.show(out, channel=channel))


@ratings.command(name="orders")
def rated_orders(
    measure: Annotated[Measure, typer.Argument(help="as `ratings show` names it")],
    channel: Channel = None,
    limit: Annotated[int, typer.Option("--limit", min=1, help="how many of each channel")] = 50,
) -> None:
    """Show the orders that count as bad, and why each does on our side; of an average time those that took longest."""
    do(lambda: showing.orders(out, measure, channel=channel, limit=limit))
