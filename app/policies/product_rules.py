"""A product is checked as the marketplace would check it, before it is sent: required, listed, well formed, unique.

What PM11 declares is checked and nothing more, in words that say where to mend it. A rule that is new to us is left to
the marketplace.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from urllib.parse import urlsplit

from app.domain.ids import Sku
from app.domain.listing import Attribute, Bearers, Code, Fault, Row

IN_CENTRA = "mend it in Centra"
_GTIN_LENGTHS = (8, 12, 13, 14)
_LONGEST_PATTERN = 200
NAMED = 3
"""So many SKUs are named with a code that they share."""


def faults_of(
    row: Row, attributes: Sequence[Attribute], lists: Mapping[str, Collection[str]], separator: str
) -> list[Fault]:
    """What the marketplace would not take. `lists`: the codes of each value list."""
    faults: list[Fault] = []
    for attribute in attributes:
        value = row.values.get(attribute.code, "")
        if not value:
            if attribute.required:
                faults.append(Fault(attribute.named, "is required and empty", "fill it in Centra, or map it"))
            continue
        if "\N{REPLACEMENT CHARACTER}" in value:
            faults.append(Fault(attribute.named, "holds a character that is none (�)", IN_CENTRA))
        several = value.split(separator) if attribute.takes_several else [value]
        problems = [_type_problem(attribute, one, lists) for one in several]
        problems += [_rule_problem(name, argument, value) for name, argument in attribute.rules]
        if attribute.unique_code and not is_gtin(value):
            problems.append(f"{value!r} is no valid {attribute.unique_code}: its check digit or length is wrong")
        faults += [Fault(attribute.named, problem, IN_CENTRA) for problem in problems if problem]
    return faults


def codes_of(row: Row, attributes: Sequence[Attribute]) -> set[Code]:
    """The codes of a row that must be unique on the marketplace."""
    unique = (one for one in attributes if one.unique_code)
    return {(one.unique_code, row.values[one.code]) for one in unique if row.values.get(one.code)}


def shared_codes(borne: Mapping[Sku, Collection[Code]], bearers: Bearers, now: datetime) -> dict[Sku, Fault]:
    """SKUs with a code that others bore before them, or came to bear with them: which of those has it, nobody knows.

    `bearers`: those on the whole channel; SKUs that are not among them bear their codes since now.
    """
    ours: dict[Code, dict[Sku, datetime]] = defaultdict(dict)
    for sku, codes in borne.items():
        for code in codes:
            ours[code][sku] = now
    found: dict[Sku, Fault] = {}
    for code, skus in ours.items():
        since = {**skus, **bearers.get(code, {})}
        for sku in skus:
            others = sorted(other for other, at in since.items() if other != sku and at <= since[sku])
            if others:
                named = ", ".join(others[:NAMED]) + (f" and {len(others) - NAMED} more" if len(others) > NAMED else "")
                words = f"{code[1]!r} is the {code[0]} of {named} too"
                found[sku] = Fault("", words, "give each its own in Centra")
    return found


def is_gtin(text: str) -> bool:
    """8, 12, 13 or 14 digits, the last of which is the check digit (GS1)."""
    if not (text.isascii() and text.isdigit() and len(text) in _GTIN_LENGTHS):
        return False
    weighted = sum(int(digit) * (3 if place % 2 == 0 else 1) for place, digit in enumerate(reversed(text[:-1])))
    return (weighted + int(text[-1])) % 10 == 0


def _type_problem(attribute: Attribute, value: str, lists: Mapping[str, Collection[str]]) -> str | None:
    match attribute.type:
        case "LIST" | "LIST_MULTIPLE_VALUES":
            known = lists.get(attribute.value_list, ())
            return None if value in known else f"{value!r} is not in the list {attribute.value_list}"
        case "INTEGER":
            return None if re.fullmatch(r"-?[0-9]+", value) else f"{value!r} is not a whole number"
        case "DECIMAL":
            return _number_problem(value, attribute.parameters.get("PRECISION", ""))
        case "MEASUREMENT":
            number, _, unit = value.partition(" ")
            units = attribute.parameters.get("UNITS", "").split("|")
            return _number_problem(number, "") if unit in units else f"{value!r} needs a unit: {', '.join(units)}"
        case "BOOLEAN":
            return None if value in ("true", "false") else f"{value!r} is neither true nor false"
        case "DATE":
            return None if _is_date(value) else f"{value!r} is not a date as 2026-11-27"
        case "MEDIA":
            return None if _is_address(value) else f"{value!r} is not the https address of a picture"
        case _:
            return None


def _number_problem(value: str, precision: str) -> str | None:
    try:
        exponent = Decimal(value).as_tuple().exponent
    except InvalidOperation:
        exponent = "n"
    if not isinstance(exponent, int):
        return f"{value!r} is not a number"
    most = int(precision) if precision.isdigit() else None
    return None if most is None or -exponent <= most else f"{value!r} has more than {most} decimals"


def _rule_problem(name: str, argument: str, value: str) -> str | None:
    match name:
        case "MAX_LENGTH" if argument.isdigit() and len(value) > int(argument):
            return f"has {len(value)} characters, at most {argument} are taken"
        case "MIN_LENGTH" if argument.isdigit() and len(value) < int(argument):
            return f"has {len(value)} characters, at least {argument} are needed"
        case "MAX" | "MIN":
            return _bound_problem(name, argument, value)
        case "PATTERN" if len(argument) <= _LONGEST_PATTERN and not _has_form(argument, value):
            return f"{value!r} does not have the form {argument}"
        case _:
            return None


def _bound_problem(name: str, argument: str, value: str) -> str | None:
    try:
        bound, number = Decimal(argument), Decimal(value.partition(" ")[0])
    except InvalidOperation:
        return None  # the type says what is wrong with it
    if name == "MAX" and number > bound:
        return f"{value} is above {argument}"
    return f"{value} is below {argument}" if name == "MIN" and number < bound else None


def _has_form(pattern: str, value: str) -> bool:
    """A pattern that Python does not understand is left to the marketplace."""
    try:
        return re.search(pattern, value) is not None
    except re.error:
        return True


def _is_date(value: str) -> bool:
    try:
        return date.fromisoformat(value).isoformat() == value
    except ValueError:
        return False


def _is_address(value: str) -> bool:
    try:
        address = urlsplit(value)
    except ValueError:
        return False
    return address.scheme == "https" and bool(address.hostname) and len(address.path) > 1 and " " not in value
