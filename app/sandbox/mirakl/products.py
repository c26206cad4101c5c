"""The operator's products, and what this shop has told about each.

A product that the shop describes is a source, known by the shop's own SKU. It is NOT_LIVE until the operator takes
it, with the errors MCM-04014 and MCM-0L000 as long as nobody has decided; then LIVE, and an offer can be made. The
operator takes every product unless the admin planted another verdict for its SKU, which is used up by the next
decision, or withdraws one that is live already.
"""

import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from app.sandbox.clock import Clock, iso
from app.sandbox.mirakl.catalogue import Catalogue
from app.sandbox.mirakl.product_rules import Fault

VERDICTS = ("REJECTED", "NOT_ACCEPTED_IN_TIME", "SYNCHRONIZATION_ISSUE")

_PENDING = (
    {"code": "MCM-04014", "message": "The product needs to be reviewed by the operator."},
    {"code": "MCM-0L000", "message": "The product has not been published yet."},
)


@dataclass(slots=True)
class Product:
    """One of the operator's; `references` by type, as EAN."""

    sku: str
    category: str
    title: str
    references: dict[str, str]
    live: bool = True


@dataclass(slots=True)
class Source:
    """What the shop told. `errors` as CM11 shows them; `pending`: the operator has not decided."""

    shop_sku: str
    category: str
    title: str
    identifiers: dict[str, str]
    updated_at: float
    pending: bool = True
    product_sku: str | None = None
    errors: list[dict[str, Any]] = field(default_factory=lambda: list(_PENDING))
    warnings: tuple[Fault, ...] = ()

    @property
    def is_live(self) -> bool:
        return self.product_sku is not None and not self.errors


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the operator will say of a product. `attribute` is where a synchronization issue lies."""

    kind: str
    reason_code: str = "1"
    reason_label: str = "The product does not fit the assortment"
    message: str = ""
    attribute: str = ""

    def __post_init__(self) -> None:
        if self.kind not in VERDICTS:
            raise ValueError(f"kind is one of {', '.join(VERDICTS)}")

    def errors(self) -> list[dict[str, Any]]:
        """As CM11 shows them. The code for `not accepted in time` is invented."""
        if self.kind == "NOT_ACCEPTED_IN_TIME":
            return [{"code": "MCM-04013", "message": "The product has not been accepted in time."}]
        if self.kind == "SYNCHRONIZATION_ISSUE":
            detail = {"attribute_code": self.attribute, "code": "ERROR", "message": self.message or "is not mapped"}
            message = "The product integration contains errors."
            return [{"code": "MCM-04000", "message": message, "integration_details": [detail]}]
        details = {"reason_code": self.reason_code, "reason_label": self.reason_label, "message": self.message}
        message = "The product has been rejected by the operator temporarily."
        return [{"code": "MCM-04012", "message": message, "rejection_details": details}]


class ProductBook:
    """All products of the platform that this shop can meet."""

    def __init__(self, catalogue: Catalogue, clock: Clock) -> None:
        self.catalogue = catalogue
        self.products: dict[str, Product] = {}
        self.sources: dict[str, Source] = {}
        self.verdicts: dict[str, Verdict] = {}
        # Called whenever something was decided about products.
        self.listeners: list[Callable[[], None]] = []
        self._clock = clock
        self._by_reference: dict[tuple[str, str], str] = {}
        self._claimed: dict[tuple[str, str], str] = {}
        self._numbers = itertools.count(100_001)

    def put(self, sku: str, category: str, title: str, references: dict[str, str]) -> Product:
        """The operator's own act: creates a product, or changes one."""
        product = self.products.get(sku)
        if product is None:
            product = self.products[sku] = Product(sku, category, title, {})
        product.category, product.title = category or product.category, title or product.title
        product.references |= references
        self._by_reference |= dict.fromkeys(references.items(), sku)
        return product

    def find(self, kind: str, reference: str) -> Product | None:
        """A live product by a reference of the operator, by its own SKU, or by the SKU of the shop."""
        if kind == "SKU":
            found = self.products.get(reference)
        elif kind == "SHOP_SKU":
            source = self.sources.get(reference)
            found = self.products.get((source.product_sku if source else None) or "")
        else:
            found = self.products.get(self._by_reference.get((kind, reference), ""))
        return found if found is not None and found.live else None

    def is_pending(self, kind: str, reference: str) -> bool:
        """Whether a product that is not there yet may still come from what this shop told."""
        owner = reference if kind == "SHOP_SKU" else self.owner(kind, reference)
        return owner in self.sources and self.sources[owner].pending

    def owner(self, kind: str, reference: str) -> str | None:
        """The SKU of the shop under which it has told about this reference."""
        return self._claimed.get((kind, reference))

    def tell(self, shop_sku: str, category: str, title: str, identifiers: dict[str, str]) -> Source:
        """The shop describes a product, new or again; one that is live stays so until it is decided."""
        at, source = self._clock.timestamp(), self.sources.get(shop_sku)
        if source is None or not source.is_live:
            before = source or Source(shop_sku, category, title, identifiers, at)
            source = Source(shop_sku, category, title, before.identifiers, at, product_sku=before.product_sku)
            self.sources[shop_sku] = source
        for given_up in source.identifiers.items() - identifiers.items():
            self._claimed.pop(given_up, None)
        self._claimed |= dict.fromkeys(identifiers.items(), shop_sku)
        source.category, source.title, source.identifiers = category, title, identifiers
        source.pending, source.updated_at = True, at
        return source

    def decide(self, source: Source) -> Verdict | None:
        """What the operator says: the verdict that was planted, or None, and then `take` is next."""
        verdict = self.verdicts.pop(source.shop_sku, None)
        source.pending, source.updated_at = False, self._clock.timestamp()
        if verdict is not None:
            self._refuse(source, verdict)
        return verdict

    def take(self, source: Source) -> bool:
        """It becomes a product of the operator, or one with a product that is there; True when it is new."""
        source.errors = []
        known = next(filter(None, (self._by_reference.get(pair) for pair in source.identifiers.items())), None)
        created = known is None and source.product_sku is None
        sku = known or source.product_sku or f"MP-{next(self._numbers)}"
        self.put(sku, source.category, source.title, source.identifiers).live = True
        source.product_sku = sku
        return created

    def withdraw(self, source: Source, verdict: Verdict) -> None:
        """The operator changes its mind about a product that is live: its offers go off sale."""
        source.updated_at = self._clock.timestamp()
        self._refuse(source, verdict)
        self.notify()

    def notify(self) -> None:
        for listener in self.listeners:
            listener()

    def _refuse(self, source: Source, verdict: Verdict) -> None:
        source.errors = verdict.errors()
        if source.product_sku is not None:
            self.products[source.product_sku].live = False

    def category_label(self, code: str) -> str:
        category = self.catalogue.categories.get(code)
        return code if category is None else category.label

    def public(self) -> dict[str, Any]:
        """For the admin: what the shop told and what became of it, and the products that are live."""
        sources = {
            source.shop_sku: {
                "category": source.category,
                "identifiers": source.identifiers,
                "pending": source.pending,
                "product_sku": source.product_sku,
                "status": "LIVE" if source.is_live else "NOT_LIVE",
                "updated_at": iso(source.updated_at),
            }
            for source in self.sources.values()
        }
        return {"sources": sources, "products": sum(product.live for product in self.products.values())}
