"""The /_sandbox routes of a marketplace, beside those that every stand-in has.

POST /_sandbox/offers {"offers": [{"sku", "quantity", "price", "product_sku"?, "ean"?, "active"?, and any other member
                       of OF24 under its name there}]} -> {"offers": n}
GET  /_sandbox/offers                  -> {"offers": {sku: quantity}}, deleted ones left out
POST /_sandbox/offers/delete {"skus"}  -> {"deleted": n}
POST /_sandbox/buy {"sku", "quantity"} -> {"sku", "quantity": what is left}; as a buyer's order does
POST /_sandbox/shop {"state", "suspension_type", "closed_from", "closed_to", "currency", "platform_currency",
                     "name", "warehouses": [code], "price_approval": bool, "configuration": {...},
                     "account": {...}, "orders": {...},
                     "carriers", "shipping_types", "documents", "reasons", "taxes", "offer_states",
                     "additional_fields": [...]}
GET  /_sandbox/shop                    -> the same
POST /_sandbox/keys {"valid": [...], "accountancy": [...], "accountancy_codes": [...]} (any of them)
                     the keys that work from now on; those of the accountancy role work for finance alone, and where
                     there is one, no other key has the calls `accountancy_codes` (TL02 to TL05)
POST /_sandbox/forbid {"codes": [...]} the codes that answer 403 from now on
"""

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from app.sandbox.admin import json_object, refusing_nonsense
from app.sandbox.mirakl.state import Shop


def marketplace_admin_routes(shop: Shop) -> list[Route]:
    async def at_offers(request: Request) -> Response:
        if request.method == "POST":
            return JSONResponse({"offers": shop.put_offers((await json_object(request))["offers"])})
        live = {sku: offer.quantity for sku, offer in shop.offers.items() if not offer.deleted}
        return JSONResponse({"offers": live})

    async def at_delete(request: Request) -> Response:
        return JSONResponse({"deleted": shop.delete_offers((await json_object(request))["skus"])})

    async def at_buy(request: Request) -> Response:
        members = await json_object(request)
        left = shop.buy(str(members["sku"]), int(members["quantity"]))
        return JSONResponse({"sku": members["sku"], "quantity": left})

    async def at_shop(request: Request) -> Response:
        if request.method == "POST":
            shop.change(await json_object(request))
        return JSONResponse(shop.public())

    async def at_keys(request: Request) -> Response:
        members = await json_object(request)
        shop.valid_keys = {str(key) for key in members.get("valid", shop.valid_keys)}
        shop.accountancy_keys = {str(key) for key in members.get("accountancy", shop.accountancy_keys)}
        shop.accountancy_codes = {str(code) for code in members.get("accountancy_codes", shop.accountancy_codes)}
        return JSONResponse({"valid": sorted(shop.valid_keys), "accountancy": sorted(shop.accountancy_keys)})

    async def at_forbid(request: Request) -> Response:
        shop.forbidden_codes = {str(code) for code in (await json_object(request))["codes"]}
        return JSONResponse({"codes": sorted(shop.forbidden_codes)})

    return [
        Route("/_sandbox/offers", refusing_nonsense(at_offers), methods=["GET", "POST"]),
        Route("/_sandbox/offers/delete", refusing_nonsense(at_delete), methods=["POST"]),
        Route("/_sandbox/buy", refusing_nonsense(at_buy), methods=["POST"]),
        Route("/_sandbox/shop", refusing_nonsense(at_shop), methods=["GET", "POST"]),
        Route("/_sandbox/keys", refusing_nonsense(at_keys), methods=["POST"]),
        Route("/_sandbox/forbid", refusing_nonsense(at_forbid), methods=["POST"]),
    ]
