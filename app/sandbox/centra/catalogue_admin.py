"""The /_sandbox routes of the catalogue.

POST /_sandbox/catalogue {"changes": [{"product": id|number, "name"?, "status"?, "product_number"?, "brand"?,
         "harmonized_commodity_code"?, "country_of_origin"?, "weight"?, "attributes"?: {name: value},
         "display"?: {"name"?, "status"?, "description"?, .., "texts"?: {language: {field: text}|null},
                      "category"?: uri|null, "media"?: [urls], "prices"?: {price list: amount|null}, "attributes"?}},
     {"variant": id, "name"?, "status"?, "variant_number"?, "attributes"?, "media"?},
     {"sku", "ean"?, "upc"?, "size_number"?, "description"?, "new_sku"?}], each with "quiet"? (see catalogue_edits.py)}
GET  /_sandbox/catalogue?from=201&limit=100 -> {"products": [{"id", "number", "status", "variants": [{"id", ..}]}]}
"""

from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from app.sandbox.admin import json_object, refusing_nonsense
from app.sandbox.centra.catalogue_edits import edit_catalogue
from app.sandbox.centra.entities import Product
from app.sandbox.centra.shop import Shop


class CatalogueAdmin:
    def __init__(self, shop: Shop) -> None:
        self._shop = shop

    def routes(self) -> list[Route]:
        return [Route("/_sandbox/catalogue", refusing_nonsense(self.at_catalogue), methods=["GET", "POST"])]

    async def at_catalogue(self, request: Request) -> Response:
        if request.method == "POST":
            for change in (await json_object(request))["changes"]:
                edit_catalogue(self._shop, change)
            return JSONResponse({})
        first = int(request.query_params.get("from", "0"))
        limit = int(request.query_params.get("limit", "100"))
        chosen = [product for key, product in self._shop.products.items() if key >= first][:limit]
        return JSONResponse({"products": [_public(product) for product in chosen]})


def _public(product: Product) -> dict[str, Any]:
    return {
        "id": product.id,
        "number": product.product_number,
        "name": product.name,
        "status": product.status,
        "categories": [c.uri for display in product.displays for c in display.categories],
        "prices": {str(p.pricelist.id): str(p.price.amount) for display in product.displays for p in display.prices},
        "variants": [
            {
                "id": variant.id,
                "name": variant.name,
                "status": variant.status,
                "sizes": [{"id": s.id, "sku": s.sku, "ean": s.ean} for s in variant.product_sizes],
            }
            for variant in product.product_variants
        ],
    }
