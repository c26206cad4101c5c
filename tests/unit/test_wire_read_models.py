"""F36: whatever a platform puts into a member, a row is read or held; nothing else happens."""

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.centra import schema as centra
from app.centra.events import read_events
from app.centra.graphql import Answer
from app.mirakl import schema as mirakl
from app.wire.decode import read_items
from app.wire.outcome import Applied

ODD = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
MODELS = (
    *(mirakl.Carrier, mirakl.Reason, mirakl.OfferState, mirakl.OrderTax, mirakl.AdditionalField),
    *(mirakl.Offer, mirakl.Account, mirakl.StockImportStatus, mirakl.PlatformConfiguration),
    *(centra.Size, centra.DisplayItem, centra.Store, centra.Market, centra.Pricelist, centra.Warehouse),
    *(centra.AllocationRule, centra.EventListener),
)


def raw_rows(rows: list[object]) -> list[msgspec.Raw]:
    return [msgspec.Raw(json.dumps(row).encode()) for row in rows]


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_any_value_in_any_member_reads_or_holds_the_row(model: type[msgspec.Struct]) -> None:
    names = st.sampled_from(model.__struct_encode_fields__) | st.text(max_size=5)

    @given(st.lists(st.dictionaries(names, ODD) | ODD, max_size=4))
    def rows_are_read_or_held(rows: list[object]) -> None:
        found = read_items(raw_rows(rows), model)
        assert len(found.items) + len(found.unreadable) == len(rows)
        assert sorted([*found.places, *(bad.index for bad in found.unreadable)]) == list(range(len(rows)))

    rows_are_read_or_held()


@given(
    st.lists(
        st.fixed_dictionaries(
            {"id": st.integers(1, 9), "objectType": st.just("StockChange"), "changeType": st.text()},
            optional={
                "objectReference": st.integers(),
                "object": st.dictionaries(
                    st.sampled_from(["__typename", "lines", "variantSizes", "orderLines", "order", "id", "stock"]),
                    ODD | st.just("ProductSize"),
                ),
            },
        ),
        max_size=4,
    )
)
def test_any_object_under_an_event_leaves_the_event_readable(rows: list[dict[str, object]]) -> None:
    outcome = read_events(Answer({"events": msgspec.Raw(json.dumps(rows).encode())}), limit=200)
    assert isinstance(outcome, Applied)
    assert len(outcome.value.events) == sum("objectReference" in row for row in rows)
    assert all(event.unclear or event.sizes == () or event.size_ids for event in outcome.value.events)
