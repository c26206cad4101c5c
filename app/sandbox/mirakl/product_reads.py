"""P31: which references the operator has products for. CM11: what became of the products that this shop told about.

CM11 exists with the Catalog Manager only (PC01); it shows what was told, decided or changed in its window.
"""

from collections.abc import Iterable
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from app.sandbox.mirakl.answers import Json, Refused
from app.sandbox.mirakl.order_lists import instant
from app.sandbox.mirakl.products import Product, Source
from app.sandbox.mirakl.state import Shop

_MOST_REFERENCES = 100


class ProductReads:
    def __init__(self, shop: Shop) -> None:
        self._mirrors = shop.mirrors
        self._book = shop.products

    async def p31(self, request: Request) -> Json:
        given = request.query_params.get("product_references")
        if not given:
            raise Refused(400, "The parameter product_references is mandatory")
        pairs = [text.partition("|")[::2] for text in given.split(",")]
        if len(pairs) > _MOST_REFERENCES:
            raise Refused(400, f"The limit of {_MOST_REFERENCES} is exceeded for the parameter : product_references")
        if any(kind in ("SHOP_SKU", "SKU") or not value for kind, value in pairs):
            raise Refused(400, "Error with parameter product_references. Please check its type.")
        found = [(kind, value, self._book.find(kind, value)) for kind, value in dict.fromkeys(pairs)]
        shown = [self._shown(kind, value, product) for kind, value, product in found if product is not None]
        return Json({"products": shown, "total_count": len(shown)})

    def _shown(self, kind: str, value: str, product: Product) -> dict[str, Any]:
        return {
            "category_code": product.category,
            "category_label": self._book.category_label(product.category),
            "product_id": value,
            "product_id_type": kind,
            "product_sku": product.sku,
            "product_title": product.title,
        }

    async def cm11(self, request: Request) -> Json | Response:
        if not self._mirrors.configuration["modules"]["mirakl_catalog_manager"]:
            raise Refused(404, "The Catalog Manager is not activated")
        query = request.query_params
        status = query.get("status")
        if status not in (None, "LIVE", "NOT_LIVE"):
            raise Refused(400, "Error with parameter status. Please check its type.")
        skus, references = query.getlist("provider_unique_identifier"), query.getlist("unique_identifier")
        if max(len(skus), len(references)) > _MOST_REFERENCES:
            raise Refused(400, f"The limit of {_MOST_REFERENCES} is exceeded")
        since, until = (instant(n, query[n]) if n in query else None for n in ("updated_since", "updated_to"))
        chosen = [
            _status(source)
            for source in self._named(skus, references)
            if (since is None or source.updated_at >= since)
            and (until is None or source.updated_at <= until)
            and status in (None, "LIVE" if source.is_live else "NOT_LIVE")
        ]
        return Json(chosen) if chosen else Response(status_code=204)

    def _named(self, skus: list[str], references: list[str]) -> Iterable[Source]:
        for source in self._book.sources.values():
            if skus and source.shop_sku not in skus:
                continue
            if not references or set(references) & set(source.identifiers.values()):
                yield source


def _status(source: Source) -> dict[str, Any]:
    warnings = [{"attribute_code": w.attribute, "code": w.code, "message": w.message} for w in source.warnings]
    return {
        "provider_unique_identifier": source.shop_sku,
        "unique_identifiers": [{"code": code, "value": value} for code, value in source.identifiers.items()],
        "status": "LIVE" if source.is_live else "NOT_LIVE",
        "errors": source.errors,
        "warnings": warnings,
    }
