"""The command line. Every error is a sentence that says what to do, and exit codes tell kinds of failure apart."""

from __future__ import annotations

from datetime import datetime
from importlib.util import find_spec
from typing import Annotated

import typer

from app.commands import after_sale_cli as after_sale
from app.commands import check as checking
from app.commands import order_import, order_list, order_timeline, plan_cli, privacy
from app.commands import orders as deciding
from app.commands import replay as replaying
from app.commands import status as showing
from app.commands import stock as stocks
from app.commands.catalogue_cli import catalogue
from app.commands.context import Exit, configuration
from app.commands.line import WHO, Order, Where, Who, Why, do, end, out
from app.commands.parity_cli import parity
from app.commands.ratings_cli import ratings
from app.commands.settlement_cli import settlement
from app.domain.progress import Choice
from app.settings import Secrets, SettingsError, load_process
from app.store.migrate import migrate, pending
from app.store.retention import Keep, trim
from app.supervisor import database_address
from app.supervisor import run as run_service
from app.telemetry.logs import configure_logs
from app.telemetry.tracing import configure_tracing

main = typer.Typer(
    name="centra-mirakl",
    help="Joins a Centra shop to Mirakl marketplaces.\n\n"
    "Settings come from channels.toml and the environment; secrets from the environment or mounted files.\n\n"
    "Exit codes: 0 done, 1 differences found or nothing to be done, 2 wrong configuration, 3 something does not answer,"
    " 4 a check failed.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
stock = typer.Typer(help="Look into and release the stock of single SKUs.", no_args_is_help=True)
main.add_typer(stock, name="stock")
orders = typer.Typer(help="Look into orders, and decide about single ones.", no_args_is_help=True)
main.add_typer(orders, name="orders")
buyers = typer.Typer(help="Erase buyers' data.", no_args_is_help=True)
main.add_typer(buyers, name="privacy")
main.add_typer(catalogue, name="catalogue")
main.command()(plan_cli.plan)
main.command()(plan_cli.apply)
main.add_typer(parity, name="parity")
main.add_typer(after_sale.carriers, name="carriers")
main.add_typer(after_sale.held, name="held")
main.add_typer(after_sale.audit, name="audit")
main.add_typer(ratings, name="ratings")
main.add_typer(settlement, name="settlement")


def _dsn() -> str:
    try:
        process = load_process()
        return database_address(process, Secrets(process.secrets_folder))
    except SettingsError as exc:
        end(Exit.CONFIGURATION, str(exc))


@main.command()
def run() -> None:
    """Run the service: workers, webhooks, health and metrics, until SIGTERM."""
    try:
        told = configuration()
        _ = told.dsn
    except SettingsError as exc:
        end(Exit.CONFIGURATION, str(exc))
    configure_logs(told.process.log_format)
    configure_tracing(told.process.trace_endpoint)
    do(lambda: run_service(told))


@main.command(name="migrate")
def migrate_database(
    post: Annotated[
        bool, typer.Option("--post", help="also what the previous release could not bear: once no replica of it runs")
    ] = False,
) -> None:
    """Bring the database to what this release needs. Safe to run from several places at once, and while a previous
    release works; what would break that one waits for --post."""
    dsn = _dsn()

    async def work() -> tuple[list[str], list[str]]:
        return await migrate(dsn, post=post), await pending(dsn, post=True)

    found = do(work)
    if isinstance(found, tuple):
        applied, waiting = found
        out.print("\n".join(f"applied {name}" for name in applied) or "up to date")
        for name in waiting:
            out.print(f"waits {name}: run `centra-mirakl migrate --post` once no replica of the previous release runs")


@main.command()
def retention() -> None:
    """Delete what has served its time: imports, effects, facts, buyers, audit months. Daily, under the migrate role."""

    async def work() -> dict[str, int]:
        told = configuration()
        return await trim(told.dsn, Keep(buyers=told.channels.privacy.keep_days))

    found = do(work)
    if isinstance(found, dict):
        out.print("\n".join(f"{count:>8} {name} deleted" for name, count in found.items()))


@main.command()
def check() -> None:
    """Check keys, shops, currencies, switches, permissions and events against the live platforms."""
    found = do(lambda: checking.check(out))
    raise typer.Exit(int(found) if isinstance(found, Exit) else 0)


@main.command()
def status(
    channel: Annotated[str | None, typer.Argument(help="only this channel, or the source")] = None,
    held: Annotated[bool, typer.Option("--held", help="list everything that is held")] = False,
) -> None:
    """Show lag, due, waiting, held and the last push of each channel and flow."""
    do(lambda: showing.status(out, scope=channel, held=held))


@stock.command()
def explain(sku: Annotated[str, typer.Argument(help="our shop SKU, as the marketplaces know it")]) -> None:
    """Show how the quantity of a SKU comes about on each channel, and what was sent, confirmed and read back."""
    if not do(lambda: stocks.explain(out, sku)):
        end(Exit.DIFFERENCES, f"nobody knows the SKU {sku}: is it spelt as at the marketplace?")


@stock.command()
def release(
    channel: Annotated[str, typer.Argument(help="the channel")],
    skus: Annotated[list[str] | None, typer.Argument(help="the SKUs to release")] = None,
    everything: Annotated[bool, typer.Option("--all", help="all held stock of the channel")] = False,
    who: Who = WHO,
    why: Why = "released by hand",
) -> None:
    """Approve held changes of stock, such as a mass change that is meant, and let them go."""
    do(lambda: stocks.release(out, channel, skus or [], everything=everything, who=who, why=why))


@main.command()
def replay(
    scope: Annotated[str | None, typer.Argument(help="a channel, or the source")] = None,
    flow: Annotated[str | None, typer.Argument(help="the flow, as `status` names it")] = None,
    keys: Annotated[list[str] | None, typer.Argument(help="the keys; none: all held ones")] = None,
    dead_letters: Annotated[bool, typer.Option("--dead-letters", help="read again what events were about")] = False,
    who: Who = WHO,
    why: Why = "replayed by hand",
) -> None:
    """Let held keys go, or read dead letters again; the work is derived from the present state."""
    if dead_letters:
        do(lambda: replaying.replay_dead_letters(out, who=who, why=why))
    elif scope and flow:
        do(lambda: replaying.replay_held(out, scope, flow, keys or [], who=who, why=why))
    else:
        end(Exit.CONFIGURATION, "name a channel and a flow, or say --dead-letters")


# ------------------------------------------------------------------------------------------------ orders and buyers


@orders.command(name="list")
def list_orders(
    channel: Annotated[str | None, typer.Argument(help="only this channel")] = None,
    everything: Annotated[bool, typer.Option("--all", help="ended orders too")] = False,
    held: Annotated[bool, typer.Option("--held", help="only what waits for a person")] = False,
    limit: Annotated[int, typer.Option(min=1, help="how many at most")] = 50,
) -> None:
    """Show open orders by their deadlines, and for each that is held why, whose it is and what to do."""
    do(lambda: order_list.list_orders(out, channel=channel, everything=everything, held=held, limit=limit))


@orders.command(name="show")
def show_order(
    order: Order,
    channel: Where = None,
    raw: Annotated[bool, typer.Option("--raw", help="what the marketplace told, as JSON, without the buyer")] = False,
    buyer: Annotated[bool, typer.Option("--buyer", help="the buyer too; this is written into the audit")] = False,
    who: Who = WHO,
    why: Annotated[str | None, typer.Option("--why", help="why the buyer is shown, for the audit")] = None,
) -> None:
    """Show everything that happened to an order in one timeline, with the ids of both sides."""
    do(lambda: order_timeline.show(out, order, channel=channel, raw=raw, buyer=buyer, who=who, why=why))


@orders.command(name="accept")
def accept_order(order: Order, why: Why, channel: Where = None, who: Who = WHO) -> None:
    """Accept a whole order that is still to be decided, whatever stock and price say."""
    do(lambda: deciding.decide(out, order, Choice.ACCEPT, channel=channel, who=who, why=why))


@orders.command(name="refuse")
def refuse_order(order: Order, why: Why, channel: Where = None, who: Who = WHO) -> None:
    """Refuse a whole order that is still to be decided."""
    do(lambda: deciding.decide(out, order, Choice.REFUSE, channel=channel, who=who, why=why))


@orders.command(name="hold")
def hold_order(order: Order, why: Why, channel: Where = None, who: Who = WHO) -> None:
    """Leave an order alone until somebody releases it. The marketplace's deadlines go on."""
    do(lambda: deciding.hold(out, order, channel=channel, who=who, why=why))


@orders.command(name="release")
def release_order(order: Order, channel: Where = None, who: Who = WHO, why: Why = "released by hand") -> None:
    """Let a held order go as it is; one that somebody else accepted goes into Centra."""
    do(lambda: deciding.release(out, order, channel=channel, who=who, why=why))


@orders.command(name="retry")
def retry_order(
    order: Annotated[str | None, typer.Argument(help="the order, as for `orders show`")] = None,
    all_held: Annotated[str | None, typer.Option("--all-held", help="all held orders of this channel")] = None,
    channel: Where = None,
    who: Who = WHO,
    why: Why = "retried by hand",
) -> None:
    """Have held orders looked at again, once the cause is mended. --all-held leaves out what a person holds."""
    do(lambda: deciding.retry(out, order, all_held=all_held, channel=channel, who=who, why=why))


@orders.command(name="import")
def import_orders(
    channel: Annotated[str, typer.Option("--channel", help="the channel")],
    first: Annotated[datetime, typer.Option("--from", formats=["%Y-%m-%d"], help="the first day of creation, UTC")],
    last: Annotated[datetime, typer.Option("--to", formats=["%Y-%m-%d"], help="the last day; at most a year later")],
    apply: Annotated[bool, typer.Option("--apply", help="store them; else they are only counted")] = False,
) -> None:
    """Count the orders created in a time by state, or store them; only those that still need us create work."""
    do(lambda: order_import.import_orders(out, channel, first, last, apply=apply))


@buyers.command()
def erase(
    name: Annotated[str, typer.Argument(help="an order id, a Centra number or an e-mail address")],
    why: Why,
    channel: Where = None,
    who: Who = WHO,
) -> None:
    """Erase a buyer's data here at once and for good, and have Centra erase its customer."""
    do(lambda: privacy.erase(out, name, channel=channel, who=who, why=why))


# ---------------------------------------------------------------------------------------------- only in a checkout


def _absent(name: str) -> None:
    """A command that the image is without: it says so, whatever its options."""

    @main.command(name=name, context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
    def absent() -> None:
        """Not in the image: run it from a checkout of the project."""
        end(Exit.CONFIGURATION, f"`{name}` needs the stand-ins, which are not in the image: run it from a checkout")


if find_spec("app.commands.local_cli"):
    from app.commands.local_cli import add_to

    add_to(main)
else:
    for left_out in ("sandbox", "demo"):
        _absent(left_out)


if __name__ == "__main__":
    main()
