"""What a plan finds, on a real database: each way in which a SKU may differ, and what waits for a person."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from app.domain.catalogue import OWN, CatalogueDisplay, CatalogueProduct, CatalogueSize, CatalogueVariant, Price
from app.domain.catalogue import Category as CentraCategory
from app.domain.ids import MarketId, SizeId, Sku, WarehouseId
from app.domain.live_offer import LiveOffer, LivePrice
from app.domain.stock import Market, Size, Topology, Warehouse
from app.flows.prices import price_policy
from app.flows.publishing.book import Book
from app.flows.publishing.preview import Action, Around, Line, Page, pages
from app.flows.publishing.wire import Deletion
from app.mirakl.catalogue_schema import Attribute, Hierarchy
from app.policies.catalogue_map import CatalogueMap, OfferTerms, Rule
from app.policy_settings import CatalogueSettings, PriceSettings, StockSettings
from app.settings import Channel
from app.store import live_offers, offers, product_codes, products, publications, sizes
from app.store.offers import Live
from app.store.pool import Connection, connect
from app.store.products import digest_of
from app.store.publications import Kind, Standing, Wanted
from app.store.sizes import SizeRead

FR, SOURCE, LIST = "demo-fr", "centra", 7
NOW = datetime(2026, 11, 27, 12, tzinfo=UTC)
PRICE = Decimal("89.90")
CHANNEL = Channel.model_validate(
    {
        "id": FR,
        "url": "https://demo-fr.mirakl.example",
        "shop_id": 2001,
        "market": 4,
        "catalogue": {"products": "dry_run", "offers": "dry_run", "leaving": "delete"},
        "prices": {"mode": "dry_run", "price_list": LIST},
    }
)
TOPOLOGY = Topology(
    {MarketId(4): Market(MarketId(4), "Marketplaces", 1, frozenset({"FR"}))},
    {WarehouseId(1): Warehouse(WarehouseId(1), "Main", 0, direct=True, rules=frozenset({1}))},
)
BOOK = Book(
    CatalogueMap(
        category="category",
        categories={"women": "K1"},
        attributes={"title": Rule(field="display.name"), "ean": Rule(field="size.ean")},
        offer=OfferTerms(lead_time_days=2),
    ),
    None,
    (Hierarchy("K1"),),
    (Attribute("title", "TEXT", "REQUIRED"), Attribute("ean", "TEXT", "REQUIRED", unique_code="EAN")),
    (),
    None,
    (),
)
LIVE = LiveOffer(Sku(""), "11", (LivePrice(PRICE),), lead_time_days=2)


def ean(number: int) -> str:
    digits = f"200{number:09d}"
    weighted = sum(int(digit) * (3 if place % 2 else 1) for place, digit in enumerate(digits))
    return f"{digits}{-weighted % 10}"


def product(number: int, **changes: Any) -> CatalogueProduct:
    """A product of one SKU, VX-<number>. `price`, `name` and `sku` may be others."""
    wanted = {"price": PRICE, "name": "Jumper", "sku": f"VX-{number}", "active": True} | changes
    display = CatalogueDisplay(
        number,
        active=True,
        texts={OWN: {"name": wanted["name"]} if wanted["name"] else {}},
        categories=(CentraCategory(3, "Women", "women"),),
        prices={LIST: Price(wanted["price"], "EUR")},
    )
    size = CatalogueSize(SizeId(number), Sku(wanted["sku"]), "M", ean=ean(number))
    variant = CatalogueVariant(number, "Navy", active=True, sizes=(size,), display=display)
    return CatalogueProduct(number, "Jumper", active=wanted["active"], variants=(variant,))


async def show(connection: Connection, number: int, quantity: int = 4, **changes: Any) -> None:
    """The marketplace has the offer VX-<number>."""
    sku = Sku(f"VX-{number}")
    await offers.read_back(connection, FR, [Live(sku, quantity, listed=True)], NOW)
    await live_offers.write(connection, FR, [replace(LIVE, sku=sku, **changes)], NOW)


async def sell(connection: Connection, number: int, free: int | None = 4) -> None:
    """Centra has so many units of the size VX-<number>."""
    size = Size(SizeId(number), Sku(f"VX-{number}"), {WarehouseId(1): free})
    await sizes.write_sizes(connection, SOURCE, [SizeRead(size, number)], NOW)


async def planned(connection: Connection) -> tuple[dict[str, list[Line]], list[Page]]:
    """What would change, by SKU."""
    around = Around(SOURCE, CHANNEL, BOOK, price_policy(CHANNEL, None), TOPOLOGY, NOW)
    found: dict[str, list[Line]] = {}
    seen = [page async for page in pages(connection, around)]
    for page in seen:
        for line in page.lines:
            found.setdefault(line.key, []).append(line)
    return found, seen


def what(lines: list[Line]) -> list[str]:
    return sorted(f"{line.kind}.{line.action}" for line in lines)


async def test_each_way_in_which_a_sku_differs(database_url: str) -> None:
    async with connect(database_url) as database, database.desk.acquire() as connection:
        rows = [
            product(1),  # as it is live
            product(2),  # not there yet
            product(3, price=Decimal("99.90")),
            product(4, price=Decimal("0.50")),  # below the floor
            product(5, name=""),  # a product that can't be sent, and was never there
            product(6, active=False),
            product(7, active=False),  # as 6, and we made its offer
            product(8),
            product(9),
            product(10),
            product(12, sku="VX-12-NEW"),
        ]
        await products.write(connection, SOURCE, [product(12)], NOW)
        await products.write(connection, SOURCE, rows, NOW)
        for number in (1, 3, 4, 6, 7, 11, 12):
            await show(connection, number)
        await show(connection, 8, 6)
        await show(connection, 9, 0, lead_time_days=5, description="Not ours")
        await show(connection, 10)
        for number in (1, 2, 3, 4, 5, 6, 7, 8, 9, 12):
            await sell(connection, number)
        await sell(connection, 10, None)
        sent = {"sku": "VX-7", "product_code": ean(7), "product_code_type": "EAN", "state": "11"}
        await publications.want(connection, FR, Kind.OFFERS, [Wanted("VX-7", Standing.LIVE, (), sent, "d")])
        await publications.write_sent(connection, FR, Kind.OFFERS, [("VX-7", "d", 1)])

        found, seen = await planned(connection)
        assert {sku: what(lines) for sku, lines in found.items()} == {
            "VX-2": ["offers.new", "products.new"],
            "VX-3": ["prices.up"],
            "VX-4": ["offers.held", "prices.held"],
            "VX-5": ["offers.held", "products.held"],
            "VX-6": ["offers.leave"],
            "VX-7": ["offers.delete"],
            "VX-8": ["stock.down"],
            "VX-9": ["offers.change", "stock.up"],
            "VX-10": ["stock.held"],
            "VX-11": ["offers.leave", "stock.zero"],
            "VX-12": ["offers.held", "products.held"],
            "VX-12-NEW": ["offers.held", "products.held"],
        }
        assert sum((page.same for page in seen), Counter[str]())["offers"] == 4  # 1, 3, 8 and 10
        [priced] = found["VX-3"]
        assert (priced.member, priced.ours, priced.theirs) == ("price", "99.90", "89.90")
        assert priced.digest is not None
        changed = next(line for line in found["VX-9"] if line.action is Action.CHANGE)
        assert changed.members == ("description", "lead time")
        [deleted] = found["VX-7"]
        assert deleted.digest == digest_of(Deletion(**sent))
        assert "its product yet, which is held" in found["VX-5"][1].reasons[0]
        assert "VX-12 and VX-12-NEW" in found["VX-12"][0].reasons[0]
        assert all(line.digest is None for lines in found.values() for line in lines if line.action is Action.HELD)

        stakes = {sku: money for page in seen for sku, money in page.stakes.items()}
        assert stakes == {
            "VX-2": 4 * PRICE,
            "VX-3": 4 * Decimal("99.90"),
            "VX-6": 4 * PRICE,
            "VX-7": 4 * PRICE,
            "VX-8": 6 * PRICE,
            "VX-9": 4 * PRICE,
            "VX-11": 4 * PRICE,
        }


async def test_what_the_flows_want_has_the_digest_of_the_plan(database_url: str) -> None:
    """So that what is applied is what is sent: the digest names the offer, the price set or the row itself."""
    async with connect(database_url) as database, database.desk.acquire() as connection:
        await products.write(connection, SOURCE, [product(2)], NOW)
        await sell(connection, 2)
        first, _ = await planned(connection)
        again, _ = await planned(connection)
        assert [line.digest for line in first["VX-2"]] == [line.digest for line in again["VX-2"]]
        await products.write(connection, SOURCE, [product(2, name="Pullover")], NOW)
        other, _ = await planned(connection)
        by_kind = [{line.kind: line.digest for line in lines["VX-2"]} for lines in (first, other)]
        assert by_kind[0]["products"] != by_kind[1]["products"]
        assert by_kind[0]["offers"] == by_kind[1]["offers"], "the offer says nothing of the name"


async def test_a_channel_that_publishes_stock_alone_is_compared_by_quantities(database_url: str) -> None:
    bare = CHANNEL.model_copy(update={"catalogue": CatalogueSettings(), "prices": PriceSettings()})
    async with connect(database_url) as database, database.desk.acquire() as connection:
        await products.write(connection, SOURCE, [product(1, price=Decimal(1))], NOW)
        for number, quantity in ((1, 4), (2, 9), (3, 4)):
            await show(connection, number, quantity)
        await sell(connection, 1)
        await sell(connection, 2)
        around = Around(SOURCE, bare, None, None, TOPOLOGY, NOW)
        lines = [line async for page in pages(connection, around) for line in page.lines]
        assert [(line.kind, line.action, line.key, line.ours) for line in lines] == [
            ("stock", Action.DOWN, "VX-2", "4"),
            ("stock", Action.ZERO, "VX-3", "0"),
        ]


async def test_the_same_sum_at_other_warehouses_is_a_change(database_url: str) -> None:
    stock = StockSettings.model_validate({"warehouses": {"1": "NORD", "2": "SUD"}})
    apart = CHANNEL.model_copy(update={"catalogue": CatalogueSettings(), "prices": PriceSettings(), "stock": stock})
    both = {WarehouseId(n): Warehouse(WarehouseId(n), f"W{n}", 0, direct=True, rules=frozenset({1})) for n in (1, 2)}
    async with connect(database_url) as database, database.desk.acquire() as connection:
        for number, live in ((1, {"NORD": 3, "SUD": 1}), (2, {"NORD": 4, "SUD": 0}), (3, None), (4, {"NORD": 5})):
            await show(connection, number)
            quantity = sum(live.values()) if live else 4
            read = Live(Sku(f"VX-{number}"), quantity, listed=True, by_warehouse=live)
            await offers.read_back(connection, FR, [read], NOW)
            size = Size(SizeId(number), Sku(f"VX-{number}"), {WarehouseId(1): 4, WarehouseId(2): 0})
            await sizes.write_sizes(connection, SOURCE, [SizeRead(size, number)], NOW)
        around = Around(SOURCE, apart, None, None, replace(TOPOLOGY, warehouses=both), NOW)
        lines = [line async for page in pages(connection, around) for line in page.lines]
        assert [(line.action, line.key, line.ours, line.theirs) for line in lines] == [
            (Action.CHANGE, "VX-1", "NORD 4", "NORD 3, SUD 1"),
            (Action.DOWN, "VX-4", "4", "5"),
        ]


async def test_field_case_10_offers_keep_the_prices_that_another_tool_manages(database_url: str) -> None:
    channel = CHANNEL.model_copy(update={"prices": PriceSettings(price_list=LIST)})
    around = Around(SOURCE, channel, BOOK, price_policy(channel, None), TOPOLOGY, NOW)
    async with connect(database_url) as database, database.desk.acquire() as connection:
        rows = [product(1, price=Decimal("0.50")), product(2, price=Decimal("0.50")), product(3), product(4)]
        await products.write(connection, SOURCE, rows, NOW)
        scheduled = (LivePrice(PRICE), LivePrice(Decimal(70), starts_at=NOW))
        await show(connection, 1, lead_time_days=5)
        await show(connection, 3, lead_time_days=5, prices=scheduled)
        for number in (1, 2, 3, 4):
            await sell(connection, number)
        found = {
            line.key: line async for page in pages(connection, around) for line in page.lines if line.kind == "offers"
        }
        assert {sku: line.action for sku, line in found.items()} == {
            "VX-1": Action.CHANGE,
            "VX-2": Action.HELD,
            "VX-3": Action.HELD,
            "VX-4": Action.NEW,
        }
        assert "below the floor" in found["VX-2"].reasons[0], "a new offer takes Centra's price"
        assert "some hold for a time" in found["VX-3"].reasons[0]


async def test_a_code_of_a_product_on_another_page_is_named(database_url: str) -> None:
    async with connect(database_url) as database, database.desk.acquire() as connection:
        await products.write(connection, SOURCE, [product(1)], NOW)
        await sell(connection, 1)
        await product_codes.write(connection, FR, {Sku("VX-9"): {("EAN", ean(1))}}, NOW)
        found, _ = await planned(connection)
        [line] = (line for line in found["VX-1"] if line.kind == "products")
        assert (line.action, line.reasons) == (
            Action.HELD,
            (f"{ean(1)!r} is the EAN of VX-9 too; give each its own in Centra",),
        )
