"""What Mirakl says of its catalogue: categories, attributes, value lists, channels, and what became of our products.

Tolerant like the other read models: enums are text, members we can live without may be null or missing.
"""

from __future__ import annotations

from dataclasses import dataclass

import msgspec


class Translation(msgspec.Struct, frozen=True):
    locale: str | None = None
    value: str | None = None


class Hierarchy(msgspec.Struct, frozen=True):
    """H11: a category; `parent_code` is empty at the top."""

    code: str
    label: str | None = None
    level: int | None = None
    parent_code: str | None = None
    label_translations: tuple[Translation, ...] | None = None


class TypeParameter(msgspec.Struct, frozen=True):
    name: str
    value: str | None = None


class Role(msgspec.Struct, frozen=True):
    """Which part an attribute plays (`CATEGORY`, `TITLE`, `UNIQUE_IDENTIFIER`, `VARIANT_GROUP_CODE` and others)."""

    type: str
    parameters: tuple[TypeParameter, ...] | None = None


class _Coded(msgspec.Struct, frozen=True):
    code: str


class Attribute(msgspec.Struct, frozen=True):
    """PM11: what may or must be said of a product. `hierarchy_code` empty: of every product.

    `requirement_level` is OPTIONAL, RECOMMENDED, REQUIRED or DISABLED; `validations` are as the platform writes them.
    """

    code: str
    type: str
    requirement_level: str
    hierarchy_code: str | None = None
    label: str | None = None
    description: str | None = None
    example: str | None = None
    locale: str | None = None
    variant: bool | None = None
    unique_code: str | None = None
    validations: str | None = None
    transformations: str | None = None
    type_parameters: tuple[TypeParameter, ...] | None = None
    roles: tuple[Role, ...] | None = None
    channels: tuple[_Coded, ...] | None = None
    label_translations: tuple[Translation, ...] | None = None

    @property
    def list_code(self) -> str | None:
        """The value list of VL11 that its values come from."""
        return self.parameter("LIST_CODE")

    @property
    def channel_codes(self) -> tuple[str, ...]:
        return tuple(channel.code for channel in self.channels or ())

    def parameter(self, name: str) -> str | None:
        return next((p.value for p in self.type_parameters or () if p.name == name), None)


class ListValue(msgspec.Struct, frozen=True):
    code: str
    label: str | None = None
    label_translations: tuple[Translation, ...] | None = None


class ValuesList(msgspec.Struct, frozen=True):
    """VL11: the values that an attribute may have."""

    code: str
    label: str | None = None
    values: tuple[ListValue, ...] | None = None


class Channel(msgspec.Struct, frozen=True):
    """CH11: a sales channel of the marketplace."""

    code: str
    label: str | None = None
    description: str | None = None


class LogisticClass(msgspec.Struct, frozen=True):
    """SH31: what an offer costs to ship; the code is what an offer names."""

    code: str
    label: str | None = None
    description: str | None = None


class Currency(msgspec.Struct, frozen=True):
    """CUR01."""

    code: str
    label: str | None = None
    platform_default: bool | None = None


class Locale(msgspec.Struct, frozen=True):
    """L01."""

    code: str
    label: str | None = None
    platform_default: bool | None = None


# ------------------------------------------------------------------------------------------------- products


@dataclass(frozen=True)
class ProductReference:
    """One identifier of a product, as the operator knows it: `EAN`, `7300000000011`."""

    type: str
    value: str

    def __post_init__(self) -> None:
        if self.type in ("SKU", "SHOP_SKU"):
            raise ValueError(f"P31 does not take references of type {self.type}")
        if not self.type or not self.value or set(self.type + self.value) & {",", "|"}:
            raise ValueError(f"{self.type}|{self.value} cannot be asked for")


class ProductFound(msgspec.Struct, frozen=True):
    """P31: a product that the marketplace has; `product_id` is the reference that was asked for."""

    product_id: str
    product_id_type: str
    product_sku: str | None = None
    product_title: str | None = None
    category_code: str | None = None
    category_label: str | None = None


class IntegrationDetails(msgspec.Struct, frozen=True):
    """How many products of an import are where, as far as the operator has decided."""

    products_successfully_synchronized: int | None = None
    rejected_products: int | None = None
    invalid_products: int | None = None
    products_not_accepted_in_time: int | None = None
    products_not_synchronized_in_time: int | None = None
    products_reimported: int | None = None
    products_with_synchronization_issues: int | None = None
    products_with_wrong_identifiers: int | None = None


class ProductImportStatus(msgspec.Struct, frozen=True):
    """P42. SENT: with the operator, which may take days. Reports count once the status says SENT or COMPLETE."""

    import_id: int
    import_status: str
    shop_id: int | None = None
    date_created: str | None = None
    reason_status: str | None = None
    has_error_report: bool | None = None
    has_new_product_report: bool | None = None
    has_transformation_error_report: bool | None = None
    has_transformed_file: bool | None = None
    transform_lines_read: int | None = None
    transform_lines_in_success: int | None = None
    transform_lines_in_error: int | None = None
    transform_lines_with_warning: int | None = None
    integration_details: IntegrationDetails | None = None


class _UniqueIdentifier(msgspec.Struct, frozen=True):
    code: str
    value: str


class Rejection(msgspec.Struct, frozen=True):
    """An operator's own decision."""

    reason_code: str | None = None
    reason_label: str | None = None
    message: str | None = None


class IntegrationDetail(msgspec.Struct, frozen=True):
    """What the operator's own system made of one attribute."""

    code: str | None = None
    attribute_code: str | None = None
    message: str | None = None


class ProductError(msgspec.Struct, frozen=True):
    """Why a product is not live."""

    code: str
    message: str | None = None
    channels: tuple[str, ...] | None = None
    rejection_details: Rejection | None = None
    integration_details: tuple[IntegrationDetail, ...] | None = None


class ProductWarning(msgspec.Struct, frozen=True):
    code: str
    message: str | None = None
    attribute_code: str | None = None


class SourceProduct(msgspec.Struct, frozen=True):
    """CM11: one of our products; `provider_unique_identifier` is our SKU. `status` is LIVE, NOT_LIVE or newer."""

    status: str
    provider_unique_identifier: str
    unique_identifiers: tuple[_UniqueIdentifier, ...] | None = None
    errors: tuple[ProductError, ...] | None = None
    warnings: tuple[ProductWarning, ...] | None = None
