"""What is noted of an order in Centra: amounts as the buyer sees them, units by the marketplace's lines."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from app.centra.returns import ReturnRead
from app.centra.shipments import ShipmentRead
from app.flows.order_follow import credit_of, parcel_of

AT = datetime(2026, 3, 2, 10, tzinfo=UTC)


def a_return(*values: str, **totals: str) -> ReturnRead:
    amounts = {"lineValues": "0", "shipping": "0", "handling": "0", "returnCost": "0", "discounts": "0", **totals}
    body: dict[str, Any] = {
        "id": 612,
        "returnStatus": "COMPLETED",
        "createdAt": AT.isoformat(),
        "grandTotal": {"value": amounts.pop("grand", "0"), "currency": {"code": "EUR"}},
        "totals": {name: {"value": value} for name, value in amounts.items()},
        "lines": [
            {"id": n, "quantity": 1, "lineValue": {"value": value}, "orderLine": {"id": n, "comment": f" A-{n} "}}
            for n, value in enumerate(values, 1)
        ],
        "order": {"number": 40321},
        "shipment": {"id": 7788, "number": "40321-1"},
        "externalId": "r-1",
    }
    return msgspec.convert(body, ReturnRead, strict=False)


def test_a_credit_names_lines_shipping_and_what_is_kept_back() -> None:
    credit = credit_of(a_return("59.90", "10.00", shipping="5.00", handling="1.00", returnCost="3.00", grand="72.90"))
    assert credit.completed
    assert [(line.line_id, line.quantity, line.value) for line in credit.lines] == [
        ("A-1", 1, Decimal("59.90")),
        ("A-2", 1, Decimal("10.00")),
    ]
    assert (credit.shipping, credit.handling, credit.fee) == (Decimal("5.00"), Decimal("1.00"), Decimal("3.00"))
    assert (credit.total, credit.currency, credit.reference) == (Decimal("72.90"), "EUR", "r-1")


@given(
    st.lists(st.decimals("0.01", "900", places=2), min_size=1, max_size=5),
    st.decimals("0", "50", places=2),
    st.decimals("0.01", "300", places=2),
)
def test_tax_that_centra_adds_is_put_on_every_part_to_the_cent(
    values: list[Decimal], shipping: Decimal, added: Decimal
) -> None:
    credit = credit_of(a_return(*map(str, values), shipping=str(shipping), taxAdded=str(added)))
    assert sum((line.value for line in credit.lines), credit.shipping) == sum(values, shipping) + added
    assert all(line.value >= value for line, value in zip(credit.lines, values, strict=True))


def test_units_of_a_parcel_are_added_up_by_the_marketplaces_line() -> None:
    body = {
        "id": 7788,
        "number": "40321-1",
        "isShipped": True,
        "shippedAt": AT.isoformat(),
        "lines": [
            {"id": n, "quantity": n, "orderLine": {"id": n, "comment": comment}}
            for n, comment in enumerate(("A-1", "A-2 ", "A-1"), 1)
        ],
        "order": {"number": 40321},
        "carrierInformation": {"carrierName": "PostNord", "serviceName": None},
    }
    parcel = parcel_of(msgspec.convert(body, ShipmentRead, strict=False))
    assert parcel.units == {"A-1": 4, "A-2": 2}
    assert (parcel.carrier, parcel.service, parcel.tracking, parcel.complete) == ("PostNord", "", "", True)
