"""The words of the clothing that a shop may be seeded with: kinds of garment, colours and their names by language."""

from dataclasses import dataclass

LANGUAGES = {"fr": "French", "sv": "Swedish", "de": "German"}
"""Beside English, the shop's own."""


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of garment. `names`: English, then as `LANGUAGES`; `path`: category below women or men, with labels."""

    names: tuple[str, str, str, str]
    path: tuple[str, str]
    chart: str
    commodity_code: str
    material: str
    kilograms: float
    euros: int
    genders: tuple[str, ...] = ("Women", "Men")

    @property
    def fabrics(self) -> list[str]:
        """What `material` names, without the shares: `Wool`, `Silk`."""
        return [part.partition("% ")[2].capitalize() for part in self.material.split(", ")]


LETTERS, NUMBERS, INSEAMS, ONE_SIZE = "Letters", "Numbers", "Waist and length", "One size"
CHARTS: dict[str, tuple[list[str], list[str], str | None]] = {
    LETTERS: (["S", "M", "L", "XL"], [], None),
    NUMBERS: (["36", "38", "40", "42"], [], None),
    INSEAMS: (["W30", "W32"], ["L32", "L34"], "/"),
    ONE_SIZE: (["One size"], [], None),
}
"""Name -> horizontal labels, vertical labels, what stands between them."""

KINDS = (
    Kind(("Jumper", "Pull", "Tröja", "Pullover"), ("Knitwear", "Jumpers"), LETTERS, "61101190", "100% wool", 0.45, 79),
    Kind(("Shirt", "Chemise", "Skjorta", "Hemd"), ("Tops", "Shirts"), LETTERS, "62052000", "100% cotton", 0.3, 59),
    Kind(
        ("Trousers", "Pantalon", "Byxor", "Hose"),
        ("Bottoms", "Trousers"),
        INSEAMS,
        "62034235",
        "98% cotton, 2% polyester",
        0.55,
        89,
    ),
    Kind(
        ("Dress", "Robe", "Klänning", "Kleid"),
        ("Dresses", "Day dresses"),
        NUMBERS,
        "62044400",
        "100% silk",
        0.4,
        119,
        ("Women",),
    ),
    Kind(
        ("Coat", "Manteau", "Kappa", "Mantel"),
        ("Outerwear", "Coats"),
        LETTERS,
        "62011100",
        "70% wool, 30% polyester",
        1.4,
        249,
    ),
    Kind(
        ("Cardigan", "Gilet", "Kofta", "Strickjacke"),
        ("Knitwear", "Cardigans"),
        LETTERS,
        "61101210",
        "60% wool, 40% silk",
        0.5,
        99,
    ),
    Kind(
        ("Skirt", "Jupe", "Kjol", "Rock"),
        ("Bottoms", "Skirts"),
        NUMBERS,
        "62045200",
        "100% linen",
        0.35,
        69,
        ("Women",),
    ),
    Kind(
        ("Jacket", "Veste", "Jacka", "Jacke"),
        ("Outerwear", "Jackets"),
        LETTERS,
        "62019300",
        "100% polyester",
        0.9,
        189,
    ),
    Kind(
        ("T-shirt", "T-shirt", "T-shirt", "T-Shirt"),
        ("Tops", "T-shirts"),
        LETTERS,
        "61091000",
        "100% cotton",
        0.2,
        29,
    ),
    Kind(
        ("Scarf", "Écharpe", "Halsduk", "Schal"),
        ("Accessories", "Scarves"),
        ONE_SIZE,
        "62142000",
        "100% wool",
        0.15,
        45,
    ),
)

COLOURS = ("Black", "Navy", "Ecru", "Moss", "Rust", "Slate", "Sand")
PLACES = (
    *("Fjord", "Birch", "Harbour", "Moor", "Granite", "Lantern", "Willow", "Island", "Meadow", "Juniper", "Pebble"),
    *("Ferry", "Orchard", "Drift", "Heather", "Lake", "Quarry", "Reed", "Summit", "Tide", "Valley", "Wharf"),
    *("Alder", "Beacon", "Cove", "Dune", "Ember", "Frost", "Glen", "Hazel"),
)
FITS = ("Straight", "Slim", "Wide")
COUNTRIES_OF_ORIGIN = ("PT", "PL", "IT", "DE")
BRANDS = ("Fjordwear", "Nordlys")
DESCRIPTIONS = {
    "en": "{name} in {material}.\nMade to last.",
    "fr": "{name} en {material}.\nConçu pour durer.",
    "sv": "{name} i {material}.\nGjord för att hålla.",
    "de": "{name} aus {material}.\nGemacht, um zu halten.",
}
ODD_REMARK = ' Edge: 1\\" approx; "raw", 2 × 30 °.'
"""Ends every 20th description: what a badly written file would break on."""
