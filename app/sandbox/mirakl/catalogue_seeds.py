"""Two invented operators' catalogues for clothing; they share no code, no list and no language.

`fr` writes its files with `;` and joins several values by `|`, sells on two channels and knows scheduled and volume
prices. `se` writes with `,` and joins by `#`, has one channel and default prices only, and wants the period of every
discount. An attribute is (code, label, type, requirement, further members); a category's own attributes come after
those of its parents, and one of the same code takes the place of the parents'.
"""

from dataclasses import dataclass
from typing import Any

Row = tuple[str, str, str, str, dict[str, Any]]

REQ, REC, OPT, OFF = "REQUIRED", "RECOMMENDED", "OPTIONAL", "DISABLED"


@dataclass(frozen=True, slots=True)
class Seed:
    """`hierarchies` are (code, label, parent); `attributes` by hierarchy code, the empty one is every category's.

    `values` are a list's labels by code; `configuration` is merged into PC01, `offer_fields` are added to AF01.
    """

    locale: str
    locales: dict[str, str]
    channels: dict[str, str]
    logistic_classes: dict[str, str]
    hierarchies: tuple[tuple[str, str, str], ...]
    attributes: dict[str, tuple[Row, ...]]
    values: dict[str, dict[str, str]]
    configuration: dict[str, Any]
    offer_fields: tuple[dict[str, Any], ...]


def _list(code: str, **more: Any) -> dict[str, Any]:
    return {"type_parameters": {"LIST_CODE": code}, **more}


def _role(role: str, **more: Any) -> dict[str, Any]:
    return {"role": role, **more}


def _field(code: str, label: str, kind: str, **more: Any) -> dict[str, Any]:
    shown = {"code": code, "editable": True, "entity": "OFFER", "label": label, "required": False, "type": kind}
    return {**shown, **more}


def _configuration(delimiter: str, separator: str, pricing: dict[str, Any]) -> dict[str, Any]:
    return {
        "features": {
            "catalog": {"list_of_multiple_values_separator": separator},
            "lead_time_to_ship_by_sellers_enabled": "YES",
            "operator_csv_delimiter": delimiter,
            "pricing": pricing,
        },
        "modules": {"mirakl_catalog_manager": True},
    }


_FR_SIZES = _list("TAILLES", variant=True)
_FR_MATERIAL: Row = ("matiere", "Matière", "LIST_MULTIPLE_VALUES", REQ, _list("MATIERES"))
_FR_LENGTH: Row = (
    "longueur",
    "Longueur",
    "MEASUREMENT",
    OPT,
    {"type_parameters": {"DEFAULT_UNIT": "CENTIMETER", "UNITS": "CENTIMETER|METER"}},
)

FR = Seed(
    locale="fr_FR",
    locales={"fr_FR": "Français", "nl_BE": "Nederlands (België)", "en": "English"},
    channels={"FR": "France", "BE": "Belgique"},
    logistic_classes={"S": "Petit colis", "M": "Colis moyen", "L": "Grand colis"},
    hierarchies=(
        ("100", "Mode", ""),
        ("110", "Femme", "100"),
        ("111", "Robes", "110"),
        ("112", "Hauts", "110"),
        ("113", "Manteaux", "110"),
        ("120", "Homme", "100"),
        ("121", "Chemises", "120"),
        ("122", "Pantalons", "120"),
        ("123", "Chaussures", "120"),
    ),
    attributes={
        "": (
            ("categorie", "Catégorie", "TEXT", REQ, _role("CATEGORY")),
            ("sku_vendeur", "SKU vendeur", "TEXT", REQ, _role("SHOP_SKU", validations="MAX_LENGTH|40")),
            ("ean", "EAN", "TEXT", REQ, {"unique_code": "EAN"}),
            (
                "titre_fr",
                "Titre",
                "TEXT",
                REQ,
                _role("TITLE", locale="fr_FR", validations="MIN_LENGTH|5,MAX_LENGTH|120"),
            ),
            (
                "description_fr",
                "Description",
                "LONG_TEXT",
                REQ,
                _role("DESCRIPTION", locale="fr_FR", validations="MAX_LENGTH|2000"),
            ),
            ("titre_en", "Title", "TEXT", OPT, {"locale": "en", "validations": "MAX_LENGTH|120"}),
            ("titre_nl", "Titel", "TEXT", OPT, {"locale": "nl_BE", "channels": ("BE",)}),
            ("marque", "Marque", "LIST", REQ, _list("MARQUES", role="BRAND")),
            ("image_1", "Image principale", "MEDIA", REQ, _role("MAIN_IMAGE")),
            ("image_2", "Image 2", "MEDIA", OPT, {}),
            ("groupe", "Code de groupe", "TEXT", REQ, _role("VARIANT_GROUP_CODE", validations="MAX_LENGTH|60")),
            ("couleur", "Couleur", "LIST", REQ, _list("COULEURS", variant=True)),
            ("origine", "Pays d'origine", "TEXT", OPT, {"validations": "PATTERN|^[A-Z][A-Z]$"}),
            ("ancien_code", "Ancien code", "TEXT", OFF, {}),
        ),
        "111": (
            ("taille", "Taille", "LIST", REQ, _FR_SIZES),
            _FR_MATERIAL,
            _FR_LENGTH,
            ("doublure", "Doublure", "BOOLEAN", OPT, {}),
            ("saison", "Saison", "LIST", REC, _list("SAISONS")),
        ),
        "112": (
            ("taille", "Taille", "LIST", REQ, _FR_SIZES),
            _FR_MATERIAL,
            ("encolure", "Encolure", "LIST", REC, _list("ENCOLURES")),
        ),
        "113": (
            ("taille", "Taille", "LIST", REQ, _FR_SIZES),
            _FR_MATERIAL,
            _FR_LENGTH,
            ("nb_poches", "Nombre de poches", "INTEGER", OPT, {"validations": "MIN|0,MAX|20"}),
            ("impermeable", "Imperméable", "BOOLEAN", REQ, {}),
        ),
        "121": (
            ("taille", "Taille", "LIST", REQ, _FR_SIZES),
            _FR_MATERIAL,
            ("coupe", "Coupe", "LIST", REC, _list("COUPES")),
        ),
        "122": (
            ("taille", "Taille", "LIST", REQ, _FR_SIZES),
            _FR_MATERIAL,
            ("coupe", "Coupe", "LIST", REQ, _list("COUPES")),
            ("elasthanne", "Part d'élasthanne (%)", "DECIMAL", OPT, {"type_parameters": {"PRECISION": "1"}}),
        ),
        "123": (
            ("pointure", "Pointure", "LIST", REQ, _list("POINTURES", variant=True)),
            ("matiere", "Matière de la tige", "LIST", REQ, _list("MATIERES")),
            ("lancement", "Date de lancement", "DATE", OPT, {"type_parameters": {"DATE_FORMAT": "yyyy-MM-dd"}}),
        ),
    },
    values={
        "MARQUES": {"FJW": "Fjordwear", "NRD": "Nordlys"},
        "COULEURS": {
            "C001": "Noir",
            "C002": "Blanc",
            "C012": "Bleu marine",
            "C044": "Écru",
            "C051": "Rouge",
            "C063": "Vert",
            "C070": "Gris",
            "C081": "Camel",
        },
        "TAILLES": {
            "T34": "34",
            "T36": "36",
            "T38": "38",
            "T40": "40",
            "T42": "42",
            "T44": "44",
            "TU": "Taille unique",
        },
        "POINTURES": {f"P{size}": str(size) for size in range(36, 48)},
        "MATIERES": {"COT": "Coton", "LAI": "Laine", "LIN": "Lin", "SOI": "Soie", "POL": "Polyester", "CUI": "Cuir"},
        "SAISONS": {"PE26": "Printemps-été 2026", "AH26": "Automne-hiver 2026"},
        "ENCOLURES": {"RON": "Ronde", "VEE": "En V", "COL": "Col montant"},
        "COUPES": {"DRO": "Droite", "AJU": "Ajustée", "LAR": "Large"},
    },
    configuration=_configuration(
        "SEMICOLON",
        "|",
        {
            "channel_pricing": "MULTI",
            "discount_period_required": False,
            "scheduled_pricing": True,
            "volume_discount": True,
            "volume_pricing": True,
        },
    ),
    offer_fields=(
        _field("made-in", "Pays de fabrication", "STRING"),
        _field("indice-reparabilite", "Indice de réparabilité", "NUMERIC"),
    ),
)

_SE_SIZES = _list("storlek", variant=True)
_SE_MATERIAL: Row = ("material", "Material", "LIST_MULTIPLE_VALUES", REQ, _list("material"))
_SE_CARE: Row = ("tvattrad", "Tvättråd", "LIST", REC, _list("tvattrad"))

SE = Seed(
    locale="sv_SE",
    locales={"sv_SE": "Svenska", "en": "English"},
    channels={"SE": "Sverige"},
    logistic_classes={"BREV": "Brev", "PAKET": "Paket"},
    hierarchies=(
        ("klader", "Kläder", ""),
        ("klader-klanningar", "Klänningar", "klader"),
        ("klader-trojor", "Tröjor", "klader"),
        ("klader-jackor", "Jackor", "klader"),
        ("klader-skjortor", "Skjortor", "klader"),
        ("klader-byxor", "Byxor", "klader"),
        ("skor", "Skor", ""),
    ),
    attributes={
        "": (
            ("category", "Kategori", "TEXT", REQ, _role("CATEGORY")),
            ("article-number", "Artikelnummer", "TEXT", REQ, _role("SHOP_SKU", validations="MAX_LENGTH|40")),
            ("gtin", "GTIN", "TEXT", REQ, {"unique_code": "EAN"}),
            ("name-sv", "Namn", "TEXT", REQ, _role("TITLE", locale="sv_SE", validations="MAX_LENGTH|80")),
            ("name-en", "Name", "TEXT", REC, {"locale": "en", "validations": "MAX_LENGTH|80"}),
            (
                "text-sv",
                "Beskrivning",
                "LONG_TEXT",
                REQ,
                _role("DESCRIPTION", locale="sv_SE", validations="MIN_LENGTH|20,MAX_LENGTH|4000"),
            ),
            ("brand", "Varumärke", "TEXT", REQ, _role("BRAND", validations="MAX_LENGTH|50")),
            ("media-1", "Bild 1", "MEDIA", REQ, _role("MAIN_IMAGE")),
            ("media-2", "Bild 2", "MEDIA", REC, {}),
            ("style", "Modell", "TEXT", REQ, _role("VARIANT_GROUP_CODE")),
            ("farg", "Färg", "LIST", REQ, _list("farg", variant=True)),
            ("ursprung", "Ursprungsland", "LIST", OPT, _list("land")),
        ),
        "klader-klanningar": (
            ("storlek", "Storlek", "LIST", REQ, _SE_SIZES),
            _SE_MATERIAL,
            _SE_CARE,
            ("langd", "Längd", "DECIMAL", OPT, {"type_parameters": {"PRECISION": "1"}}),
        ),
        "klader-trojor": (("storlek", "Storlek", "LIST", REQ, _SE_SIZES), _SE_MATERIAL, _SE_CARE),
        "klader-jackor": (
            ("storlek", "Storlek", "LIST", REQ, _SE_SIZES),
            _SE_MATERIAL,
            (
                "vikt",
                "Vikt",
                "MEASUREMENT",
                OPT,
                {"type_parameters": {"DEFAULT_UNIT": "GRAM", "UNITS": "GRAM|KILOGRAM"}},
            ),
            ("vattentat", "Vattentät", "BOOLEAN", REQ, {}),
        ),
        "klader-skjortor": (("storlek", "Storlek", "LIST", REQ, _SE_SIZES), _SE_MATERIAL, _SE_CARE),
        "klader-byxor": (
            ("storlek", "Storlek", "LIST", REQ, _SE_SIZES),
            _SE_MATERIAL,
            ("fickor", "Antal fickor", "INTEGER", OPT, {"validations": "MIN|0,MAX|20"}),
        ),
        "skor": (
            ("skostorlek", "Skostorlek", "LIST", REQ, _list("skostorlek", variant=True)),
            ("material", "Ovandel", "LIST", REQ, _list("material")),
            ("lansering", "Lanseringsdatum", "DATE", OPT, {"type_parameters": {"DATE_FORMAT": "yyyy-MM-dd"}}),
        ),
    },
    values={
        "farg": {
            "svart": "Svart",
            "vit": "Vit",
            "marinbla": "Marinblå",
            "ecru": "Ecru",
            "rod": "Röd",
            "gron": "Grön",
            "gra": "Grå",
            "kamel": "Kamel",
        },
        "storlek": {"xs": "XS", "s": "S", "m": "M", "l": "L", "xl": "XL", "onesize": "One size"},
        "skostorlek": {f"eu-{size}": str(size) for size in range(36, 48)},
        "material": {
            "bomull": "Bomull",
            "ull": "Ull",
            "lin": "Lin",
            "silke": "Silke",
            "polyester": "Polyester",
            "skinn": "Skinn",
        },
        "tvattrad": {"30": "30 grader", "40": "40 grader", "hand": "Handtvätt", "kem": "Kemtvätt"},
        "land": {"SE": "Sverige", "PT": "Portugal", "LT": "Litauen", "CN": "Kina", "TR": "Turkiet"},
    },
    configuration=_configuration(
        "COMMA",
        "#",
        {"channel_pricing": "DISABLED", "discount_period_required": True},
    ),
    offer_fields=(
        _field("returdagar", "Returdagar", "NUMERIC"),
        _field("lagerplats", "Lagerplats", "LIST", accepted_values=["norr", "syd"]),
    ),
)

SEEDS = {"fr": FR, "se": SE}
