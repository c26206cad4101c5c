"""The order for Centra: money in equals money out, for live accepted lines only, with everything people must read."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from itertools import groupby

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.ids import OrderId, OrderLineId, Sku
from app.domain.money import exponent, major, minor
from app.domain.orders import Address, Buyer, Field, NewOrder, Order, OrderLine, Tax
from app.policies.addresses import AddressPolicy, Unmappable
from app.policies.order_entry import Destination, EntryPolicy, compare_totals, destination_for, new_order

AT = datetime(2026, 3, 2, 10, tzinfo=UTC)
FRANCE = Destination("FR", market=4, price_list=7, currency="EUR", tax_included=True, shipping_option="mkp-standard")
NET = replace(FRANCE, tax_included=False)
POLICY = EntryPolicy("demo-fr")
LYON = Address(
    firstname="Ilva",
    lastname="Testberg",
    street_1="14 rue des Tilleuls",
    zip_code="69003",
    city="Lyon",
    country_code="FRA",
)
BUYER = Buyer(shipping=LYON, email="relay@notify.example")


def line(number: int = 1, quantity: int = 1, price: str = "44.90", shipping: str = "3.95", **amounts: str) -> OrderLine:
    """`taxes` and `shipping_taxes` as "1.00 2.00"; `fees` go into the total."""
    taxes, shipping_taxes = (
        tuple(Tax("VAT", Decimal(amount)) for amount in amounts.get(name, "").split())
        for name in ("taxes", "shipping_taxes")
    )
    total = Decimal(price) + Decimal(shipping) + Decimal(amounts.get("fees", "0"))
    return OrderLine(
        OrderLineId(f"D-1-A-{number}"),
        Sku(f"VX-{number}"),
        quantity,
        major(minor(Decimal(price) / (quantity or 1), "EUR"), "EUR"),
        Decimal(price),
        Decimal(shipping),
        total,
        state="SHIPPING",
        index=number,
        taxes=taxes,
        shipping_taxes=shipping_taxes,
    )


def order(*lines: OrderLine, mode: str = "TAX_INCLUDED", currency: str = "EUR") -> Order:
    return Order(OrderId("D-1-A"), "D-1", "SHIPPING", AT, AT, currency, lines, tax_mode=mode)


def entered(
    an_order: Order, destination: Destination = FRANCE, buyer: Buyer = BUYER, policy: EntryPolicy = POLICY
) -> NewOrder | Unmappable:
    return new_order(an_order, buyer, frozenset(a_line.line_id for a_line in an_order.lines), destination, policy)


def made(outcome: NewOrder | Unmappable) -> NewOrder:
    assert isinstance(outcome, NewOrder), outcome
    return outcome


def refused(outcome: NewOrder | Unmappable) -> str:
    assert isinstance(outcome, Unmappable), outcome
    return outcome.reason


def priced(new: NewOrder) -> list[tuple[int, Decimal]]:
    return [(part.quantity, part.unit_price) for part in new.lines]


# ---------------------------------------------------------------------------------------------------------- money


def test_an_ordinary_order() -> None:
    new = made(entered(order(line(quantity=2, price="89.80"))))
    assert (new.reference, new.market, new.price_list, new.currency) == ("mirakl:demo-fr:D-1-A", 4, 7, "EUR")
    assert (new.shipping_option, new.shipping_value, new.total) == ("mkp-standard", Decimal("3.95"), Decimal("93.75"))
    assert priced(new) == [(2, Decimal("44.90"))]
    assert new.delivery == new.invoice
    assert (new.delivery.email, new.delivery.country) == ("relay@notify.example", "FR")
    assert (new.allocation_rule, new.backorder, new.created_at) == (None, False, AT)
    ruled = made(
        entered(order(line()), replace(FRANCE, allocation_rule="EU online"), policy=replace(POLICY, backorder=True))
    )
    assert (ruled.allocation_rule, ruled.backorder) == ("EU online", True)


def test_an_amount_that_does_not_divide_becomes_two_lines_of_one_line() -> None:
    new = made(entered(order(line(quantity=3, price="100.00", shipping="0"))))
    assert priced(new) == [(2, Decimal("33.33")), (1, Decimal("33.34"))]
    assert {part.line_id for part in new.lines} == {"D-1-A-1"}
    assert new.total == Decimal("100.00")


MIXED = line(quantity=3, price="99.87", shipping="4.08", taxes="19.97 0.50", shipping_taxes="0.82")


@pytest.mark.parametrize(
    ("mode", "destination", "goods", "shipping"),
    [
        ("TAX_INCLUDED", FRANCE, "99.87", "4.08"),
        ("TAX_EXCLUDED", NET, "99.87", "4.08"),
        ("TAX_EXCLUDED", FRANCE, "120.34", "4.90"),
        ("TAX_INCLUDED", NET, "79.40", "3.26"),
    ],
)
def test_taxes_are_brought_to_the_basis_of_the_price_list(
    mode: str, destination: Destination, goods: str, shipping: str
) -> None:
    new = made(entered(order(MIXED, mode=mode), destination))
    assert new.shipping_value == Decimal(shipping)
    assert sum(part.unit_price * part.quantity for part in new.lines) == Decimal(goods)
    assert new.total == Decimal(goods) + Decimal(shipping)


def test_fees_that_the_lines_total_contains_are_part_of_its_price() -> None:
    assert priced(made(entered(order(line(fees="0.60"))))) == [(1, Decimal("45.50"))]
    untold = replace(line(), total_price=Decimal(0))
    assert priced(made(entered(order(untold)))) == [(1, Decimal("44.90"))]


def test_field_case_26_refused_and_cancelled_lines_are_neither_packed_nor_paid() -> None:
    lines = (
        line(1, price="20.00", shipping="0"),
        replace(line(2, taxes="4.00"), state="REFUSED"),
        replace(line(3, quantity=0, price="0", shipping="0"), state="CANCELED"),
    )
    new = made(entered(order(*lines)))
    assert [part.line_id for part in new.lines] == ["D-1-A-1"]
    assert new.total == Decimal("20.00")


def test_a_line_that_was_not_accepted_is_left_out() -> None:
    both = order(line(1), line(2))
    new = made(new_order(both, BUYER, frozenset({OrderLineId("D-1-A-2")}), FRANCE, POLICY))
    assert [part.sku for part in new.lines] == ["VX-2"]
    assert new.total == Decimal("48.85")
    assert refused(new_order(both, BUYER, frozenset(), FRANCE, POLICY)) == (
        "none of the accepted lines is still to be delivered"
    )


def test_field_case_35_a_price_list_in_another_currency_is_never_used() -> None:
    zloty = order(line(price="259.99", shipping="0"), currency="PLN")
    assert refused(entered(zloty)) == "the order is in PLN, its price list in EUR"
    assert made(entered(zloty, replace(FRANCE, currency="PLN"))).total == Decimal("259.99")


def test_yen_have_no_decimals() -> None:
    yen = order(line(quantity=3, price="1000", shipping="500"), currency="JPY")
    new = made(entered(yen, replace(FRANCE, currency="JPY")))
    assert priced(new) == [(2, Decimal(333)), (1, Decimal(334))]
    assert str(new.total) == "1500"


@pytest.mark.parametrize(
    ("a_line", "words"),
    [
        (replace(line(quantity=2), cancelled_quantity=1), "some units were cancelled or refunded before"),
        (replace(line(quantity=2), refunded_quantity=1), "some units were cancelled or refunded before"),
        (line(price="-1.00"), "an amount is negative"),
        (line(shipping="-1.00"), "an amount is negative"),
        (line(fees="-5.00"), "its total is less than its price and shipping"),
    ],
)
def test_a_line_whose_money_is_not_certain_is_held(a_line: OrderLine, words: str) -> None:
    reason = refused(entered(order(a_line)))
    assert reason.startswith("line D-1-A-1: ")
    assert words in reason


def test_taxes_larger_than_the_price_and_unknown_tax_modes_are_held() -> None:
    assert refused(entered(order(line(taxes="50.00")), NET)) == "line D-1-A-1: an amount is negative"
    assert refused(entered(order(line(), mode="TAX_DEFERRED"))) == "the tax mode TAX_DEFERRED is not known"


# ---------------------------------------------------------------------------------------------------- destination


def test_field_case_81_the_destination_decides() -> None:
    belgium = replace(FRANCE, country="BE", market=5)
    others = replace(FRANCE, country="*", market=9)
    assert destination_for("BE", [FRANCE, belgium, others]) == belgium
    assert destination_for("XK", [FRANCE, others, belgium]) == others
    assert destination_for("XK", [FRANCE, belgium]) is None
    assert destination_for(None, [FRANCE, others]) is None


def test_an_address_in_another_country_than_the_order_was_meant_for_is_held() -> None:
    brussels = replace(BUYER, shipping=replace(LYON, country_code="BEL", zip_code="1000"))
    assert refused(entered(order(line()), buyer=brussels)) == (
        "the order was meant for FR, its delivery address is in another country"
    )
    assert made(entered(order(line()), replace(FRANCE, country="*"), brussels)).delivery.country == "BE"


def test_addresses_and_mail_follow_their_own_rules() -> None:
    assert refused(entered(order(line()), buyer=replace(BUYER, shipping=None))).startswith("delivery address: ")
    short = replace(POLICY, address=AddressPolicy(line_length=7))
    assert refused(entered(order(line()), policy=short)).startswith("delivery address: ")
    alone = made(
        entered(order(line()), buyer=replace(BUYER, email=""), policy=replace(POLICY, email_domain="mkp.example"))
    )
    assert alone.delivery.email == alone.invoice.email
    assert alone.delivery.email.endswith("@mkp.example")
    billing = replace(LYON, street_1="3 place du Change")
    assert made(entered(order(line()), buyer=replace(BUYER, billing=billing))).invoice.address == "3 place du Change"


# ------------------------------------------------------------------------------------------------ what people read


def test_the_comment_has_a_labelled_line_for_everything_the_warehouse_must_know() -> None:
    buyer = replace(
        BUYER,
        pickup_point="FR-PUDO-00418",
        fields=(
            Field("gift-wrap", "true"),
            Field("gift-text", "Bon anniversaire !\nÀ bientôt " + "é" * 3000),
            Field("x", " "),
        ),
        line_fields={"D-1-A-2": (Field("engraving", "I. T."),), "D-1-A-9": (Field("engraving", "not ours"),)},
    )
    an_order = replace(
        order(line(1), line(2, quantity=3, price="100.00")),
        shipping_label="Point relais",
        ship_by=datetime(2026, 3, 4, 0, 59, tzinfo=timezone(timedelta(hours=1))),
    )
    new = made(entered(an_order, buyer=buyer))
    assert new.comment == (
        "Shipping method: Point relais\n"
        "Ship by: 2026-03-03 23:59 UTC\n"
        "Pickup point: FR-PUDO-00418\n"
        "gift-wrap: true\n"
        "gift-text: Bon anniversaire !\nÀ bientôt " + "é" * 3000 + "\n"
        "VX-2, engraving: I. T."
    )
    assert [(part.line_id, part.text) for part in new.lines] == [
        ("D-1-A-1", ""),
        ("D-1-A-2", "engraving: I. T."),
        ("D-1-A-2", "engraving: I. T."),
    ]
    assert made(entered(order(line()))).comment == ""


# ----------------------------------------------------------------------------------------------- business rule 17


@pytest.mark.parametrize(
    ("found", "units", "same"),
    [("121.00", 1, True), ("121.01", 1, True), ("121.02", 1, False), ("120.98", 2, True), ("120.97", 2, False)],
)
def test_totals_may_differ_by_a_minor_unit_for_each_unit(found: str, units: int, same: bool) -> None:
    assert (compare_totals(Decimal("121.00"), Decimal(found), units, "EUR") is None) is same


def test_finance_reads_both_figures() -> None:
    assert compare_totals(Decimal("121.00"), Decimal("119.00"), 2, "EUR") == (
        "Centra's total is 119.00 EUR, the buyer paid 121.00 EUR: 2.00 EUR less, beyond rounding of 2 units"
    )
    assert "5 JPY more" in (compare_totals(Decimal(1000), Decimal(1005), 2, "JPY") or "")


# ----------------------------------------------------------------------------------------------------- invariants

CURRENCIES = ("EUR", "SEK", "JPY", "KWD")
STATES = ("SHIPPING", "WAITING_ACCEPTANCE", "REFUSED", "CANCELED", "READY_TO_FLY")


@st.composite
def orders(draw: st.DrawFn) -> Order:
    """Prices after discounts, so that quantities rarely divide them; several taxes, each within its price."""
    currency = draw(st.sampled_from(CURRENCIES))

    def amount(most: int) -> Decimal:
        return Decimal(draw(st.integers(0, most))).scaleb(-exponent(currency))

    lines = []
    for number in range(1, draw(st.integers(1, 5)) + 1):
        price, shipping, fees = amount(100_000), amount(5_000), amount(300)
        lines.append(
            OrderLine(
                OrderLineId(f"D-1-A-{number}"),
                Sku(draw(st.sampled_from(["VX-1", "VX-2"]))),
                draw(st.integers(1, 12)),
                Decimal(0),  # never looked at: the line's price is what counts
                price,
                shipping,
                price + shipping + fees,
                state=draw(st.sampled_from(STATES)),
                taxes=tuple(Tax("T", amount(minor(price, currency) // 4)) for _ in range(draw(st.integers(0, 3)))),
                shipping_taxes=tuple(
                    Tax("S", amount(minor(shipping, currency) // 4)) for _ in range(draw(st.integers(0, 2)))
                ),
            )
        )
    return order(*lines, mode=draw(st.sampled_from(["TAX_INCLUDED", "TAX_EXCLUDED"])), currency=currency)


def paid(a_line: OrderLine, mode: str, *, with_taxes: bool) -> Decimal:
    """What the buyer paid for a line, by Mirakl's own words on its totals."""
    taxes = sum((tax.amount for tax in (*a_line.taxes, *a_line.shipping_taxes)), Decimal(0))
    gross = a_line.total_price if mode == "TAX_INCLUDED" else a_line.total_price + taxes
    return gross if with_taxes else gross - taxes


@given(orders(), st.booleans(), st.frozensets(st.integers(1, 5)))
def test_money_in_equals_money_out(an_order: Order, with_taxes: bool, chosen: frozenset[int]) -> None:
    accepted = frozenset(OrderLineId(f"D-1-A-{number}") for number in chosen)
    destination = replace(FRANCE, currency=an_order.currency, tax_included=with_taxes)
    outcome = new_order(an_order, BUYER, accepted, destination, POLICY)
    wanted = [
        a_line
        for a_line in an_order.lines
        if a_line.line_id in accepted and a_line.state not in ("REFUSED", "CANCELED")
    ]
    if not wanted:
        assert isinstance(outcome, Unmappable)
        return
    new = made(outcome)
    assert new.total == sum(paid(a_line, an_order.tax_mode, with_taxes=with_taxes) for a_line in wanted)
    assert new.total == new.shipping_value + sum(part.unit_price * part.quantity for part in new.lines)
    assert compare_totals(new.total, new.total, 0, an_order.currency) is None


@given(orders(), st.booleans())
def test_no_unit_is_lost_and_prices_of_a_line_differ_by_one_minor_unit_at_most(an_order: Order, tax: bool) -> None:
    outcome = entered(an_order, replace(FRANCE, currency=an_order.currency, tax_included=tax))
    if isinstance(outcome, Unmappable):
        assert not an_order.live_lines
        return
    parts = {line_id: list(some) for line_id, some in groupby(outcome.lines, key=lambda part: part.line_id)}
    assert list(parts) == [a_line.line_id for a_line in an_order.live_lines]
    for a_line in an_order.live_lines:
        some = parts[a_line.line_id]
        units = [minor(part.unit_price, an_order.currency) for part in some]
        assert sum(part.quantity for part in some) == a_line.quantity
        assert all(part.quantity > 0 for part in some)
        assert max(units) - min(units) <= 1
        assert min(units) >= 0
