"""Whether the operator takes a product as the shop describes it: one row of a P41 file, checked as PM11 declares.

A fault is a code and words, as the transformation report (P47) shows them: `1000|The attribute 'ean' (EAN) is
required`. The codes 1000 and 1001 are the platform's, the others are invented. A date is as DATE_FORMAT says
(yyyy-MM-dd), a measurement a number, a space and a unit of UNITS, a boolean true or false; several values are joined
by the separator of PC01.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal, InvalidOperation
from urllib.parse import urlsplit

from app.sandbox.mirakl.catalogue import Attribute, Catalogue

_IMAGES = (".jpg", ".jpeg", ".png", ".webp")
_GTIN_LENGTHS = (8, 12, 13, 14)


@dataclass(frozen=True, slots=True)
class Fault:
    code: str
    message: str
    attribute: str

    def __str__(self) -> str:
        return f"{self.code}|{self.message}"


@dataclass(frozen=True, slots=True)
class Checked:
    errors: tuple[Fault, ...]
    warnings: tuple[Fault, ...]


def check_product(row: Mapping[str, str], catalogue: Catalogue, separator: str, *, only_leaves: bool = True) -> Checked:
    """`row` by attribute codes; columns that are no attribute of its category are ignored."""
    column = catalogue.with_role("CATEGORY").code
    category = row.get(column, "")
    if not category:
        return Checked((_required(catalogue.with_role("CATEGORY")),), ())
    if category not in catalogue.categories:
        return Checked((Fault("1001", f"Category {category} is unknown", column),), ())
    if only_leaves and not catalogue.is_leaf(category):
        return Checked((Fault("1002", f"Category {category} is not a leaf", column),), ())
    errors, warnings = list[Fault](), list[Fault]()
    for attribute in catalogue.attributes_of(category):
        value = row.get(attribute.code, "")
        if value:
            wrong = value_fault(attribute, value, catalogue, separator)
            errors.extend([wrong] if wrong else [])
        elif attribute.requirement_level == "REQUIRED":
            errors.append(_required(attribute))
        elif attribute.requirement_level == "RECOMMENDED":
            warnings.append(Fault("3000", f"The attribute {_named(attribute)} is recommended", attribute.code))
    return Checked(tuple(errors), tuple(warnings))


def value_fault(attribute: Attribute, value: str, catalogue: Catalogue, separator: str) -> Fault | None:
    """What is wrong with a value that is there."""
    values = value.split(separator) if attribute.type == "LIST_MULTIPLE_VALUES" else [value]
    problem = next(filter(None, (_type_problem(attribute, one, catalogue) for one in values)), None)
    if problem is not None:
        return Fault("1004", f"The attribute {_named(attribute)} {problem}", attribute.code)
    broken = next(filter(None, (_rule_problem(name, text, value) for name, text in attribute.rules)), None)
    if broken is not None:
        return Fault("1005", f"The attribute {_named(attribute)} {broken}", attribute.code)
    if attribute.unique_code is not None and not is_gtin(value):
        return Fault("1006", f"The attribute {_named(attribute)} has no valid check digit: '{value}'", attribute.code)
    return None


def is_gtin(text: str) -> bool:
    """8, 12, 13 or 14 digits, the last of which is the check digit."""
    if not (text.isascii() and text.isdigit() and len(text) in _GTIN_LENGTHS):
        return False
    return check_digit(text[:-1]) == int(text[-1])


def check_digit(digits: str) -> int:
    weighted = sum(int(digit) * (3, 1)[place % 2] for place, digit in enumerate(reversed(digits)))
    return -weighted % 10


def _required(attribute: Attribute) -> Fault:
    return Fault("1000", f"The attribute {_named(attribute)} is required", attribute.code)


def _named(attribute: Attribute) -> str:
    return f"'{attribute.code}' ({attribute.label})"


def _type_problem(attribute: Attribute, value: str, catalogue: Catalogue) -> str | None:
    match attribute.type:
        case "LIST" | "LIST_MULTIPLE_VALUES":
            known = catalogue.values.get(attribute.type_parameters.get("LIST_CODE", ""), {})
            return None if value in known else f"has a value that is not in its list: '{value}'"
        case "INTEGER":
            return None if re.fullmatch(r"-?[0-9]+", value) else f"must be a whole number, not '{value}'"
        case "DECIMAL":
            precision = int(attribute.type_parameters.get("PRECISION", "2"))
            return _decimal_problem(value, precision)
        case "MEASUREMENT":
            number, _, unit = value.partition(" ")
            known_unit = unit in attribute.type_parameters.get("UNITS", "").split("|")
            return _decimal_problem(number, 4) if known_unit else f"has no unit that is known: '{value}'"
        case "BOOLEAN":
            return None if value in ("true", "false") else f"must be true or false, not '{value}'"
        case "DATE":
            return None if _is_date(value) else f"must be a date (yyyy-MM-dd), not '{value}'"
        case "MEDIA":
            return None if _is_image_address(value) else f"must be the https address of an image, not '{value}'"
        case _:
            return None


def _decimal_problem(value: str, precision: int) -> str | None:
    try:
        number = Decimal(value)
    except InvalidOperation:
        return f"must be a number, not '{value}'"
    exponent = number.as_tuple().exponent
    if not isinstance(exponent, int):
        return f"must be a number, not '{value}'"
    return f"has more than {precision} decimals: '{value}'" if -exponent > precision else None


def _rule_problem(name: str, argument: str, value: str) -> str | None:
    match name:
        case "MAX_LENGTH" if len(value) > int(argument):
            return f"is longer than {argument} characters"
        case "MIN_LENGTH" if len(value) < int(argument):
            return f"is shorter than {argument} characters"
        case "MAX" if Decimal(value) > Decimal(argument):
            return f"is above {argument}"
        case "MIN" if Decimal(value) < Decimal(argument):
            return f"is below {argument}"
        case "PATTERN" if not re.search(argument, value):
            return f"does not have the form {argument}"
        case _:
            return None


def _is_date(value: str) -> bool:
    try:
        return date.fromisoformat(value).isoformat() == value
    except ValueError:
        return False


def _is_image_address(value: str) -> bool:
    try:
        address = urlsplit(value)
    except ValueError:
        return False
    return address.scheme == "https" and bool(address.hostname) and address.path.lower().endswith(_IMAGES)
