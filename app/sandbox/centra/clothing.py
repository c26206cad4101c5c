"""Clothing to sell on marketplaces: products with texts, attributes, categories, media, size charts and prices.

Made beside the plain sizes of `seed`, after them, so that those keep their ids. The same request always makes the
same clothing. About four sizes a product; every fourth comes in two colours.
"""

import random
from decimal import Decimal
from typing import Any

from app.sandbox.centra import wardrobe
from app.sandbox.centra.attributes import (
    Attribute,
    AttributeChoiceElement,
    AttributeElement,
    AttributeFileElement,
    AttributeImageElement,
    AttributeStringElement,
    AttributeType,
)
from app.sandbox.centra.catalogue_entities import (
    Brand,
    Category,
    Collection,
    Folder,
    Language,
    LanguageTranslation,
    Price,
    ProductMedia,
    SizeChart,
    TaxGroup,
    TranslatedField,
    Weight,
)
from app.sandbox.centra.entities import (
    Display,
    DisplayItem,
    Product,
    ProductSize,
    ProductVariant,
    Size,
    StockCell,
)
from app.sandbox.centra.order_entities import MonetaryValue
from app.sandbox.centra.shop import Shop

_MEDIA = "https://media.northwater.example/"
_SEK = Decimal("11.5")
_ODD_EVERY = 20


def attribute(object_type: str, name: str, *elements: AttributeElement, mapped: bool = False) -> Attribute:
    return Attribute(AttributeType(name, mapped), object_type, list(elements))


def choice(key: str, *labels: str) -> AttributeChoiceElement:
    """Chosen options; codes are the labels in lower case, several of them joined by commas."""
    codes = [label.lower().replace(" ", "-") for label in labels]
    return AttributeChoiceElement(key, ",".join(codes), ", ".join(labels), is_multi=len(labels) > 1)


def check_digit(twelve: str) -> str:
    """The thirteenth digit of an EAN."""
    total = sum(int(digit) * (3 if place % 2 else 1) for place, digit in enumerate(twelve))
    return str(-total % 10)


class Clothing:
    """Makes clothing in a shop whose topology stands.

    Members, all optional: `products` (300), `rng_seed` (1), `media_base` (where pictures are), `fta` (a number for
    every cell, or null for 0 to 20 by dice), `kinds` (English names of those wanted: ["Dress", "Shirt"]).
    """

    def __init__(self, shop: Shop, members: dict[str, Any]) -> None:
        self._shop = shop
        self._dice = random.Random(members.get("rng_seed", 1))  # noqa: S311 - dice for tests
        self._media_base = str(members.get("media_base") or _MEDIA)
        self._fta = members.get("fta")
        self._ordinal = 0
        shop.languages = {
            code: Language(number, code, name) for number, (code, name) in enumerate(wardrobe.LANGUAGES.items(), 1)
        }
        shop.brands = {number: Brand(number, name) for number, name in enumerate(wardrobe.BRANDS, 1)}
        shop.collections = {1: Collection(1, "Essentials"), 2: Collection(2, "AW26")}
        shop.folders = {1: Folder(1, "Clothing")}
        shop.tax_groups = {1: TaxGroup(1, "Standard rate")}
        self._charts = {name: self._chart(name) for name in wardrobe.CHARTS}
        self._categories: dict[str, Category] = {}
        wanted = members.get("kinds") or [kind.names[0] for kind in wardrobe.KINDS]
        self._kinds = [kind for kind in wardrobe.KINDS if kind.names[0] in wanted]
        if not self._kinds:
            raise ValueError(f"no kind of clothing is called {', '.join(wanted)}")
        for number in range(int(members.get("products", 300))):
            self._product(number)

    # ------------------------------------------------------------------------------------------- what it hangs on

    def _chart(self, name: str) -> SizeChart:
        across, down, divider = wardrobe.CHARTS[name]
        labels = [f"{a}{divider}{d}" for a in across for d in down] if divider else across
        sizes = [self._size_name(label) for label in labels]
        chart = SizeChart(len(self._shop.size_charts) + 1, name, sizes, list(across), list(down), divider)
        self._shop.size_charts[chart.id] = chart
        return chart

    def _size_name(self, label: str) -> Size:
        names = self._shop.size_names
        return names.setdefault(label, Size(len(names) + 1, label))

    def _category(self, *labels: str) -> Category:
        """The category of that path from the root; it and those above it are made when they are first asked for."""
        uri = "/".join(label.lower().replace(" ", "-") for label in labels)
        if uri not in self._categories:
            made = Category(31 + len(self._categories), labels[-1], uri)
            self._categories[uri] = self._shop.categories[made.id] = made
            if labels[:-1]:
                self._category(*labels[:-1]).child_categories.append(made)
        return self._categories[uri]

    # -------------------------------------------------------------------------------------------------- products

    def _product(self, number: int) -> None:
        shop, now = self._shop, self._shop.now()
        turn, nth = divmod(number, len(self._kinds))
        kind = self._kinds[nth]
        gender = kind.genders[turn % len(kind.genders)]
        place = wardrobe.PLACES[turn % len(wardrobe.PLACES)]
        origin = wardrobe.COUNTRIES_OF_ORIGIN[number % len(wardrobe.COUNTRIES_OF_ORIGIN)]
        product = Product(
            next(shop.numbers.product),
            f"{place} {kind.names[0].lower()}",
            f"CL{number + 1:05d}",
            now,
            now,
            brand=shop.brands[1 + number % len(shop.brands)],
            collection=shop.collections[1 + number % len(shop.collections)],
            folder=shop.folders[1],
            country_of_origin=shop.countries[origin],
            harmonized_commodity_code=kind.commodity_code,
            weight=Weight(kind.kilograms),
            attributes=self._attributes(number, kind, gender),
        )
        product.translations = self._translations(
            {code: {"name": f"{place} {name}"} for code, name in zip(shop.languages, kind.names[1:], strict=True)}
        )
        shop.products[product.id] = product
        display = self._display(product, number, kind, gender)
        colours = len(wardrobe.COLOURS)
        for nth in range(2 if number % 4 == 0 else 1):
            self._variant(product, display, kind, wardrobe.COLOURS[(number + nth) % colours], whole_chart=nth == 0)

    def _attributes(self, number: int, kind: wardrobe.Kind, gender: str) -> list[Attribute]:
        """Texts and files are filled in product by product; options are chosen from lists of the shop's."""
        care = "Hand wash" if "Silk" in kind.fabrics else "Wash at 30"
        chosen = {
            "pr_fabric": choice("fabrics", *kind.fabrics),
            "pr_gender": choice("gender", gender),
            "pr_fit": choice("fit", wardrobe.FITS[number % len(wardrobe.FITS)]),
            "pr_care": choice("care", care),
            "pr_season": choice("seasons", "Autumn", "Winter"),
        }
        if kind.path[0] == "Outerwear":
            chosen["pr_waterproof"] = choice("waterproof", "Yes" if number % 2 else "No")
        guide = AttributeFileElement("file", f"{self._media_base}{kind.chart.lower().replace(' ', '-')}.pdf")
        return [
            attribute("Product", "pr_material", AttributeStringElement("text", kind.material)),
            attribute("Product", "pr_guide", guide),
            *(attribute("Product", name, element, mapped=True) for name, element in chosen.items()),
        ]

    def _display(self, product: Product, number: int, kind: wardrobe.Kind, gender: str) -> Display:
        shop = self._shop
        odd = wardrobe.ODD_REMARK if number % _ODD_EVERY == 0 else ""
        texts = {
            code: {
                "name": product.name.partition(" ")[0] + " " + name.lower(),
                "description": wardrobe.DESCRIPTIONS[code].format(name=name, material=kind.material) + odd,
            }
            for code, name in zip(("en", *shop.languages), kind.names, strict=True)
        }
        own = texts.pop("en")
        category = self._category(gender, *kind.path)
        euros = Decimal(kind.euros + self._dice.randint(0, 4) * 10) + Decimal("0.90")
        display = Display(
            next(shop.numbers.display),
            own["name"],
            f"{own['name'].replace(' ', '-')}-{product.id}",
            shop.stores[1],
            product,
            product.updated_at,
            list(shop.markets.values()),
            description=own["description"],
            short_description=f"{kind.names[0]}, {kind.material}",
            canonical_category=category,
            categories=[category, self._category(gender)],
            prices=[self.price(7, euros), self.price(8, (euros * _SEK).quantize(Decimal(1)))],
            tax_group=shop.tax_groups[1],
            media=[self.medium(f"{product.product_number}-{view}.jpg") for view in ("front", "back")],
            translations=self._translations(texts),
        )
        if number % 7 == 0:
            display.attributes.append(attribute("Display", "dsp_badge", AttributeStringElement("text", "New in")))
        product.displays.append(display)
        shop.displays[display.id] = display
        return display

    def price(self, pricelist_id: int, amount: Decimal) -> Price:
        pricelist = self._shop.pricelists[pricelist_id]
        made = Price(next(self._shop.numbers.price), pricelist, MonetaryValue(amount, pricelist.currency))
        self._shop.prices[made.id] = made
        return made

    def medium(self, name: str) -> ProductMedia:
        made = ProductMedia(next(self._shop.numbers.media), self._media_base + name)
        self._shop.media[made.id] = made
        return made

    def _translations(self, texts: dict[str, dict[str, str]]) -> list[LanguageTranslation]:
        return [
            LanguageTranslation(self._shop.languages[code], [TranslatedField(*pair) for pair in fields.items()])
            for code, fields in texts.items()
        ]

    def _variant(
        self, product: Product, display: Display, kind: wardrobe.Kind, colour: str, *, whole_chart: bool
    ) -> None:
        shop, short = self._shop, colour[:3].upper()
        chart = self._charts[kind.chart]
        swatch = AttributeImageElement("image", f"{self._media_base}swatch-{short.lower()}.png")
        variant = ProductVariant(
            next(shop.numbers.variant),
            colour,
            short,
            product,
            shop.now(),
            size_chart=chart,
            media=[self.medium(f"{product.product_number}-{short}.jpg")],
            attributes=[
                attribute("ProductVariant", "var_colour", choice("colour", colour), mapped=True),
                attribute("ProductVariant", "var_swatch", swatch),
            ],
        )
        product.product_variants.append(variant)
        shop.variants[variant.id] = variant
        item = DisplayItem(next(shop.numbers.display_item), display, variant)
        display.display_items.append(item)
        variant.display_items.append(item)
        shop.display_items[item.id] = item
        for size in chart.sizes if whole_chart else chart.sizes[:2]:
            self._size(variant, size)

    def _size(self, variant: ProductVariant, size: Size) -> None:
        shop, now = self._shop, self._shop.now()
        self._ordinal += 1
        twelve = f"731{self._ordinal:09d}"
        label = size.name.upper().replace("/", "").replace(" ", "")
        made = ProductSize(
            next(shop.numbers.size),
            f"{variant.product.product_number}-{variant.variant_number}-{label}",
            twelve + check_digit(twelve),
            label,
            size,
            variant,
            now,
            now,
            description=size.name,
        )
        for warehouse in shop.warehouses.values():
            quantity = self._dice.randint(0, 20) if self._fta is None else int(self._fta)
            made.stock[warehouse.id] = StockCell(warehouse, made, quantity)
        variant.product_sizes.append(made)
        shop.add_size(made)
