"""Products at Mirakl: looked up, imported as a file, followed to the operator's decision, and their reports.

A file may be sent every quarter of an hour. It is not safe to send again: an unknown P41 may have been taken.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Unpack

import msgspec

from app.mirakl.after_calls import checked
from app.mirakl.calls import LARGE_BODY_BYTES, UPLOAD_SECONDS, Sending, ShopCalls, charges_of, instant, numbered
from app.mirakl.catalogue_schema import ProductFound, ProductImportStatus, ProductReference, SourceProduct
from app.mirakl.product_files import ProductFile, ProductLine, read_product_report, read_products
from app.wire.decode import Items, Rows, Unreadable, decoded
from app.wire.outcome import Applied, Outcome, Unknown
from app.wire.permit import Permit
from app.wire.request import FilePart, WireRequest
from app.wire.target import path_part

REFERENCES_LIMIT = 100
"""The most products of one P31, and the most identifiers of one CM11."""
_NO_CONTENT = 204


class _Accepted(msgspec.Struct):
    import_id: int | None = None


class ProductCalls(ShopCalls):
    """The product calls of a shop."""

    async def p31_find_products(
        self, references: Sequence[ProductReference], *, permit: Permit | None = None
    ) -> Outcome[Items[ProductFound]]:
        """Which of up to 100 products the marketplace has already; those that it has not are left out."""
        asked = ",".join(f"{one.type}|{one.value}" for one in checked(references, REFERENCES_LIMIT))
        request = WireRequest("P31", "GET", "/api/products", query=(("product_references", asked),))
        return await self._listed(request, "products", ProductFound, permit)

    async def p41_import_products(
        self,
        file: ProductFile,
        delimiter: str,
        **sending: Unpack[Sending],
    ) -> Outcome[str]:
        """Queue products in the operator's own format; the value is the import's id."""
        answer = await self._upload(
            "P41",
            "/api/products/imports",
            FilePart("file", "products.csv", file.encoded(delimiter), "text/csv"),
            FilePart("operator_format", None, b"true", "text/plain"),
            **sending,
        )
        return decoded(answer, _Accepted, lambda body: numbered(body.import_id))

    async def p42_get_product_import(
        self, import_id: str, *, permit: Permit | None = None
    ) -> Outcome[ProductImportStatus]:
        """How far an import is. Refused (missing): Mirakl does not know it."""
        request = WireRequest("P42", "GET", f"/api/products/imports/{path_part(import_id)}")
        answer = await self._send(request, permit=permit)

        def shape(status: ProductImportStatus) -> Outcome[ProductImportStatus]:
            if str(status.import_id) != import_id:
                return Unknown("the answer is about another import")
            return self._ours(status.shop_id, status)

        return decoded(answer, ProductImportStatus, shape)

    async def p44_get_product_errors(
        self, import_id: str, identifier: str, delimiter: str | None = None, *, permit: Permit | None = None
    ) -> Outcome[list[ProductLine]]:
        """The products that the operator did not take; `identifier`: the column that says which."""
        path = f"/api/products/imports/{path_part(import_id)}/error_report"
        return await self._report("P44", path, lambda body: read_product_report(body, identifier, delimiter), permit)

    async def p45_get_new_products(
        self, import_id: str, delimiter: str | None = None, *, permit: Permit | None = None
    ) -> Outcome[list[dict[str, str]]]:
        """The products that an import added, by column. No report of errors."""
        path = f"/api/products/imports/{path_part(import_id)}/new_product_report"
        return await self._report("P45", path, lambda body: read_products(body, delimiter), permit)

    async def p46_get_transformed_file(
        self, import_id: str, delimiter: str | None = None, *, permit: Permit | None = None
    ) -> Outcome[list[dict[str, str]]]:
        """The products as the platform handed them to the operator, by column."""
        path = f"/api/products/imports/{path_part(import_id)}/transformed_file"
        return await self._report("P46", path, lambda body: read_products(body, delimiter), permit)

    async def p47_get_transformation_errors(
        self, import_id: str, identifier: str, delimiter: str | None = None, *, permit: Permit | None = None
    ) -> Outcome[list[ProductLine]]:
        """The products that did not reach the operator, or reached it with warnings; `identifier` as in P44."""
        path = f"/api/products/imports/{path_part(import_id)}/transformation_error_report"
        return await self._report("P47", path, lambda body: read_product_report(body, identifier, delimiter), permit)

    async def cm11_list_source_products(
        self,
        updated_since: datetime | None = None,
        *,
        skus: Sequence[str] = (),
        permit: Permit | None = None,
    ) -> Outcome[Rows[SourceProduct]]:
        """What became of our products: of those that changed since then, of up to 100 named ones, or (each four
        hours) of all. Refused (missing) where the platform has no Catalog Manager.
        """
        named = [("provider_unique_identifier", sku) for sku in checked(skus, REFERENCES_LIMIT)] if skus else []
        since = [("updated_since", instant(updated_since))] if updated_since else []
        request = WireRequest(
            "CM11",
            "GET",
            "/api/mcm/products/sources/status/export",
            query=(*since, *named),
            body_bytes=LARGE_BODY_BYTES,
            total_seconds=UPLOAD_SECONDS,
        )
        charges = charges_of("CM11" if since or named else "CM11.full")
        answer = await self._send(request, permit=permit, charges=charges)
        if not isinstance(answer, Applied):
            return answer
        body = b"[]" if answer.value.status == _NO_CONTENT else answer.value.body
        try:
            return Applied(Rows(body, SourceProduct, "provider_unique_identifier"))
        except Unreadable as exc:
            return Unknown(f"unreadable answer: {exc}")
