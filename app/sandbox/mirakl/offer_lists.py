"""OF21 and OF22: the shop's offers as a back office page shows them; not made for polling."""

from typing import Any

from starlette.requests import Request

from app.sandbox.mirakl.answers import Json, Refused
from app.sandbox.mirakl.offer_shown import listed
from app.sandbox.mirakl.offers import Offer
from app.sandbox.mirakl.order_lists import offset_page, page_links
from app.sandbox.mirakl.state import Shop

_SORTS = ("totalPrice", "price", "productTitle")


class OfferLists:
    def __init__(self, shop: Shop) -> None:
        self._shop = shop

    async def of21(self, request: Request) -> Json:
        query = request.query_params
        size, offset = offset_page(query)
        sort, order = query.get("sort", "totalPrice"), query.get("order", "asc")
        if sort not in _SORTS or order not in ("asc", "desc"):
            raise Refused(400, "Error with parameter sort or order. Please check its type.")
        states = query.get("offer_state_codes")
        wanted = set(states.split(",")) if states else None
        chosen = [
            offer
            for offer in self._shop.offers.values()
            if not offer.deleted
            and query.get("sku") in (None, offer.sku)
            and query.get("product_id") in (None, offer.product_sku)
            and (wanted is None or offer.state_code in wanted)
        ]
        chosen.sort(key=lambda offer: self._place(offer, sort), reverse=order == "desc")
        page = [listed(self._shop, offer) for offer in chosen[offset : offset + size]]
        return Json({"offers": page, "total_count": len(chosen)}, 200, page_links(request, len(chosen)))

    async def of22(self, request: Request) -> Json:
        offer_id = request.path_params["offer"]
        offers = self._shop.offers.values()
        found = next((o for o in offers if o.offer_id == offer_id and not o.deleted), None)
        if found is None:
            raise Refused(404, f"No offer with id '{offer_id}'")
        return Json(listed(self._shop, found))

    def _place(self, offer: Offer, sort: str) -> Any:
        product = self._shop.products.products.get(offer.product_sku)
        return (product.title if product else "") if sort == "productTitle" else offer.price
