"""Reference data of a marketplace's catalogue. All of it changes rarely and is mirrored; H11, PM11 and VL11 may be
read once an hour, the others once a day.
"""

from __future__ import annotations

from collections.abc import Sequence

from app.mirakl.calls import LARGE_BODY_BYTES, ShopCalls
from app.mirakl.catalogue_schema import Attribute, Channel, Currency, Hierarchy, Locale, LogisticClass, ValuesList
from app.wire.decode import Items
from app.wire.outcome import Outcome
from app.wire.permit import Permit
from app.wire.request import WireRequest


class CatalogueCalls(ShopCalls):
    """The reference data calls of a shop."""

    async def h11_list_hierarchies(
        self, hierarchy: str | None = None, *, max_level: int | None = None, permit: Permit | None = None
    ) -> Outcome[Items[Hierarchy]]:
        """The categories below `hierarchy` (all), at most `max_level` deep."""
        query = _asked(("hierarchy", hierarchy), ("max_level", max_level))
        return await self._listed(_large("H11", "/api/hierarchies", query), "hierarchies", Hierarchy, permit)

    async def pm11_list_attributes(
        self,
        hierarchy: str | None = None,
        *,
        max_level: int | None = None,
        all_operator_attributes: bool = False,
        permit: Permit | None = None,
    ) -> Outcome[Items[Attribute]]:
        """The attributes of a category and of those above and below it (of all categories).

        `all_operator_attributes`: also those that sellers do not fill in.
        """
        wants_all = "true" if all_operator_attributes else None
        query = _asked(("hierarchy", hierarchy), ("max_level", max_level), ("all_operator_attributes", wants_all))
        return await self._listed(_large("PM11", "/api/products/attributes", query), "attributes", Attribute, permit)

    async def vl11_list_values(
        self, code: str | None = None, *, permit: Permit | None = None
    ) -> Outcome[Items[ValuesList]]:
        """One list of values, or all of them."""
        request = _large("VL11", "/api/values_lists", _asked(("code", code)))
        return await self._listed(request, "values_lists", ValuesList, permit, or_null=True)

    async def ch11_list_channels(self, *, permit: Permit | None = None) -> Outcome[Items[Channel]]:
        request = WireRequest("CH11", "GET", "/api/channels")
        return await self._listed(request, "channels", Channel, permit, or_null=True)

    async def cur01_list_currencies(self, *, permit: Permit | None = None) -> Outcome[Items[Currency]]:
        return await self._listed(WireRequest("CUR01", "GET", "/api/currencies"), "currencies", Currency, permit)

    async def l01_list_locales(self, *, permit: Permit | None = None) -> Outcome[Items[Locale]]:
        return await self._listed(WireRequest("L01", "GET", "/api/locales"), "locales", Locale, permit)

    async def sh31_list_logistic_classes(self, *, permit: Permit | None = None) -> Outcome[Items[LogisticClass]]:
        request = WireRequest("SH31", "GET", "/api/shipping/logistic_classes")
        return await self._listed(request, "logistic_classes", LogisticClass, permit)


def _large(code: str, path: str, query: Sequence[tuple[str, str]]) -> WireRequest:
    return WireRequest(code, "GET", path, query=tuple(query), body_bytes=LARGE_BODY_BYTES)


def _asked(*members: tuple[str, str | int | None]) -> list[tuple[str, str]]:
    return [(name, str(value)) for name, value in members if value is not None]
