"""What is known about countries: their codes and names, and what postcodes and states look like where it is certain.

Rules are by country (field case 32): one that demands a postcode in France says nothing about Dubai. Where no rule
is written down, everything passes as text.
"""

from __future__ import annotations

import re
import unicodedata

from iso3166 import countries

_LABELS = {
    "AD": "Andorre",
    "AE": "UAE / Émirats arabes unis / Vereinigte Arabische Emirate",
    "AL": "Albanie / Albanien / Shqipëria",
    "AT": "Autriche / Österreich",
    "AU": "Australie / Australien",
    "BA": "Bosnia / Bosnie-Herzégovine / Bosnien und Herzegowina / Bosna i Hercegovina",
    "BE": "Belgique / Belgien / België",
    "BG": "Bulgarie / Bulgarien / България",
    "CA": "Kanada",
    "CH": "Suisse / Schweiz / Svizzera / Svizra",
    "CY": "Chypre / Zypern / Κύπρος / Kıbrıs",
    "CZ": "Czech Republic / Tchéquie / République tchèque / Tschechien / Tschechische Republik / Česko"
    " / Česká republika",
    "DE": "Allemagne / Deutschland",
    "DK": "Danemark / Dänemark / Danmark",
    "EE": "Estonie / Estland / Eesti",
    "ES": "Espagne / Spanien / España / Espanya",
    "FI": "Finlande / Finnland / Suomi",
    "FR": "Frankreich",
    "GB": "UK / United Kingdom / Great Britain / Britain / England / Scotland / Wales / Northern Ireland"
    " / Royaume-Uni / Grande-Bretagne / Vereinigtes Königreich / Großbritannien",
    "GF": "Guyane / Guyane française / Französisch-Guayana",
    "GR": "EL / Grèce / Griechenland / Ελλάδα / Ellada",
    "HR": "Croatie / Kroatien / Hrvatska",
    "HU": "Hongrie / Ungarn / Magyarország",
    "IE": "Republic of Ireland / Irlande / Irland / Éire",
    "IS": "Islande / Island / Ísland",
    "IT": "Italie / Italien / Italia",
    "JP": "Japon / 日本",
    "KR": "South Korea / Corée du Sud / Südkorea",
    "LT": "Lituanie / Litauen / Lietuva",
    "LU": "Luxemburg / Lëtzebuerg",
    "LV": "Lettonie / Lettland / Latvija",
    "MD": "Moldova / Moldavie / Moldau / Moldawien",
    "ME": "Monténégro / Crna Gora",
    "MK": "Macedonia / Macédoine du Nord / Nordmazedonien / Северна Македонија",
    "MT": "Malte",
    "NL": "The Netherlands / Holland / Pays-Bas / Niederlande / Nederland",
    "NO": "Norvège / Norwegen / Norge / Noreg",
    "PL": "Pologne / Polen / Polska",
    "QA": "Katar",
    "RE": "La Réunion",
    "RO": "Roumanie / Rumänien / România",
    "RS": "Serbie / Serbien / Srbija / Србија",
    "RU": "Russia / Russie / Russland / Россия",
    "SE": "Suède / Schweden / Sverige",
    "SI": "Slovénie / Slowenien / Slovenija",
    "SK": "Slovak Republic / Slovaquie / Slowakei / Slovensko",
    "SM": "Saint-Marin",
    "TR": "Turkey / Turquie / Türkei",
    "UA": "Ukraina / Україна",
    "US": "USA / United States / États-Unis / Vereinigte Staaten / Vereinigte Staaten von Amerika",
    "VA": "Vatican / Vatican City / Vatikanstadt",
    "XK": "Kosova / Косово",
}
"""Labels in English, French, German and the country's own languages, where the ISO list has another name or none."""

_POSTCODES = {
    **dict.fromkeys(
        ("FR", "DE", "ES", "IT", "FI", "EE", "HR", "XK", "RS", "ME", "BA", "TR", "UA", "MC", "SM", "VA"), r"\d{5}"
    ),
    **dict.fromkeys(("GP", "GF", "MQ", "RE", "YT", "BL", "MF", "PM"), r"97\d{3}"),
    **dict.fromkeys(("BE", "CH", "AT", "DK", "NO", "HU", "SI", "BG", "LI", "CY", "AU", "AL", "MK"), r"\d{4}"),
    "CA": r"[A-Z]\d[A-Z] ?\d[A-Z]\d",
    "CZ": r"\d{3} ?\d{2}",
    "GB": r"GIR ?0AA|BFPO ?\d{1,4}|[A-Z]{1,2}\d[A-Z\d]? ?\d[A-Z]{2}",
    "GR": r"\d{3} ?\d{2}",
    "IE": r"([A-Z]\d[\dW] ?[A-Z\d]{4})?",  # an Eircode is never demanded
    "IS": r"\d{3}",
    "JP": r"\d{3}-?\d{4}",
    "LT": r"(LT-)?\d{5}",
    "LU": r"(L-)?\d{4}",
    "LV": r"(LV-)?\d{4}",
    "MT": r"[A-Z]{3} ?\d{4}",
    "NL": r"\d{4} ?[A-Z]{2}",
    "PL": r"\d{2}-?\d{3}",
    "PT": r"\d{4}-\d{3}",
    "RO": r"\d{6}",
    "SE": r"(SE-)?\d{3} ?\d{2}",
    "SK": r"\d{3} ?\d{2}",
    "US": r"\d{5}(-?\d{4})?",
}
"""Countries without postcodes (AE, HK, QA and others) and those whose rule is not certain do not stand here."""

_STATES = (
    "AL Alabama/AK Alaska/AZ Arizona/AR Arkansas/CA California/CO Colorado/CT Connecticut/DE Delaware/FL Florida"
    "/GA Georgia/HI Hawaii/ID Idaho/IL Illinois/IN Indiana/IA Iowa/KS Kansas/KY Kentucky/LA Louisiana/ME Maine"
    "/MD Maryland/MA Massachusetts/MI Michigan/MN Minnesota/MS Mississippi/MO Missouri/MT Montana/NE Nebraska"
    "/NV Nevada/NH New Hampshire/NJ New Jersey/NM New Mexico/NY New York/NC North Carolina/ND North Dakota/OH Ohio"
    "/OK Oklahoma/OR Oregon/PA Pennsylvania/RI Rhode Island/SC South Carolina/SD South Dakota/TN Tennessee/TX Texas"
    "/UT Utah/VT Vermont/VA Virginia/WA Washington/WV West Virginia/WI Wisconsin/WY Wyoming"
    "/DC District of Columbia/PR Puerto Rico/GU Guam/VI Virgin Islands/AS American Samoa"
    "/MP Northern Mariana Islands/AA Armed Forces Americas/AE Armed Forces Europe/AP Armed Forces Pacific"
)


def fold(text: str) -> str:
    """Letters and digits alone, without case and accents, for comparing what people wrote."""
    return "".join(sign for sign in unicodedata.normalize("NFKD", text.casefold()) if sign.isalnum())


_BY_LABEL = {
    fold(label): code
    for code, labels in (
        *((country.alpha2, name) for country in countries for name in (country.name, country.apolitical_name)),
        *_LABELS.items(),
    )
    for label in labels.split(" / ")
}
_US_STATES = frozenset(fold(text) for state in _STATES.split("/") for text in state.split(" ", 1))


def alpha2(code: str, label: str) -> str | None:
    """The ISO alpha-2 code of a country given as alpha-3 (or, by mistake, alpha-2) or, where that is missing, by name.

    None when neither is known: there is no default country (field case 24).
    """
    for text in (code, label):
        if country := countries.get(text.strip(), None):
            return country.alpha2
        if known := _BY_LABEL.get(fold(text)):
            return known
    return None


def postcode_fits(country: str, postcode: str) -> bool:
    """Whether a postcode can be one of this country (alpha-2). It is text: a lost leading zero does not fit."""
    pattern = _POSTCODES.get(country)
    return pattern is None or re.fullmatch(pattern, postcode, re.ASCII | re.IGNORECASE) is not None


def state_fits(country: str, state: str) -> bool:
    """Whether a carrier can read the state: in the US it is demanded, two letters or the full name; elsewhere text."""
    return country != "US" or fold(state) in _US_STATES
